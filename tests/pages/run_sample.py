"""Fills a folder with the sample city and keeps its buses moving: for looking at the pages by hand.

GORODOK_HOME=/some/empty/folder python -m tests.pages.run_sample
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from city.settings import settings
from tests.pages import sample

if __name__ == "__main__":
    chosen = settings()
    sample.fill(chosen)
    while True:
        time.sleep(3)
        sample.move(chosen, datetime.now(UTC))
