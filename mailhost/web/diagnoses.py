"""Diagnoses for people with an account: one at a time for each, so many for all, and rows that any process can show."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Final, Literal

from msgspec import Struct

from mailhost import observe
from mailhost.doctor.catalogue import Language
from mailhost.doctor.client import Question, checked_domain, diagnose
from mailhost.doctor.providers import Provider, named
from mailhost.doctor.sql import LONGEST_SECONDS, begin_diagnosis, end_diagnosis, note_progress
from mailhost.doctor.targets import BadSetting, Protocol, parse_target
from mailhost.doctor.world import World
from mailhost.errors import MailhostError
from mailhost.language import N_
from mailhost.login.model import Clock
from mailhost.storage.database import Database
from mailhost.storage.errors import StorageError

log = observe.logger()

_AT_ONCE: Final = 8  # of all people together, in this process
_SECONDS: Final = LONGEST_SECONDS - 30
_MAX_ADDRESS: Final = 254
_MAX_MESSAGE: Final = 4_000
BUSY: Final = N_("The doctor has too many patients just now. Try again in a minute.")
TOO_LONG: Final = N_("The address or the message is too long.")


class Asked(Struct, forbid_unknown_fields=True):
    """What a program asks. `servers` are written as for `mailhost doctor client --server`."""

    address: str
    provider: str = "auto"
    protocols: tuple[Literal["imap", "pop", "smtp"], ...] = ("imap", "smtp")
    servers: tuple[str, ...] = ()
    message: str = ""
    language: Literal["en", "zh"] = "en"


class Busy(MailhostError):
    """There are as many diagnoses as may be at a time."""


class BadQuestion(MailhostError):
    """The question cannot be asked; the message says why."""


class Diagnoses:
    """Takes questions, and asks the doctor. `world` opens a view of the network for one diagnosis."""

    def __init__(
        self,
        database: Database,
        world: Callable[[], World],
        providers: Callable[[], Mapping[str, Provider]],
        clock: Clock,
    ) -> None:
        self._database = database
        self._world = world
        self.providers = providers
        self._clock = clock
        self._running: set[asyncio.Task[str]] = set()

    def start(self, account_id: int, number: int, question: Question) -> asyncio.Task[str]:
        """Go on with a question that `begin` took, whoever waits for it."""
        task = asyncio.create_task(self._diagnose(account_id, number, question))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def question(self, asked: Asked) -> Question:
        """Raises BadQuestion and what `diagnose` raises for a question that cannot be asked."""
        if len(asked.address) > _MAX_ADDRESS or len(asked.message) > _MAX_MESSAGE or len(asked.servers) > len(Protocol):
            raise BadQuestion(TOO_LONG)
        checked_domain(asked.address)
        if asked.provider != "auto":
            named(self.providers(), asked.provider)
        servers = []
        for text in asked.servers:
            name, _, server = text.partition("=")
            if name not in {each.value for each in Protocol}:
                raise BadSetting(f"{text!r} does not begin with imap=, pop= or smtp=.")
            servers.append(parse_target(Protocol(name), server))
        protocols = tuple(Protocol(name) for name in asked.protocols) or (Protocol.IMAP, Protocol.SMTP)
        return Question(asked.address.strip(), protocols, asked.provider, tuple(servers), asked.message)

    async def begin(self, account_id: int, question: Question) -> int:
        """Note the question, and give it a number. Raises Busy, DiagnosisRunning, TooManyDiagnoses."""
        if len(self._running) >= _AT_ONCE:
            raise Busy(BUSY)
        return await self._database.write(begin_diagnosis, account_id, question.address, int(self._clock()))

    async def _diagnose(self, account_id: int, number: int, question: Question) -> str:
        """Ask the doctor, keep the report in each language, and return it; "" when there is none."""
        doing = ""

        def progress(words: str) -> None:
            nonlocal doing
            doing = words

        async def tell() -> None:
            told = ""
            while True:
                if doing != told:
                    told = doing
                    await self._database.write_relaxed(note_progress, account_id, number, told)
                await asyncio.sleep(1)

        reports = ""
        world = await asyncio.to_thread(self._world)  # reading the system's authorities takes a tenth of a second
        telling = asyncio.create_task(tell())
        try:
            async with asyncio.timeout(_SECONDS):
                report = await diagnose(question, world, self.providers(), progress)
            reports = json.dumps({each.value: report.as_json(each) for each in Language}, ensure_ascii=False)
        except TimeoutError:
            pass
        except Exception:  # a mistake of ours; its asker is told that nothing came of it
            log.exception("session.crashed", protocol="doctor", connection=f"{account_id}/{number}")
        finally:
            telling.cancel()
            await asyncio.gather(telling, world.resolver.close(), return_exceptions=True)
        try:
            await self._database.write(end_diagnosis, account_id, number, reports, int(self._clock()))
        except StorageError:
            return ""
        return reports
