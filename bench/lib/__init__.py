"""How the benchmarks work: tables, processes, streams, generators. Nothing here is a benchmark."""
