"""What a city says of itself: settings, zones, geometry, norms. Reads `cities/<name>/`; imports no other room."""
