"""`mailhost domain`: the domains whose mail is ours."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import click

from mailhost.cli.domain_records import records
from mailhost.cli.options import LAYOUTS, Group, data_option, plainly
from mailhost.cli.rules import domain_rules


@click.group(cls=Group)
def domain() -> None:
    """Domains: the names whose mail is received here."""


domain.add_command(domain_rules)
domain.add_command(records)


@domain.command()
@click.argument("name")
@click.option("--layout", "shown", type=LAYOUTS, help="How new accounts show their mail; else as the settings say.")
@data_option
@plainly
def add(name: str, shown: str | None, data: Path) -> None:
    """Receive mail for a domain from now on."""
    from mailhost import domains
    from mailhost.cli.store import opened
    from mailhost.domains import Domain, displayed_domain, normalise_domain
    from mailhost.storage.database import Tx

    normalised = normalise_domain(name)

    def make(tx: Tx) -> Domain:
        made = domains.add_domain(tx, normalised, int(time.time()))
        if shown is not None:
            domains.set_layout(tx, made.id, shown)
        return made

    async def work() -> Domain:
        async with opened(data) as store:
            return await store.database.write(make)

    made = asyncio.run(work())
    click.echo(f"Mail for {displayed_domain(made.name)} is received here.")
    click.echo(f"Its first account will get the mail to postmaster and abuse: mailhost account add NAME@{made.name}")
    click.echo(f"What DNS must say about it: mailhost domain records {made.name}")


@domain.command()
@click.argument("name")
@click.argument("shown", type=click.Choice([*LAYOUTS.choices, "default"]), metavar="[classic|gmail|default]")
@data_option
@plainly
def layout(name: str, shown: str, data: Path) -> None:
    """Say how new accounts of a domain show their mail; those that are there stay as they are."""
    from mailhost import domains
    from mailhost.cli.store import opened
    from mailhost.domains import NoSuchDomain, displayed_domain, normalise_domain
    from mailhost.storage.database import Tx

    normalised = normalise_domain(name)

    def change(tx: Tx) -> None:
        found = domains.find_domain(tx, normalised)
        if found is None:
            raise NoSuchDomain(f"The domain {normalised} is not one of ours.")
        domains.set_layout(tx, found.id, "" if shown == "default" else shown)

    async def work() -> None:
        async with opened(data) as store:
            await store.database.write(change)

    asyncio.run(work())
    words = "as the settings say" if shown == "default" else f"in the {shown} layout"
    click.echo(f"New accounts of {displayed_domain(normalised)} show their mail {words}.")


@domain.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each domain.")
@data_option
@plainly
def list_(as_json: bool, data: Path) -> None:
    """List the domains and who gets their postmaster's mail."""
    from mailhost import accounts, domains
    from mailhost.cli.store import opened, show_table
    from mailhost.domains import Domain, displayed_domain
    from mailhost.storage.database import Tx

    def find(tx: Tx) -> list[tuple[Domain, str]]:
        return [
            (one, accounts.get_account(tx, one.administrator_id).address if one.administrator_id is not None else "")
            for one in domains.list_domains(tx)
        ]

    async def work() -> list[tuple[Domain, str]]:
        async with opened(data) as store:
            return await store.database.read(find)

    found = asyncio.run(work())
    if as_json:
        for one, administrator in found:
            click.echo(json.dumps({"domain": one.name, "administrator": administrator or None}))
        return
    rows = [(displayed_domain(one.name), one.name, administrator) for one, administrator in found]
    show_table(
        ("domain", "in ASCII", "postmaster"), rows, "There is no domain yet: mailhost domain add NAME makes one."
    )
