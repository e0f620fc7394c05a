"""The newest message of every entity, in SQLite (WAL): one writer, the gateway; many readers."""
