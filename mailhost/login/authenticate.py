"""The one door-keeper: every sign-in by IMAP, POP3 and SMTP is judged here and told to the diary.

A right app password costs one read by key. Everything else costs one slow check, of the account's own hash or of one
that nobody has, so that an unknown user and a wrong password differ neither in the answer nor in the time it takes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from mailhost.accounts.audit.model import NOBODY, Cause, SignIn
from mailhost.accounts.credentials import sql as credentials
from mailhost.accounts.model import Candidate, LastUse, Protocols
from mailhost.crypto import PasswordChecks, SecretKey, TooBusy, app_password_letters
from mailhost.domains import find_domain
from mailhost.login.diary import Diary
from mailhost.login.model import Clock, Identity, Limits, Protocol, Reason, Refused, Visit
from mailhost.login.names import implied_domain, network_of, read_user_name
from mailhost.login.throttle import Throttle
from mailhost.storage.database import Database, Tx
from mailhost.storage.errors import StorageError

PROTOCOL_BITS: Final[dict[Protocol, int]] = {
    "imap": Protocols.IMAP.value,
    "pop3": Protocols.POP3.value,
    "smtp": Protocols.SMTP.value,
}
"""As plain numbers: `&` of an IntFlag costs as much as half the look-up."""

REASONS: Final[dict[Cause, Reason]] = {
    Cause.UNKNOWN_USER: Reason.WRONG_CREDENTIALS,
    Cause.WRONG_PASSWORD: Reason.WRONG_CREDENTIALS,
    Cause.WRONG_APP_PASSWORD: Reason.WRONG_CREDENTIALS,
    Cause.REVOKED_APP_PASSWORD: Reason.WRONG_CREDENTIALS,
    Cause.APP_PASSWORD_OF_ANOTHER: Reason.WRONG_CREDENTIALS,
    Cause.ACCOUNT_PASSWORD_USED: Reason.APP_PASSWORD_REQUIRED,
    Cause.PROTOCOL_NOT_ALLOWED: Reason.PROTOCOL_NOT_ALLOWED,
    Cause.SUSPENDED: Reason.ACCOUNT_SUSPENDED,
    Cause.TOO_MANY_CONNECTIONS: Reason.TOO_MANY_CONNECTIONS,
    Cause.THROTTLED: Reason.THROTTLED,
    Cause.TOO_BUSY: Reason.TEMPORARY,
}
"""What the diary knows, as much of it as the wire may tell."""

APP_PASSWORD: Final = "app-password"  # noqa: S105 - the purpose of a digest
_WRONG_SECRET: Final = "wrong-secret"  # noqa: S105 - likewise
_MARK_OCTETS: Final = 8
_SHOWN_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class _Wrong:
    """What was offered and is no live app password of the account at this address."""

    address: str
    has_domain: bool
    secret: str = field(repr=False)
    digest: bytes


class DoorKeeper:
    """Judges sign-ins. `run` writes the diary until `close`, which the app awaits when it drains."""

    def __init__(self, database: Database, key: SecretKey, limits: Limits, clock: Clock) -> None:
        self._database = database
        self._key = key
        self._clock = clock
        self._checks = PasswordChecks(limits.checks_at_once, limits.checks_waiting)
        self._throttle = Throttle(limits)
        self._diary = Diary(database, limits, clock)

    async def run(self) -> None:
        """Write the diary until `close`."""
        await self._diary.run()

    async def close(self) -> None:
        """Write what the diary still holds, and let `run` end."""
        await self._diary.close()
        self._checks.close()

    async def authenticate(
        self, user: str, secret: str, visit: Visit, enter: Callable[[int], bool] | None = None
    ) -> Identity:
        """Who this is. `enter` counts the session into its account, unless that has its most. Raises Refused."""
        name = read_user_name(user)
        letters = app_password_letters(secret)
        digest = self._key.digest(APP_PASSWORD, letters.encode()) if letters else b""
        try:
            address, found = await self._database.point(look_up, name, visit.server_name, digest)
            if found is None or found.credential_id is None or found.is_revoked:
                has_domain = name is not None and name[1] is not None
                raise await self._refusal(_Wrong(address, has_domain, letters or secret, digest), found, visit)
        except StorageError as error:
            raise Refused(Reason.TEMPORARY) from error
        now = self._clock()
        if not found.is_live:
            raise self._refused(Cause.SUSPENDED, found, "", visit, now)
        if not found.protocols & PROTOCOL_BITS[visit.protocol]:
            raise self._refused(Cause.PROTOCOL_NOT_ALLOWED, found, "", visit, now)
        if enter is not None and not enter(found.account_id):
            raise self._refused(Cause.TOO_MANY_CONNECTIONS, found, "", visit, now)
        self._throttle.welcome(found.address, network_of(visit.peer), now)
        self._diary.note(_sign_in(Cause.SIGNED_IN, found, "", visit), visit.connection_id, now)
        use = LastUse(int(now), visit.peer, visit.protocol)
        self._diary.note_use(found.account_id, found.credential_id, use)
        return Identity(found.account_id, found.address, found.credential_id, visit.protocol)

    async def _refusal(self, wrong: _Wrong, found: Candidate | None, visit: Visit) -> Refused:
        """The refusal of what is no app password of this account: one slow check, unless it has to wait."""
        mark = self._key.digest(_WRONG_SECRET, f"{wrong.address}\0{wrong.secret}".encode("utf-8", "surrogatepass"))
        until = self._throttle.admit(wrong.address, network_of(visit.peer), mark[:_MARK_OCTETS], self._clock())
        if until is not None:
            cause = Cause.THROTTLED
        else:
            try:
                is_password = await self._checks.verify(found.password_hash if found else None, wrong.secret)
            except TooBusy:
                cause = Cause.TOO_BUSY
            else:
                cause = await self._database.point(_cause_of_wrong, wrong, found, is_password)
        asked_for = await self._database.point(_asked_for, wrong) if found is None else ""
        return self._refused(cause, found, asked_for, visit, self._clock(), until)

    def _refused(
        self,
        cause: Cause,
        found: Candidate | None,
        asked_for: str,
        visit: Visit,
        now: float,
        until: float | None = None,
    ) -> Refused:
        self._diary.note(_sign_in(cause, found, asked_for, visit), visit.connection_id, now)
        return Refused(REASONS[cause], until)


def look_up(
    tx: Tx, name: tuple[str, str | None] | None, server_name: str | None, digest: bytes
) -> tuple[str, Candidate | None]:
    """The address that a user name means, and what it and the secret's digest find there."""
    if name is None:
        return "", None
    local_part, domain = name
    address = f"{local_part}@{domain or implied_domain(tx, server_name) or ''}"
    return address, credentials.find_candidate(tx, address, digest)


def still_valid(tx: Tx, identity: Identity) -> bool:
    """Whether a live session may go on; asked when the topic `accounts.sql.topic(account_id)` wakes."""
    return credentials.still_valid(tx, identity.account_id, identity.credential_id, PROTOCOL_BITS[identity.protocol])


def _cause_of_wrong(tx: Tx, wrong: _Wrong, found: Candidate | None, is_password: bool) -> Cause:
    """What was wrong, in the diary's words."""
    if found is not None and is_password:
        return Cause.ACCOUNT_PASSWORD_USED if found.is_live else Cause.SUSPENDED
    if found is not None and found.is_revoked:
        return Cause.REVOKED_APP_PASSWORD
    if wrong.digest and credentials.is_app_password_of_another(tx, wrong.digest):
        return Cause.APP_PASSWORD_OF_ANOTHER
    if found is None:
        return Cause.UNKNOWN_USER
    return Cause.WRONG_APP_PASSWORD if wrong.digest else Cause.WRONG_PASSWORD


def _asked_for(tx: Tx, wrong: _Wrong) -> str:
    """An unknown address for the administrator's eyes: only a whole one of our own domains, as people type passwords
    into the field of the user name too."""
    domain = wrong.address.rpartition("@")[2]
    return wrong.address if wrong.has_domain and find_domain(tx, domain) is not None else ""


def _sign_in(cause: Cause, found: Candidate | None, asked_for: str, visit: Visit) -> SignIn:
    return SignIn(
        found.account_id if found is not None else NOBODY,
        cause,
        asked_for,
        visit.protocol,
        visit.port,
        visit.peer,
        network_of(visit.peer),
        visit.tls_version,
        visit.mechanism,
        _printable(visit.client_id),
        found.credential_id if found is not None else None,
    )


@lru_cache(maxsize=1_024)
def _printable(text: str) -> str:
    """What a client says of itself, safe to store and to show."""
    return "".join(character if character.isprintable() else "?" for character in text[:_SHOWN_LENGTH])
