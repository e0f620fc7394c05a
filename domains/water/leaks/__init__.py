"""Leak detection and localisation from SCADA series and an EPANET model."""
