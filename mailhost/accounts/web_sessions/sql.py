"""Browsers that are signed in, as rows: found by a keyed digest of the token that each holds."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from mailhost.accounts.model import Account, AccountState
from mailhost.errors import MailhostError
from mailhost.storage.database import Row, Tx
from mailhost.storage.sql import take_id

HALF_SECONDS: Final = 600
"""How long a right password waits for its second step."""
IDLE_SECONDS: Final = 86_400
WHOLE_SECONDS: Final = 14 * 86_400
MOST_SESSIONS: Final = 20
"""Of one account; the one that was idle longest makes room."""
_COLUMNS: Final = "id, stage, opened_at, seen_at, proved_at, ends_at, peer, client"


class Stage(Enum):
    """How far the person in front of a browser has come."""

    PASSWORD = "password"  # noqa: S105 - a stage
    """The account password was right, and the second step is awaited: nothing is open yet."""
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class WebSession:
    """One browser; times are Unix seconds. `proved_at`: when its person last proved who they are."""

    id: int
    stage: Stage
    opened_at: int
    seen_at: int
    proved_at: int
    ends_at: int
    peer: str
    client: str


@dataclass(frozen=True, slots=True)
class Guest:
    """A browser's session with what every page wants to know of its account. `language` is empty unless chosen."""

    account: Account
    session: WebSession
    has_two_step: bool
    language: str


class NoSuchWebSession(MailhostError):
    """The account has no session of this number."""


def open_session(
    tx: Tx, account_id: int, digest: bytes, *, stage: Stage, peer: str, client: str, now: int
) -> WebSession:
    """Note that a browser gave the right password."""
    tx.execute(
        "delete from web_session where account_id = :account_id and (ends_at <= :now or seen_at <= :idle)",
        account_id=account_id,
        now=now,
        idle=now - IDLE_SECONDS,
    )
    tx.execute(
        """delete from web_session where account_id = :account_id and id in (
            select id from web_session where account_id = :account_id
            order by seen_at desc, id desc limit 100 offset :keep)""",
        account_id=account_id,
        keep=MOST_SESSIONS - 1,
    )
    made = WebSession(take_id(tx, "web_session"), stage, now, now, now, _end(stage, now), peer, client)
    tx.execute(
        """insert into web_session
            (account_id, id, digest, stage, opened_at, seen_at, proved_at, ends_at, peer, client)
        values (:account_id, :id, :digest, :stage, :now, :now, :now, :ends_at, :peer, :client)""",
        account_id=account_id,
        id=made.id,
        digest=digest,
        stage=stage.value,
        now=now,
        ends_at=made.ends_at,
        peer=peer,
        client=client,
    )
    return made


def prove(tx: Tx, account_id: int, session_id: int, digest: bytes, now: int) -> None:
    """The person has proved who they are: the session is open, under another token. Raises NoSuchWebSession."""
    rows = tx.execute(
        """update web_session set digest = :digest, stage = 'open', seen_at = :now, proved_at = :now, challenge = null,
            ends_at = case when stage = 'open' then ends_at else :ends_at end
        where account_id = :account_id and id = :id returning id""",
        account_id=account_id,
        id=session_id,
        digest=digest,
        now=now,
        ends_at=_end(Stage.OPEN, now),
    )
    if not rows:
        raise NoSuchWebSession


def _end(stage: Stage, now: int) -> int:
    return now + (WHOLE_SECONDS if stage is Stage.OPEN else HALF_SECONDS)


def find_guest(tx: Tx, digest: bytes, now: int) -> Guest | None:
    """Whose browser holds this token; None when the session is over or the account is not live."""
    rows = tx.execute(
        """select account.id, account.domain_id, account.address, account.display_name, account.created_at,
            account.two_step_since, account.language, web_session.id, stage, opened_at, seen_at, proved_at, ends_at,
            peer, client
        from web_session join account on account.id = web_session.account_id
        where digest = :digest and account.state = 'live' and ends_at > :now and seen_at > :idle""",
        digest=digest,
        now=now,
        idle=now - IDLE_SECONDS,
    )
    if not rows:
        return None
    account_id, domain_id, address, name, created_at, two_step, language, *session = rows[0]
    account = Account(account_id, domain_id, address, name, AccountState.LIVE, created_at)
    return Guest(account, _session(tuple(session)), two_step is not None, language)


def touch(tx: Tx, account_id: int, session_id: int, *, peer: str, client: str, now: int) -> None:
    """The browser was seen."""
    tx.execute(
        """update web_session set seen_at = :now, peer = :peer, client = :client
        where account_id = :account_id and id = :id and seen_at < :now""",
        account_id=account_id,
        id=session_id,
        peer=peer,
        client=client,
        now=now,
    )


def list_web_sessions(tx: Tx, account_id: int, now: int) -> list[WebSession]:
    """The browsers that are signed in to an account, the one seen last first."""
    rows = tx.execute(
        f"""select {_COLUMNS} from web_session
        where account_id = :account_id and stage = 'open' and ends_at > :now and seen_at > :idle
        order by seen_at desc, id desc""",
        account_id=account_id,
        now=now,
        idle=now - IDLE_SECONDS,
    )
    return [_session(row) for row in rows]


def end_web_session(tx: Tx, account_id: int, session_id: int) -> None:
    """Sign one browser out. Raises NoSuchWebSession."""
    rows = tx.execute(
        "delete from web_session where account_id = :account_id and id = :id returning id",
        account_id=account_id,
        id=session_id,
    )
    if not rows:
        raise NoSuchWebSession


def end_web_sessions(tx: Tx, account_id: int, *, but: int = 0) -> int:
    """Sign every browser out, but for one. Returns how many that were."""
    rows = tx.execute(
        "delete from web_session where account_id = :account_id and id <> :but returning id",
        account_id=account_id,
        but=but,
    )
    return len(rows)


def set_challenge(tx: Tx, account_id: int, session_id: int, challenge: bytes) -> None:
    """What a passkey has to sign next in this session."""
    tx.execute(
        "update web_session set challenge = :challenge where account_id = :account_id and id = :id",
        account_id=account_id,
        id=session_id,
        challenge=challenge,
    )


def take_challenge(tx: Tx, account_id: int, session_id: int) -> bytes | None:
    """What a passkey was to sign; from now on nothing, so that no answer works twice."""
    rows = tx.execute(
        "select challenge from web_session where account_id = :account_id and id = :id",
        account_id=account_id,
        id=session_id,
    )
    tx.execute(
        "update web_session set challenge = null where account_id = :account_id and id = :id",
        account_id=account_id,
        id=session_id,
    )
    return bytes(rows[0][0]) if rows and rows[0][0] is not None else None


def forget_ended(tx: Tx, now: int) -> None:
    """Remove the rows of sessions that are over."""
    tx.execute("delete from web_session where ends_at <= :now", now=now)


def choose_language(tx: Tx, account_id: int, language: str) -> None:
    """The language of an account's pages; empty for the browser's."""
    tx.execute(
        "update account set language = :language where id = :account_id", account_id=account_id, language=language
    )


def _session(row: Row) -> WebSession:
    session_id, stage, *rest = row
    return WebSession(session_id, Stage(stage), *rest)
