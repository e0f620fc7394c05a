"""The command ledger: append-only, hash-chained, on the disk before a message leaves."""
