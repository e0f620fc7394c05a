"""`python -m apps.cli` is `gorodok`, for process managers that have no PATH."""

from apps.cli.main import app

app()
