"""The inspector's form: a route by its own link, filled without a network, synced when there is one."""
