"""`python -m apps.signin`: the demo's provider in the foreground; `gorodok demo` starts it where a city has none."""

from __future__ import annotations

import sys

from apps.signin.server import SigninRefusedError, check, make_wsgi
from apps.streamlit.signin import demo_client
from city.settings import settings


def main() -> int:
    found = settings()
    try:
        check(found)
        server = make_wsgi(found, demo_client(found))
    except (SigninRefusedError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"demo sign-in without passwords: http://{found.host}:{server.server_port}", file=sys.stderr)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
