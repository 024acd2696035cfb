"""`mailhost doctor server` and `mailhost doctor watch`: our own server, from outside and through its diary."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import click

from mailhost.cli.options import data_option, diagnosis_options, plainly


@click.command()
@diagnosis_options
@data_option
@plainly
def server(as_json: bool, language: str, resolver: str | None, ca: Path | None, data: Path) -> None:
    """Check our own running server: each port, the certificate it serves, its names, the records of its domains."""
    from mailhost.app.checkup import knocking, own_authority
    from mailhost.cli.steps.doctor import finish
    from mailhost.cli.steps.doctor_own import facts_of_server
    from mailhost.doctor.own import diagnose_server
    from mailhost.doctor.report import Report
    from mailhost.doctor.world import World

    own, config = asyncio.run(facts_of_server(data))

    async def work(world: World, progress: Callable[[str], None]) -> Report:
        world.connect = knocking(config)
        return await diagnose_server(own, world, progress)

    ca = ca or own_authority(config, data)
    finish(work, as_json=as_json, language=language, resolver=resolver or config.resolver or None, ca=ca)


@click.command()
@click.argument("address")
@click.option("--attempts", "most", type=click.IntRange(1), help="End after so many sign-ins.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each sign-in.")
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", help="English or Chinese.")
@data_option
@plainly
def watch(address: str, most: int | None, as_json: bool, language: str, data: Path) -> None:
    """Explain each sign-in to the account ADDRESS as it happens, until Ctrl-C: start this, then let the program try."""
    from mailhost.cli.steps.doctor_own import tell
    from mailhost.cli.store import opened
    from mailhost.doctor.catalogue import Language
    from mailhost.doctor.watch import Watcher
    from mailhost.login.enrol import account_at

    async def work() -> None:
        async with opened(data) as store:
            account = await store.database.read(account_at, address)
            watcher = Watcher(store.database, account.id, account.address.rpartition("@")[2], time.time)
            await watcher.begin()
            click.echo(f"Watching {account.address}; let the mail program try now.", err=True)
            async with contextlib.aclosing(watcher.attempts()) as seen:
                number = 0
                async for attempt in seen:
                    tell(attempt, Language(language), store.atlas, as_json=as_json)
                    number += 1
                    if number == most:
                        return

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(work())
