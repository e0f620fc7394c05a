"""Benchmarks: one file a benchmark, with `run(options) -> BenchTable`; what they share is in `bench.lib`.

Scripts, never timed tests: a busy machine must not fail a build. Each prints a table whose ratios were taken in
one run. `gorodok bench --list` names them, `gorodok bench NAME` runs one.
"""
