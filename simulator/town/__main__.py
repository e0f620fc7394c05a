"""python -m simulator.town --out FOLDER [--seed N]"""

from __future__ import annotations

import argparse
from pathlib import Path

from simulator.town.draw import SEED, write

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, required=True, help="the city's folder")
parser.add_argument("--seed", type=int, default=SEED)
arguments = parser.parse_args()
print(f"{len(write(arguments.out, arguments.seed))} files in {arguments.out}")
