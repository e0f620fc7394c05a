"""The reflex process: events in, the engine's step, the ledger (fsynced), signed commands out, answers counted.

The only holder of signing keys and the only writer of the ledger. docs/reflexes.md says what is guaranteed.
"""
