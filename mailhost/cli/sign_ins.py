"""`mailhost account sign-ins`: the diary in sentences, with the remedy for each thing that went wrong."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from mailhost.cli.options import data_option, plainly
from mailhost.language import LANGUAGES, translations


@click.command(name="sign-ins")
@click.argument("address", required=False)
@click.option("--doorstep", is_flag=True, help="Who never came so far as to tell a user name, and why.")
@click.option("--most", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Rows at most.")
@click.option(
    "--language",
    type=click.Choice([*LANGUAGES]),
    default="en",
    show_default=True,
    help="The language of the sentences.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each row.")
@data_option
@plainly
def sign_ins(address: str | None, doorstep: bool, most: int, language: str, as_json: bool, data: Path) -> None:
    """Tell who signed in to an account and who could not, why, and what to do; without ADDRESS, who used nobody's name.

    With ADDRESS also what went wrong before a user name was known, in networks where its owner signed in within a day.
    """
    from mailhost.accounts.audit.model import DOORSTEP, NOBODY, Occurrence, SignIn
    from mailhost.accounts.audit.sql import list_sign_ins
    from mailhost.cli.steps.sign_ins import facts_of
    from mailhost.cli.store import opened, show_table
    from mailhost.login.catalogue import Entry, explain
    from mailhost.login.enrol import account_at
    from mailhost.login.readers import own_diary
    from mailhost.storage.database import Tx

    if address is not None and doorstep:
        raise click.UsageError("--doorstep is about nobody in particular: leave ADDRESS out.")

    def find(tx: Tx) -> list[tuple[SignIn, Occurrence]]:
        if address is None:
            return list_sign_ins(tx, DOORSTEP if doorstep else NOBODY, at_most=most)
        return own_diary(tx, account_at(tx, address).id, now=int(time.time()), at_most=most)

    async def work() -> list[tuple[SignIn, Occurrence, Entry]]:
        async with opened(data) as store:
            rows = await store.database.read(find)
            return [(*row, explain(*row, translations(language), store.atlas)) for row in rows]

    found = asyncio.run(work())
    if as_json:
        for row in found:
            click.echo(json.dumps(facts_of(*row), ensure_ascii=False))
        return
    show_table(
        ("last", "times", "protocol", "from", "client", "what happened", "what to do"),
        [
            (
                _shown_second(occurrence.at),
                str(occurrence.attempts),
                sign_in.protocol,
                sign_in.peer,
                sign_in.client_id,
                told.sentence,
                told.remedy,
            )
            for sign_in, occurrence, told in found
        ],
        "Nobody has tried.",
    )


def _shown_second(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
