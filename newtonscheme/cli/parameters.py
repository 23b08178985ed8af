"""What the commands' options have in common. None always means "not given": the defaults live in the library."""

from __future__ import annotations

import typer
from typer.models import OptionInfo

Text = str | None
Number = float | None
Whole = int | None
Flag = bool | None


def option(metavar: str, text: str, panel: str | None = None) -> OptionInfo:
    """An option that takes a value, with what stands for the value, its help and the panel of the help that it is in."""
    return typer.Option(metavar=metavar, help=text, rich_help_panel=panel, show_default=False)


def flag(name: str, text: str, panel: str | None = None, short: str | None = None) -> OptionInfo:
    """An option that takes no value: it is there or not."""
    return typer.Option(*(name for name in (name, short) if name), metavar="", help=text, rich_help_panel=panel, show_default=False)
