"""Tables of the ledger, and the triggers that keep a mistake of ours from changing what was written.

They do not keep out somebody who owns the file: for that there is the chain, and the copy in the lake.
"""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS line (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    line BLOB NOT NULL,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    ledger_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS command_number (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    reserved INTEGER NOT NULL
) STRICT;
INSERT OR IGNORE INTO command_number VALUES (1, 0);
CREATE TRIGGER IF NOT EXISTS line_is_not_updated BEFORE UPDATE ON line
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS line_is_not_deleted BEFORE DELETE ON line
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS line_is_not_replaced BEFORE INSERT ON line
WHEN EXISTS (SELECT 1 FROM line WHERE seq = new.seq)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS head_only_rises BEFORE UPDATE ON head
WHEN new.seq <= old.seq OR new.ledger_id <> old.ledger_id
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS head_is_not_deleted BEFORE DELETE ON head
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS number_only_rises BEFORE UPDATE ON command_number
WHEN new.reserved <= old.reserved
BEGIN SELECT RAISE(ABORT, 'command numbers only rise'); END;
"""
