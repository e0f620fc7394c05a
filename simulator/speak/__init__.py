"""How the town speaks: MQTT, and the HTTP feeds GTFS-Realtime, Open311 GeoReport v2 and CAP 1.2."""
