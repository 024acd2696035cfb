"""The one door-keeper: every sign-in by IMAP, POP3 and SMTP is judged here and told to the diary.

A right app password costs one read by key. Everything else costs one slow check, of the account's own hash or of one
that nobody has, so that an unknown user and a wrong password differ neither in the answer nor in the time it takes.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from mailhost.accounts.audit.model import DOORSTEP, NOBODY, Cause, Facts, SignIn
from mailhost.accounts.credentials import sql as credentials
from mailhost.accounts.model import Candidate, LastUse
from mailhost.crypto import PasswordChecks, SecretKey, TooBusy, app_password_letters
from mailhost.limits import rules_of
from mailhost.login import throttle
from mailhost.login.diary import Diary
from mailhost.login.judge import PROTOCOL_BITS, REASONS, Verdict, Wrong, asked_for, cause_of_wrong, why_closed, why_dead
from mailhost.login.model import Clock, Identity, Limits, Reason, Refused, Visit
from mailhost.login.names import implied_domain, network_of, read_user_name
from mailhost.storage.database import Database, Tx
from mailhost.storage.errors import StorageError

APP_PASSWORD: Final = "app-password"  # noqa: S105 - the purpose of a digest
_WRONG_SECRET: Final = "wrong-secret"  # noqa: S105 - likewise
_MARK_OCTETS: Final = 8
_SHOWN_LENGTH: Final = 200


class DoorKeeper:
    """Judges sign-ins. `run` writes the diary until `close`, which the app awaits when it drains."""

    def __init__(self, database: Database, key: SecretKey, limits: Limits, clock: Clock) -> None:
        self._database = database
        self._key = key
        self._limits = limits
        self._clock = clock
        self._checks = PasswordChecks(limits.checks_at_once, limits.checks_waiting)
        self._diary = Diary(database, limits, clock)

    async def run(self) -> None:
        """Write the diary until `close`."""
        await self._diary.run()

    async def close(self) -> None:
        """Write what the diary still holds, and let `run` end."""
        await self._diary.close()
        self._checks.close()

    def tell(self, cause: Cause, visit: Visit, identity: Identity | None = None, facts: Facts | None = None) -> None:
        """Note in the diary what a door has to say of a visit; without an identity it happened on the doorstep."""
        account_id = DOORSTEP if identity is None else identity.account_id
        credential_id = None if identity is None else identity.credential_id
        self._note(Verdict(cause, facts or {}), account_id, credential_id, "", visit, self._clock())

    def use_again(self, identity: Identity, visit: Visit) -> None:
        """Note that a credential is in use, by a program that told its name only after signing in."""
        self._diary.note_use(identity.account_id, identity.credential_id, _use(visit, self._clock()))

    async def authenticate(
        self, user: str, secret: str, visit: Visit, enter: Callable[[int], bool] | None = None
    ) -> Identity:
        """Who this is. `enter` counts the session into its account, unless that has its most. Raises Refused."""
        name = read_user_name(user)
        letters = app_password_letters(secret)
        digest = self._key.digest(APP_PASSWORD, letters.encode()) if letters else b""
        now = self._clock()
        try:
            address, candidate = await self._database.point(look_up, name, visit.server_name, digest)
            found = candidate.found if candidate is not None else None
            dead = why_dead(found, visit, now) if found is not None else None
            if candidate is None or found is None or dead is not None:
                has_domain = name is not None and name[1] is not None
                wrong = Wrong(address, has_domain, letters or secret, digest, dead)
                raise await self._refusal(wrong, candidate, visit)
        except StorageError as error:
            self._note(Verdict(Cause.STORE_AWAY), DOORSTEP, None, "", visit, now)
            raise Refused(Reason.TEMPORARY) from error
        rules = rules_of(candidate.rules, candidate.domain_rules, self._limits.rules)
        closed = why_closed(candidate, found, rules, visit.protocol)
        if closed is not None:
            raise self._refused(closed, candidate, "", visit, now)
        if enter is not None and not enter(candidate.account_id):
            raise self._refused(Verdict(Cause.TOO_MANY_CONNECTIONS), candidate, "", visit, now)
        self._note(_SIGNED_IN, candidate.account_id, found.id, "", visit, now)
        self._diary.note_use(candidate.account_id, found.id, _use(visit, now))
        return Identity(
            candidate.account_id, candidate.address, found.id, visit.protocol, read_only=found.read_only, rules=rules
        )

    async def _refusal(self, wrong: Wrong, candidate: Candidate | None, visit: Visit) -> Refused:
        """The refusal of what opens nothing: one slow check, unless it has to wait."""
        mark = self._key.digest(_WRONG_SECRET, f"{wrong.asked}\0{wrong.secret}".encode("utf-8", "surrogatepass"))
        account_id = candidate.account_id if candidate is not None else None
        attempt = throttle.Attempt(
            wrong.asked, account_id, network_of(visit.peer), mark[:_MARK_OCTETS], now=self._clock()
        )
        waiting = await self._database.point(throttle.must_wait, self._limits, attempt)
        until = None
        if waiting is not None:
            until = waiting.until
            cause = Cause.THROTTLED_NETWORK if waiting.for_network else Cause.THROTTLED
            verdict = Verdict(cause, {"until_at": int(until)})
        else:
            try:
                is_password = await self._checks.verify(candidate.password_hash if candidate else None, wrong.secret)
            except TooBusy:
                verdict = Verdict(Cause.TOO_BUSY)
            else:
                times = await self._database.write_relaxed(throttle.count, self._limits, attempt)
                verdict = await self._database.point(cause_of_wrong, wrong, candidate, is_password, times)
        asked = await self._database.point(asked_for, wrong) if candidate is None else ""
        return self._refused(verdict, candidate, asked, visit, self._clock(), until)

    def _refused(
        self,
        verdict: Verdict,
        candidate: Candidate | None,
        asked: str,
        visit: Visit,
        now: float,
        until: float | None = None,
    ) -> Refused:
        account_id = candidate.account_id if candidate is not None else verdict.account_id or NOBODY
        credential_id = candidate.found.id if candidate is not None and candidate.found is not None else None
        self._note(verdict, account_id, credential_id, asked, visit, now)
        return Refused(REASONS[verdict.cause], until)

    def _note(
        self, verdict: Verdict, account_id: int, credential_id: int | None, asked: str, visit: Visit, now: float
    ) -> None:
        sign_in = SignIn(
            account_id,
            verdict.cause,
            asked,
            visit.protocol,
            visit.port,
            visit.peer,
            network_of(visit.peer),
            visit.tls_version,
            visit.mechanism,
            printable(visit.client_id),
            credential_id,
        )
        self._diary.note(sign_in, visit.connection_id, now, verdict.facts)


_SIGNED_IN: Final = Verdict(Cause.SIGNED_IN)


def _use(visit: Visit, now: float) -> LastUse:
    client_id = printable(visit.client_id)
    return LastUse(int(now), visit.peer, visit.protocol, network_of(visit.peer), client_id, visit.tls_version)


def look_up(
    tx: Tx, name: tuple[str, str | None] | None, server_name: str | None, digest: bytes
) -> tuple[str, Candidate | None]:
    """The address that a user name means, and what it and the secret's digest find there."""
    if name is None:
        return "", None
    local_part, domain = name
    address = f"{local_part}@{domain or implied_domain(tx, server_name) or ''}"
    return address, credentials.find_candidate(tx, address, digest)


def still_valid(tx: Tx, identity: Identity, now: int) -> bool:
    """Whether a live session may go on; asked when the topic `accounts.sql.topic(account_id)` wakes."""
    bit = PROTOCOL_BITS[identity.protocol]
    return credentials.still_valid(tx, identity.account_id, identity.credential_id, bit, now)


@lru_cache(maxsize=1_024)
def printable(text: str) -> str:
    """What a client says of itself, safe to store and to show."""
    return "".join(character if character.isprintable() else "?" for character in text[:_SHOWN_LENGTH])
