"""`python -m ingest.broker`: the embedded broker as a process. Prints one line when it accepts; exit code 2
when it cannot listen where the settings say."""

from __future__ import annotations

import sys

from city.settings import settings
from ingest.broker.embedded import Listeners, NotEmbeddableError
from ingest.broker.serve import BrokerFailedError, leave, serve


def main() -> int:
    try:
        serve(settings(), _say_ready)
    except (BrokerFailedError, NotEmbeddableError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    sys.stdout.flush()
    leave()
    return 0


def _say_ready(where: Listeners) -> None:
    print(f"broker ready: {where.host}:{where.five} (MQTT 5), {where.host}:{where.three} (MQTT 3.1.1)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
