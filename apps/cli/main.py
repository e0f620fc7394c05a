"""The `gorodok` command. Each command is a module of `apps/cli/commands` with a `register(app)`.

Only the module of the command that was asked for is imported: all of them take 1.2 s, the gateway's alone 0.3 s, and
every process of the platform begins here.
"""

from __future__ import annotations

import functools
import importlib
import logging
import pkgutil
from typing import Any

import typer
from typer.core import TyperGroup

from apps.cli import commands

MODULES = tuple(module.name for module in pkgutil.iter_modules(commands.__path__))


class ByModule(TyperGroup):
    """A command is looked for in the module of its name, and in all of them when there is none (or for the help)."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in MODULES:
            return _commands(cmd_name).get(cmd_name)
        self.list_commands(ctx)
        return self.commands.get(cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        for module in MODULES:
            self.commands.update(_commands(module))
        return list(self.commands)


@functools.cache
def _commands(module: str) -> dict[str, Any]:
    """click's commands by name (typer brings a click of its own in some versions: no types of either)."""
    found = typer.Typer()
    importlib.import_module(f"{commands.__name__}.{module}").register(found)
    return dict(typer.main.get_group(found).commands)


app = typer.Typer(
    name="gorodok",
    cls=ByModule,
    help="City data platform: feeds, lake, KPIs, pages. Data live under GORODOK_HOME, the city is GORODOK_CITY.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)


@app.callback()
def root(verbose: bool = typer.Option(False, "--verbose", "-v", help="Log what happens inside, to stderr")) -> None:
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
