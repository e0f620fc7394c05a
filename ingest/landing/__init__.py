"""The durable queue between the two clocks: an open log that is fsynced, sealed into Parquet segments, archived.

landing/<feed>/open/<segment>.log          framed Arrow batches, appended and fsynced
landing/<feed>/sealed/<segment>.parquet    immutable, waiting for the load
landing/archive/<feed>/<day>/<segment>.parquet   loaded; kept for the city's retention
"""
