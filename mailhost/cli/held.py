"""`mailhost account held`: sign-ins that wait for their owner's word, where the page cannot be reached."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click

from mailhost.cli.app_password import shown_time
from mailhost.cli.options import NUMBER, data_option, plainly
from mailhost.language import translations


@click.command(name="held")
@click.argument("address")
@click.option("--mine", type=NUMBER, metavar="NUMBER", help="It was the owner: let the program in from there.")
@click.option("--everywhere", is_flag=True, help="With --mine: from anywhere, for programs that come through a cloud.")
@click.option(
    "--not-mine", type=NUMBER, metavar="NUMBER", help="It was not: revoke the password, and end its sessions."
)
@data_option
@plainly
def held(address: str, mine: int | None, everywhere: bool, not_mine: int | None, data: Path) -> None:
    """List the sign-ins of an account that were held as unusual, or say of one whether it was its owner.

    Owners do this themselves at /account/unusual.
    """
    from mailhost.accounts.held.sql import Held, NoSuchHeld, State, list_held
    from mailhost.cli.store import opened, show_table
    from mailhost.login.catalogue import explain_signs
    from mailhost.login.enrol import account_at
    from mailhost.login.unusual import approve, deny
    from mailhost.storage.database import Tx

    if mine is not None and not_mine is not None:
        raise click.UsageError("--mine and --not-mine cannot both be true.")
    if everywhere and mine is None:
        raise click.UsageError("--everywhere goes with --mine.")
    now = int(time.time())

    def work_on(tx: Tx) -> list[Held]:
        account_id = account_at(tx, address).id
        try:
            if mine is not None:
                return [approve(tx, account_id, mine, now, everywhere=everywhere)]
            if not_mine is not None:
                return [deny(tx, account_id, not_mine, now)]
        except NoSuchHeld as error:
            raise NoSuchHeld(f"No sign-in {mine or not_mine} of {address} waits.") from error
        return [one for one in list_held(tx, account_id) if one.state is State.WAITING]

    async def work() -> list[Held]:
        async with opened(data) as store:
            return await store.database.write(work_on)

    found = asyncio.run(work())
    if mine is not None or not_mine is not None:
        done = "lets the program in from there" if mine is not None else "is decided: the password is revoked"
        click.echo(f"Sign-in {found[0].id} of {address} {done}.")
        return
    words = translations("en")
    show_table(
        ("number", "last", "times", "protocol", "from", "client", "why"),
        [
            (
                str(one.id),
                shown_time(one.last_at),
                str(one.attempts),
                one.protocol,
                one.peer,
                one.client,
                explain_signs(one.why, words),
            )
            for one in found
        ],
        "No sign-in waits for its owner's word.",
    )
