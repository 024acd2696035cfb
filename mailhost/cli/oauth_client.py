"""`mailhost oauth`: programs that may ask people for access to their mail, and services that act for a domain."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Final

import click

from mailhost.cli.options import Group, data_option, plainly

SCOPES: Final = (
    "https://mail.google.com/",
    "mail",
    "imap",
    "imap.readonly",
    "pop3",
    "pop3.readonly",
    "send-only",
)
"""What a program may ask for; the first is the one that programs made for Gmail ask for."""


@click.group(name="oauth", cls=Group)
def oauth_client() -> None:
    """OAuth 2.0: sign-in by token instead of an app password."""


@oauth_client.group(cls=Group)
def client() -> None:
    """Programs that may ask for tokens."""


@client.command()
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(["native", "web", "device", "service"]),
    default="native",
    show_default=True,
    help="native: on people's own devices; web: on a server; device: without a browser; service: for a whole domain.",
)
@click.option(
    "--redirect", "redirects", multiple=True, help="A redirect URI; http://localhost is any port of a device."
)
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="What it may ask for; everything if left out."
)
@click.option("--domain", "domains", multiple=True, help="For a service: a domain whose accounts it may act for.")
@click.option("--issuer", help="The https address of this service; that of the settings if left out.")
@data_option
@plainly
def add(
    name: str,
    kind: str,
    redirects: tuple[str, ...],
    scopes: tuple[str, ...],
    domains: tuple[str, ...],
    issuer: str | None,
    data: Path,
) -> None:
    """Make a program known, and print the file that Google's libraries read, with its secret, this once."""
    from mailhost import oauth
    from mailhost.cli.steps.oauth_client import issuer_of
    from mailhost.cli.store import opened
    from mailhost.domains import list_domains
    from mailhost.login.enrol import domain_at
    from mailhost.oauth import Kind, NewClient
    from mailhost.storage.database import Tx

    chosen = Kind(kind)
    if (chosen is Kind.SERVICE) != bool(domains):
        raise click.UsageError("A service needs --domain, and nothing else has it.")
    if chosen is Kind.NATIVE and not redirects:
        redirects = ("http://localhost", "http://127.0.0.1", "http://[::1]")

    async def work() -> tuple[NewClient, str]:
        async with opened(data) as store:
            key = store.key

            def make(tx: Tx) -> tuple[NewClient, str]:
                made = oauth.make_client(
                    tx,
                    key,
                    name=name,
                    kind=chosen,
                    now=int(time.time()),
                    redirect_uris=redirects,
                    scopes=scopes or SCOPES,
                    domains=tuple(domain_at(tx, domain).name for domain in domains),
                )
                return made, issuer or issuer_of(store.config, list_domains(tx, 1))

            return await store.database.write(make)

    made, address = asyncio.run(work())
    click.echo(json.dumps(oauth.client_file(made, address.rstrip("/")), indent=2))


@client.command(name="list")
@data_option
@plainly
def list_(data: Path) -> None:
    """List the programs."""
    from mailhost import oauth
    from mailhost.cli.store import opened, show_table
    from mailhost.oauth import Client

    async def work() -> list[Client]:
        async with opened(data) as store:
            return await store.database.read(oauth.list_clients)

    show_table(
        ("id", "name", "kind", "redirects", "domains"),
        [
            (one.id, one.name, one.kind.value, " ".join(one.redirect_uris), " ".join(one.delegated_domains))
            for one in asyncio.run(work())
        ],
        "There is no program yet: mailhost oauth client add makes one known.",
    )


@client.command()
@click.argument("client_id")
@data_option
@plainly
def remove(client_id: str, data: Path) -> None:
    """Forget a program; its tokens end, and the sessions that use them."""
    from mailhost.cli.store import opened
    from mailhost.login.tokens import remove_client

    async def work() -> None:
        async with opened(data) as store:
            await store.database.write(remove_client, client_id)

    asyncio.run(work())
    click.echo(f"{client_id} is gone, with its tokens.")
