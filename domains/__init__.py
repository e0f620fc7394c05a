"""The science of each domain as pure functions over tables and events; no I/O."""
