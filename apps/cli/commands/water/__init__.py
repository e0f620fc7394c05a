"""`gorodok water …`: a sub-app. Each command is a module of this folder with a `register(app)`, found by being here."""

from __future__ import annotations

import importlib
import pkgutil

import typer


def register(app: typer.Typer) -> None:
    water = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")
    for module in sorted(one.name for one in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{module}").register(water)
    app.add_typer(water, name="water", help="Водоканал: утечки, баланс, сеть / Water utility: leaks, balance, network")
