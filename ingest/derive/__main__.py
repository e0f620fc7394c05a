"""python -m ingest.derive [--check]: write what follows from the contracts, or say what is stale (exit 1)."""

from __future__ import annotations

import argparse
import sys

from ingest.derive.files import ROOT, stale, write_all


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ingest.derive", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 and name the files that are stale")
    check = parser.parse_args().check
    paths = stale() if check else write_all()
    for path in paths:
        sys.stdout.write(f"{'stale' if check else 'wrote'} {path.relative_to(ROOT)}\n")
    if check and paths:
        sys.stderr.write("run `python -m ingest.derive` and commit what it writes\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
