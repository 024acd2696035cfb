"""What the doctor knows of our own server, and how it tells of a sign-in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from mailhost.app.checkup import own_server
from mailhost.cli.diagnosis import Sheet
from mailhost.cli.store import opened
from mailhost.config import Config
from mailhost.doctor.catalogue import Language, help_for, leaves
from mailhost.doctor.own import OwnServer
from mailhost.doctor.watch import Attempt
from mailhost.language import best_language, translations
from mailhost.login.catalogue import explain
from mailhost.network.atlas import Atlas


async def facts_of_server(data: Path) -> tuple[OwnServer, Config]:
    """What the store says of the server, and its settings."""
    async with opened(data) as store:
        return await own_server(store), store.config


def tell(attempt: Attempt, language: Language, atlas: Atlas, *, as_json: bool) -> None:
    """One sign-in with its cause, as it happened."""
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
