"""The MQTT gateway: receives, makes durable, acknowledges. It never drops; the broker's limits are in the docs."""
