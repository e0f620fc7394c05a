"""The `gorodok` command. Each command is a module of `apps/cli/commands` with a `register(app)`."""

from __future__ import annotations

import importlib
import logging
import pkgutil

import typer

from apps.cli import commands

app = typer.Typer(
    name="gorodok",
    help="City data platform: feeds, lake, KPIs, pages. Data live under GORODOK_HOME, the city is GORODOK_CITY.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)


@app.callback()
def root(verbose: bool = typer.Option(False, "--verbose", "-v", help="Log what happens inside, to stderr")) -> None:
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


for _module in pkgutil.iter_modules(commands.__path__):
    importlib.import_module(f"{commands.__name__}.{_module.name}").register(app)
