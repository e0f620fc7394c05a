"""The writers' lock: one at a time, gone with its process, and across machines where the catalog is shared."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from city.settings import ROOT, Settings
from warehouse.catalog import catalog_uri
from warehouse.lock import WriterBusyError, writer_lock

HOLD = (
    "import sys, time\nfrom pathlib import Path\nfrom city.settings import Settings\n"
    "from warehouse.lock import writer_lock\n"
    "with writer_lock(Settings(home=Path(sys.argv[1])), 'a long load'):\n"
    "    print('held', flush=True)\n    time.sleep(60)"
)


def test_another_process_waits_is_told_whom_for_and_gets_it_after_a_kill(home: Settings) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(home.home)], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(WriterBusyError, match="a long load"), writer_lock(home, "test", timeout_s=0.2):
            pass
        holder.kill()
    started = time.monotonic()
    with writer_lock(home, "test", timeout_s=5):
        assert time.monotonic() - started < 2


def test_the_holders_own_thread_may_enter_again_and_another_thread_waits(home: Settings) -> None:
    refused: list[bool] = []

    def other() -> None:
        try:
            with writer_lock(home, "other", timeout_s=0.2):
                refused.append(False)
        except WriterBusyError:
            refused.append(True)

    with writer_lock(home, "outer"), writer_lock(home, "inner"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert refused == [True]


def test_a_shared_catalog_locks_out_another_machine(tmp_path: Path) -> None:
    uri = SecretStr(catalog_uri(Settings(home=tmp_path / "catalog-home")))
    here = Settings(home=tmp_path / "here", lake_catalog=uri)
    there = Settings(home=tmp_path / "there", lake_catalog=uri)
    with writer_lock(here, "here"):
        refused: list[str] = []

        def other() -> None:
            try:
                with writer_lock(there, "there", timeout_s=0.3):
                    refused.append("entered")
            except WriterBusyError as error:
                refused.append(str(error))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert "another machine" in refused[0]
    with writer_lock(there, "there", timeout_s=2):
        pass
