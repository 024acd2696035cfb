"""The commands of the operator. Each lives in a file of its own, which is imported only when it is called.

Help and completion wait for nothing: a command imports what it works with when it runs, and the functions that only its
work needs stand in `steps/`.
"""

from __future__ import annotations

import importlib
import os
from typing import Final

import click
from click.exceptions import NoSuchCommand
from click.shell_completion import CompletionItem

from mailhost import __version__

_COMMANDS: Final[dict[str, tuple[str, str]]] = {  # name -> module, and the line that help shows without importing it
    "up": ("up", "Start the server; the first start sets everything up."),
    "account": ("account", "Accounts: the people who have mail here."),
    "app-password": ("app_password", "App passwords: what mail programs sign in with."),
    "oauth": ("oauth_client", "Programs that sign in by token, and services that act for a domain."),
    "domain": ("domain", "The domains this server receives mail for."),
    "share": ("share", "Mailboxes that others may use."),
    "send": ("send", "Hand in one message as it is, in a file."),
    "queue": ("outgoing", "Mail on its way: what waits, and what was set aside for you."),
    "import": ("importing", "Bring mail in from an mbox file or a Maildir."),
    "export": ("exporting", "Write mail out as an mbox file or a Maildir."),
    "undelete": ("undelete", "See what was deleted lately, and put it back."),
    "doctor": ("doctor", "Find out why mail does not work, here or at any provider."),
    "reindex": ("reindex", "Make the search index anew, while the server runs."),
    "backup": ("backup", "Copy everything, while the server runs."),
    "restore": ("restore", "Make a data folder from a backup."),
}


class _LazyGroup(click.Group):
    """A group that knows its commands' names and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of the table."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import it. Raises NoSuchCommand, with those that have a similar name."""
        if cmd_name not in _COMMANDS:
            if ctx.resilient_parsing or cmd_name.startswith("-"):
                return None
            raise NoSuchCommand(cmd_name, possibilities=_COMMANDS, ctx=ctx)
        module, _ = _COMMANDS[cmd_name]
        command = getattr(importlib.import_module(f"mailhost.cli.{module}"), f"{module}")
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands from the table alone, then options."""
        named = [
            CompletionItem(name, help=line) for name, (_, line) in _COMMANDS.items() if name.startswith(incomplete)
        ]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """From the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(cls=_LazyGroup)
@click.version_option(__version__, prog_name="mailhost")
def main() -> None:
    """Mailhost: a mail service of your own."""
    os.umask(0o077)  # whatever we write holds somebody's mail, also in a folder that the operator made for all to read
