"""Protocols that the platform pulls: GTFS-Realtime, Open311 GeoReport v2, CAP 1.2: each a fetch and a pure decode."""
