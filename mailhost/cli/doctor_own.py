"""`mailhost doctor server` and `mailhost doctor watch`: our own server, from outside and through its diary."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from mailhost.app.checkup import knocking, own_authority, own_server
from mailhost.cli.diagnosis import Sheet
from mailhost.cli.doctor import common, finish
from mailhost.cli.options import data_option, plainly
from mailhost.cli.store import opened
from mailhost.config import Config
from mailhost.doctor.catalogue import Language, help_for, leaves
from mailhost.doctor.own import OwnServer, diagnose_server
from mailhost.doctor.report import Report
from mailhost.doctor.watch import Attempt, Watcher
from mailhost.doctor.world import World
from mailhost.language import best_language, translations
from mailhost.login.catalogue import explain
from mailhost.login.enrol import account_at
from mailhost.network.atlas import Atlas


@click.command()
@common
@data_option
@plainly
def server(as_json: bool, language: str, resolver: str | None, ca: Path | None, data: Path) -> None:
    """Check our own running server: each port, the certificate it serves, its names, the records of its domains."""
    own, config = asyncio.run(_facts(data))

    async def work(world: World, progress: Callable[[str], None]) -> Report:
        world.connect = knocking(config)
        return await diagnose_server(own, world, progress)

    ca = ca or own_authority(config, data)
    finish(work, as_json=as_json, language=language, resolver=resolver or config.resolver or None, ca=ca)


async def _facts(data: Path) -> tuple[OwnServer, Config]:
    async with opened(data) as store:
        return await own_server(store), store.config


@click.command()
@click.argument("address")
@click.option("--attempts", "most", type=click.IntRange(1), help="End after so many sign-ins.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each sign-in.")
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", help="English or Chinese.")
@data_option
@plainly
def watch(address: str, most: int | None, as_json: bool, language: str, data: Path) -> None:
    """Explain each sign-in to the account ADDRESS as it happens, until Ctrl-C: start this, then let the program try."""

    async def work() -> None:
        async with opened(data) as store:
            account = await store.database.read(account_at, address)
            watcher = Watcher(store.database, account.id, account.address.rpartition("@")[2], time.time)
            await watcher.begin()
            click.echo(f"Watching {account.address}; let the mail program try now.", err=True)
            async with contextlib.aclosing(watcher.attempts()) as seen:
                number = 0
                async for attempt in seen:
                    _tell(attempt, Language(language), store.atlas, as_json=as_json)
                    number += 1
                    if number == most:
                        return

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(work())


def _tell(attempt: Attempt, language: Language, atlas: Atlas, *, as_json: bool) -> None:
    sign_in, occurrence, finding = attempt.sign_in, attempt.occurrence, attempt.finding
    moment = datetime.fromtimestamp(occurrence.at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    told = explain(sign_in, occurrence, translations(best_language(language.value)), atlas)
    if as_json:
        leaf = leaves()[finding.leaf] if finding else None
        line = {
            "at": moment,
            "accepted": finding is None,
            "leaf": finding.leaf if finding else None,
            "title": leaf.title.in_language(language) if leaf else None,
            "remedy": leaf.remedy.in_language(language) if leaf else None,
            "help": help_for(finding) if finding else None,
            "cause": sign_in.cause.value,
            "sentence": told.sentence,
            "advice": told.remedy,
            "protocol": sign_in.protocol,
            "port": sign_in.port,
            "peer": sign_in.peer,
            "connection": occurrence.connection_id,
            "attempts": occurrence.attempts,
        }
        click.echo(json.dumps(line, ensure_ascii=False))
        return
    click.echo(
        f"{moment}  {sign_in.protocol} port {sign_in.port} from {sign_in.peer}: {told.sentence}\n  {told.remedy}"
    )
    if finding is not None:
        Sheet(language).finding(finding)
        click.echo()
