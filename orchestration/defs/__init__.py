"""What exists, one module a subject. A module is found by being here; it gives `definitions(settings)`."""
