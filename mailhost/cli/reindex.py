"""`mailhost reindex`: the search index made anew from the mail."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from mailhost.cli.options import data_option, plainly


@click.command()
@click.argument("address", required=False)
@data_option
@plainly
def reindex(address: str | None, data: Path) -> None:
    """Index the mail of ADDRESS, or of everybody, anew. Mail and searches go on meanwhile."""
    from mailhost import accounts
    from mailhost.cli.store import opened
    from mailhost.login.enrol import account_at
    from mailhost.mailstore.indexer import open_index
    from mailhost.storage.database import Tx

    def find(tx: Tx, after: str) -> list[accounts.Account]:
        if address is not None:
            return [] if after else [account_at(tx, address)]
        return accounts.list_accounts(tx, after=after)

    async def work() -> None:
        async with opened(data) as store, open_index(store.database, store.blobs, data) as index:
            after = ""
            while page := await store.database.read(find, after):
                for account in page:
                    await index.rebuild(account.id)
                    click.echo(f"The mail of {account.address} is indexed.")
                    after = account.address

    asyncio.run(work())
