"""A controller at the edge: the same engine and scenario file beside the lamps, so that a crossing works with the
network cut. `controller` decides, `handover` gives the journal to the platform when the network is back."""
