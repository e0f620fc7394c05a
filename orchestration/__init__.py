"""Dagster. `defs/` says what exists, `lib/` how it works; `definitions.py` is loaded, `serve.py` runs it."""
