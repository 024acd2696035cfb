"""What commands share before they do anything: common options, their help, and errors in one sentence.

It loads little, as help and completion do not wait for what a command needs to do its work.
"""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import click

from mailhost.errors import MailhostError

P = ParamSpec("P")
R = TypeVar("R")

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("mailhost-data"),
    show_default=True,
    help="The data folder.",
)


NUMBER: Final = click.IntRange(1, 2**53)
"""What a column holds: the type of arguments that name a row."""

LAYOUTS: Final = click.Choice(["classic", "gmail"])

account_option = click.option("--account", help="The account's address; not needed where there is only one.")


class Group(click.Group):
    """Commands, each listed with the whole first sentence about it, where click would cut it off."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Two columns."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(1_000)) for name, one in found if one is not None])


def _system_language() -> str:
    names = (os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "zh" if next((name for name in names if name), "").startswith("zh") else "en"


def diagnosis_options(command: Callable[P, R]) -> Callable[P, R]:
    """Options of every diagnosis."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document."),
        click.option(
            "--language", type=click.Choice(["en", "zh"]), default=_system_language, help="English or Chinese."
        ),
        click.option("--resolver", metavar="ADDRESS[:PORT]", help="Ask this name server instead of the system's."),
        click.option(
            "--ca",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="Trust this authority, too (a PEM file).",
        ),
    ):
        command = option(command)
    return command


def plainly(command: Callable[P, R]) -> Callable[P, R]:
    """Let a command end in one clear sentence and exit code 1 where it would end in a MailhostError."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except MailhostError as error:
            # A model says what happened by the class alone.
            raise click.ClickException(str(error) or (type(error).__doc__ or "").partition("\n")[0]) from error

    return wrapped
