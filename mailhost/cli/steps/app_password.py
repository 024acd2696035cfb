"""App passwords as the commands make, choose and show them."""

import functools
import json
from operator import or_

import click

from mailhost.accounts import ALL_PROTOCOLS, AppPassword, NoSuchAppPassword, Protocols, Scope
from mailhost.cli.app_password import shown_time

_NAMES = {"imap": Protocols.IMAP, "pop3": Protocols.POP3, "smtp": Protocols.SMTP}


def chosen_protocols(names: frozenset[str] | None, read_only: bool, send_only: bool) -> Protocols:
    """What the options open. Raises click.UsageError when they contradict each other."""
    protocols = None if names is None else functools.reduce(or_, (_NAMES[name] for name in names))
    if read_only and send_only:
        raise click.UsageError("--read-only and --send-only leave nothing to do.")
    if send_only:
        if protocols not in (None, Protocols.SMTP):
            raise click.UsageError("--send-only is SMTP alone; leave --protocols out.")
        return Protocols.SMTP
    if protocols is None:
        return Protocols.IMAP | Protocols.POP3 if read_only else ALL_PROTOCOLS
    return protocols


def show_new(made: AppPassword, secret: str, *, as_json: bool) -> None:
    """Show an app password with its secret, this once."""
    if as_json:
        click.echo(json.dumps(facts_of(made) | {"app_password": secret}))
        return
    click.echo(f"App password {made.id} ({made.name}), shown this once; blanks do not matter: {secret}")


def facts_of(made: AppPassword) -> dict[str, object]:
    """What stands in JSON for every app password; what does not limit it is left out."""
    scope = made.scope
    facts: dict[str, object] = {
        "id": made.id,
        "name": made.name,
        "protocols": shown_protocols(scope.protocols).split(","),
    }
    if scope.read_only:
        facts["read_only"] = True
    if scope.networks:
        facts["from"] = list(scope.networks)
    if scope.expires_at is not None:
        facts["expires"] = shown_time(scope.expires_at)
    return facts


def shown_scope(scope: Scope) -> str:
    """What limits it, in words."""
    words = [shown_protocols(scope.protocols)]
    if scope.read_only:
        words.append("only to read")
    if scope.networks:
        words.append("from " + ",".join(scope.networks))
    if scope.expires_at is not None:
        words.append("until " + shown_time(scope.expires_at))
    return " ".join(words)


def no_such(address: str, number: int) -> NoSuchAppPassword:
    """What is raised when the account has no app password of that number."""
    return NoSuchAppPassword(f"{address} has no app password {number}.")


def shown_protocols(protocols: Protocols) -> str:
    """The names of protocols, divided by commas."""
    return ",".join(name for name, protocol in _NAMES.items() if protocols & protocol)
