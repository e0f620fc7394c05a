"""The command ledger: append-only, hash-chained, on the disk before a message leaves."""

from actuation.ledger.entry import NewEntry
from actuation.ledger.ledger import Ledger, LedgerBusyError, LedgerDamagedError, LedgerReader, open_reader, read_ledger
from actuation.ledger.verify import Broken

__all__ = [
    "Broken",
    "Ledger",
    "LedgerBusyError",
    "LedgerDamagedError",
    "LedgerReader",
    "NewEntry",
    "open_reader",
    "read_ledger",
]
