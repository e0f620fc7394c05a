"""gorodok serve: one of the platform's web processes, in the foreground (the Procfile's lines)."""

from __future__ import annotations

import os
from enum import StrEnum

import typer

from apps.cli.output import BAD, fail
from city.settings import settings


class Server(StrEnum):
    webserver = "dagster-webserver"
    daemon = "dagster-daemon"
    streamlit = "streamlit"


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(name: Server = typer.Argument(help="Which one")) -> None:
    """Become the Dagster UI, the Dagster daemon or the Streamlit server, on GORODOK_HOST and its port."""
    found = settings()
    if name is Server.streamlit:
        from apps.streamlit import signin
        from apps.streamlit.serve import command

        try:
            signin.prepare(found)
        except signin.SigninError as error:
            fail(str(error), "docs/operations/sign-in.md names all of them", BAD)
        words = command(found)
    else:
        from orchestration.serve import commands, environment

        os.environ.update(environment(found))
        words = commands(found)[name.value]
    os.execvp(words[0], words)  # noqa: S606 - becomes the server, so that signals reach it
