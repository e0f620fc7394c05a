"""Feeds: their contracts, the protocols they arrive by, the MQTT gateway, and the durable landing log."""
