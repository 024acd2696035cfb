"""`doctor watch`: the next sign-in, explained while it happens, out of the diary that the server keeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from mailhost.accounts.audit.model import LET_IN, NOBODY, Cause, Occurrence, SignIn
from mailhost.accounts.audit.sql import list_doorstep_of, list_sign_ins, list_unknown_names
from mailhost.doctor.catalogue import found
from mailhost.findings import Finding
from mailhost.login.model import Clock
from mailhost.storage.database import Database, Tx

POLL_SECONDS: Final = 0.5
_NEWEST: Final = 50  # rows that are looked at each time; more than a person can cause in half a second
_OTHERWISE: Final = "E1"  # a refusal that no row here names is about the name or the password
_LEAVES: Final[dict[Cause, str]] = {
    Cause.UNKNOWN_DOMAIN: "A4",
    Cause.TOO_MANY_FROM_ADDRESS: "B5",
    Cause.SERVER_FULL: "B5",
    Cause.PROXY_UNREADABLE: "B5",
    Cause.TLS_ON_PLAIN_PORT: "C1",
    Cause.PLAIN_ON_TLS_PORT: "C2",
    Cause.SILENT_ON_TLS_PORT: "C2",
    Cause.WRONG_PROTOCOL: "C3",
    Cause.SENDING_ON_WRONG_PORT: "C4",
    Cause.TLS_TOO_OLD: "D6",
    Cause.TLS_NOTHING_IN_COMMON: "D7",
    Cause.CERTIFICATE_DISTRUSTED: "D9",
    Cause.TLS_UNFINISHED: "D10",
    Cause.TLS_BROKEN: "D10",
    Cause.ACCOUNT_PASSWORD_USED: "E2",
    Cause.TWO_STEP_MISSING: "E2",
    Cause.HELD: "E3",
    Cause.PROTOCOL_NOT_ALLOWED: "E6",
    Cause.SEND_ONLY: "E6",
    Cause.READ_ONLY: "E6",
    Cause.PROTOCOL_OFF: "E6",
    Cause.PROTOCOL_OFF_FOR_DOMAIN: "E6",
    Cause.TOKEN_EXPIRED: "E9",
    Cause.TOKEN_UNKNOWN: "E9",
    Cause.TOKEN_SCOPE: "E9",
    Cause.TOKEN_OF_ANOTHER: "E9",
    Cause.TOKEN_REVOKED: "E10",
    Cause.TOKEN_COPIED: "E10",
    Cause.PLAIN_TEXT_REFUSED: "E12",
    Cause.MECHANISM_UNKNOWN: "E13",
    Cause.SIGN_IN_MALFORMED: "E13",
    Cause.THROTTLED: "E14",
    Cause.THROTTLED_ACCOUNT: "E14",
    Cause.THROTTLED_NETWORK: "E14",
    Cause.TOO_BUSY: "E14",
    Cause.STORE_AWAY: "E14",
    Cause.SUSPENDED: "E15",
    Cause.ADDRESS_NOT_ALLOWED: "E15",
    Cause.TOO_MANY_CONNECTIONS: "F1",
    Cause.CONNECTION_GAVE_WAY: "F1",
    Cause.MAILDROP_IN_USE: "F1",
    Cause.OVER_DOWNLOAD: "F2",
    Cause.OVER_UPLOAD: "F2",
    Cause.OVER_COMMANDS: "F2",
    Cause.STORAGE_FULL: "F3",
}

_Row = tuple[SignIn, Occurrence]
_Key = tuple[SignIn, int, str]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One entry of the diary; `finding` is None when the sign-in was right."""

    sign_in: SignIn
    occurrence: Occurrence
    finding: Finding | None


class Watcher:
    """Looks into the diary again and again: at an account, at its networks' doorstep (what failed before a name was
    known), and at unknown names in its domain."""

    def __init__(self, database: Database, account_id: int, domain: str, clock: Clock) -> None:
        self._database = database
        self._account_id = account_id
        self._domain = domain
        self._clock = clock
        self._seen: set[_Key] = set()

    async def begin(self) -> None:
        """Take what is written by now for known."""
        self._seen = set(map(_key, await self._look()))

    async def attempts(self) -> AsyncGenerator[Attempt, None]:
        """What is written from then on, the oldest first, for ever."""
        while True:
            rows = await self._look()
            for row in sorted(rows, key=lambda row: row[1].at):
                if _key(row) not in self._seen:
                    yield explain(*row)
            self._seen = set(map(_key, rows))
            await asyncio.sleep(POLL_SECONDS)

    async def _look(self) -> list[_Row]:
        return await self._database.read(newest, self._account_id, self._domain, int(self._clock()))


def explain(sign_in: SignIn, occurrence: Occurrence) -> Attempt:
    """An entry, with its leaf."""
    if sign_in.cause in LET_IN:
        return Attempt(sign_in, occurrence, None)
    where = f"{sign_in.protocol.upper()} port {sign_in.port}, from {sign_in.peer}"
    how = ", ".join(each for each in (sign_in.mechanism, sign_in.tls_version or "no TLS", sign_in.client_id) if each)
    evidence = [
        f"user name: {sign_in.address}" if sign_in.account_id == NOBODY else "",
        f"the diary says: {sign_in.cause.value}",
        f"connection {occurrence.connection_id}: {how}",
        f"it asked for {occurrence.facts['host']}" if "host" in occurrence.facts else "",
    ]
    leaf = _LEAVES.get(sign_in.cause, _OTHERWISE)
    return Attempt(sign_in, occurrence, found(leaf, where, *(line for line in evidence if line)))


def newest(tx: Tx, account_id: int, domain: str, now: int) -> list[tuple[SignIn, Occurrence]]:
    """What the diary says of an account, its networks' doorstep, and, given its domain, unknown names there; in no
    order. Those names may be other people's: they are for operators."""
    return [
        *list_sign_ins(tx, account_id, at_most=_NEWEST),
        *list_doorstep_of(tx, account_id, now=now, at_most=_NEWEST),
        *(list_unknown_names(tx, domain, at_most=_NEWEST) if domain else ()),
    ]


def _key(row: _Row) -> _Key:
    return row[0], row[1].at, row[1].connection_id
