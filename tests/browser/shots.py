"""Screenshots of every page: `python -m tests.browser.shots ADDRESS [FOLDER]` (`make shots`).

Headless Chromium with the network cut off but for this machine; both languages, both widths, light and dark.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

from tests.browser.browse import PAGES, Browser

WIDTHS = (1440, 390)
ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "artefacts" / "screens"


def take(address: str, folder: Path, pages: tuple[str, ...] = PAGES, modes: tuple[str, ...] = ("light", "dark")) -> int:
    """Writes <page>-<language>-<width>-<mode>.png for every page; the number of pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for mode, width in itertools.product(modes, WIDTHS):
        with Browser(address, width=width, mode=mode) as browser:
            for page, language in itertools.product(pages, ("ru", "en")):
                browser.open(page, language)
                browser.picture(folder / f"{page}-{language}-{width}-{mode}.png")
                count += 1
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="where the pages are served, http://127.0.0.1:8492")
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--page", action="append", choices=PAGES, help="only this page")
    parser.add_argument("--mode", action="append", choices=("light", "dark"), help="only this mode")
    chosen = parser.parse_args()
    modes = tuple(chosen.mode or ("light", "dark"))
    count = take(chosen.address, chosen.folder, tuple(chosen.page or PAGES), modes)
    print(f"{count} pictures in {chosen.folder}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
