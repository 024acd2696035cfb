"""`mailhost domain records`: what to write into a domain's zone so that mail comes and programs find their servers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from mailhost.cli.options import data_option, plainly


@click.command()
@click.argument("name")
@data_option
@plainly
def records(name: str, data: Path) -> None:
    """Print the records that DNS must have for a domain, as lines of a zone file.

    `mailhost doctor domain` says which of them are missing or wrong.
    """
    from mailhost.cli.steps.domain_records import wanted_records
    from mailhost.cli.store import opened
    from mailhost.domains import normalise_domain

    domain = normalise_domain(name)

    async def work() -> list[str]:
        async with opened(data) as store:
            return await wanted_records(store, domain)

    for line in asyncio.run(work()):
        click.echo(line)
