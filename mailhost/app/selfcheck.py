"""The daily look at ourselves: the administrator hears of it when something changed, and only then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import groupby
from typing import Final

import msgspec
from msgspec import Struct

from mailhost import observe
from mailhost.app.checkup import Checkup, check_up
from mailhost.app.services import Services
from mailhost.delivery.route import administrator_of
from mailhost.doctor.catalogue import Language, leaves
from mailhost.doctor.evidence import all_said
from mailhost.findings import Severity
from mailhost.language import LANGUAGES, N_, Translations, translations
from mailhost.mailstore.letters import Letter, post
from mailhost.network.certificates import write_private

log = observe.logger()

_FILE: Final = "self-check.json"
_FIRST: Final = 600.0  # seconds after the start, when certificates were fetched and other machines are up
_EVERY: Final = 24 * 3600
_LOOK: Final = 900.0
_AGAIN: Final = 300.0
"""Before something new is believed it must be there a second time: networks stumble."""
_AND: Final = "; "  # between the places of findings that were made one
_SUBJECT: Final = N_("The daily check of the mail server")
_NEW: Final = N_("New since the last check:")
_STILL: Final = N_("Still so:")
_MENDED: Final = N_("Mended since the last check:")
_NOTHING: Final = N_("Nothing is wrong any more.")
_MORE: Final = N_("Look again at any time: mailhost doctor server, and for a domain mailhost doctor domain NAME.")


class Seen(Struct, frozen=True, order=True):
    """One thing that is wrong at one place. Evidence changes from day to day, so it is no part of what is compared."""

    subject: str
    leaf: str
    where: str


class Memory(Struct, frozen=True):
    """What the last check came to, and when (Unix time)."""

    checked_at: int = 0
    seen: tuple[Seen, ...] = ()


class SelfCheck:
    """Remembers in a file of the data folder; so a restart tells nothing twice."""

    def __init__(self, services: Services, host: str, *, again_seconds: float = _AGAIN) -> None:
        self._services = services
        self._host = host
        self._again = again_seconds
        self._file = services.data / _FILE

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.sleep(_FIRST)
        while True:
            now = int(time.time())
            if now - self._remember().checked_at >= _EVERY:
                try:
                    await self.check(now)
                except Exception:  # the store is away, the administrator's mailbox is full, or a mistake of ours: later
                    log.exception("maintenance.crashed", task="self-check")
            await asyncio.sleep(_LOOK)

    async def check(self, now: int) -> bool:
        """Look, and tell the administrator what changed. Returns whether there was anything to tell."""
        before = frozenset(self._remember().seen)
        checkup = await check_up(self._services)
        if checkup.is_offline:
            return False
        seen = _seen(checkup)
        if seen - before:
            await asyncio.sleep(self._again)
            seen &= before | _seen(await check_up(self._services))
        if seen != before:
            await self._tell(checkup, before, seen, now)
        write_private(self._file, msgspec.json.encode(Memory(now, tuple(sorted(seen)))))
        return seen != before

    def _remember(self) -> Memory:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Memory)
        except (OSError, msgspec.DecodeError):
            return Memory()

    async def _tell(self, checkup: Checkup, before: frozenset[Seen], seen: frozenset[Seen], now: int) -> None:
        administrator = await self._services.database.read(administrator_of)
        log.warning("selfcheck.changed", new=len(seen - before), mended=len(before - seen), still=len(seen & before))
        if administrator is None:
            return
        text = "\n\n-- \n\n".join(_text(checkup, before, seen, tag) for tag in LANGUAGES)
        subject = " / ".join(translations(tag).gettext(_SUBJECT) for tag in LANGUAGES)
        letter = Letter(administrator.id, administrator.address, f"{subject}: {self._host}", text, self._host)
        await post(self._services.database, self._services.blobs, letter, now)


def _seen(checkup: Checkup) -> frozenset[Seen]:
    return frozenset(
        Seen(report.subject, each.finding.leaf, where)
        for report in checkup.reports
        for each in report.findings
        if each.finding.severity is not Severity.NOTE
        for where in each.finding.where.split(_AND)
    )


def _text(checkup: Checkup, before: frozenset[Seen], seen: frozenset[Seen], tag: str) -> str:
    words = translations(tag)
    language = Language.CHINESE if tag == "zh-CN" else Language.ENGLISH
    evidence = {
        (report.subject, each.finding.leaf): each.finding.evidence
        for report in checkup.reports
        for each in report.findings
    }
    parts = [
        *_part(words, _NEW, sorted(seen - before), language, evidence),
        *_part(words, _STILL, sorted(seen & before), language, evidence),
        *_part(words, _MENDED, sorted(before - seen), language, None),
    ]
    if not seen:
        parts.append(words.gettext(_NOTHING))
    return "\n\n".join((*parts, words.gettext(_MORE)))


def _part(
    words: Translations,
    heading: str,
    seen: Sequence[Seen],
    language: Language,
    evidence: dict[tuple[str, str], tuple[str, ...]] | None,
) -> list[str]:
    """The heading and a paragraph for each leaf; without evidence the titles alone."""
    if not seen:
        return []
    parts = [words.gettext(heading)]
    for (subject, name), places in groupby(seen, key=lambda each: (each.subject, each.leaf)):
        leaf = leaves().get(name)
        title = leaf.title.in_language(language) if leaf else name
        where = all_said((each.where for each in places if each.where), language)
        lines = [f"* {subject}: {title} [{name}]", *([f"  {_AND.join(where)}"] if where else [])]
        if evidence is not None and leaf is not None:
            lines += [f"  - {line}" for line in all_said(evidence.get((subject, name), ())[:8], language)]
            lines.append(f"  {leaf.remedy.in_language(language)}")
        parts.append("\n".join(lines))
    return parts
