"""`mailhost account reset-two-step`: the way back in for an owner who has lost telephone and backup codes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from mailhost.cli.options import data_option, plainly


@click.command()
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
@data_option
@plainly
def reset_two_step(address: str, as_json: bool, data: Path) -> None:
    """Make ten new backup codes for an owner who cannot take the second step any more.

    The authenticator app and the passkeys are forgotten, and browsers signed out. Two-step verification stays on, and
    app passwords go on working. Be sure that it is the owner who asks: with the account password each code opens the
    account.
    """
    from mailhost.cli.store import opened
    from mailhost.crypto import SecretKey
    from mailhost.login.enrol import account_at
    from mailhost.login.second_step import reset_two_step as reset
    from mailhost.storage.database import Tx

    def work_on(tx: Tx, key: SecretKey) -> tuple[str, list[str]]:
        found = account_at(tx, address)
        return found.address, reset(tx, key, found.id)

    async def work() -> tuple[str, list[str]]:
        async with opened(data) as store:
            return await store.database.write(work_on, store.key)

    found, codes = asyncio.run(work())
    if as_json:
        click.echo(json.dumps({"address": found, "backup_codes": codes}))
        return
    click.echo(
        f"The app and the passkeys of {found} are forgotten. Its backup codes, shown this once, each good once:\n"
    )
    for code in codes:
        click.echo(f"  {code}")
    click.echo("\nWith one of them and the account password its owner signs in and sets up a new app.")
