"""CAPA, STLS, USER, PASS and AUTH: everything before the maildrop is open; refusals in words known from Gmail."""

from contextlib import suppress
from dataclasses import replace
from typing import Final, assert_never

from mailhost.accounts.audit.model import Cause
from mailhost.delivery.maildrop import MaildropLocked, lock, snapshot, unlock
from mailhost.login.model import Reason, Refused
from mailhost.login.wire import over_limit, printable_mechanism, seconds_until
from mailhost.network.tls import TlsFailed
from mailhost.protocols.pop3.answers import challenge, err, listing, ok
from mailhost.protocols.pop3.commands import Auth, AuthResponse
from mailhost.protocols.sasl import (
    TOKEN_MECHANISMS,
    Cancelled,
    Challenge,
    Credentials,
    Exchange,
    Malformed,
    refused_token,
)
from mailhost.servers.pop3.session import Session
from mailhost.servers.serving import SessionOver, visit_of
from mailhost.storage.errors import StorageError

_NOT_PRIVATE: Final = "Use TLS first (STLS, or port 995): a password must not travel in plain text."
_RECENT: Final = "recent:"
"""Before a user name it asks Gmail to list what other programs have fetched already, as our maildrop always does."""


def announced(session: Session) -> tuple[str, ...]:
    """The mechanisms of AUTH. LOGIN is understood as well; only SMTP clients look for it."""
    return ("PLAIN", *TOKEN_MECHANISMS) if session.services.door_keeper.offers_tokens else ("PLAIN",)


def capabilities(session: Session) -> bytes:
    """CAPA (RFC 2449), as it stands at this moment."""
    lines = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "UTF8 USER", "EXPIRE NEVER"]
    if session.is_private:
        lines += ["USER", "SASL " + " ".join(announced(session))]
    if session.services.tls_context is not None and session.stream.tls is None:
        lines.append("STLS")
    return listing("Capability list follows", [*lines, "IMPLEMENTATION Mailhost"])


async def start_tls(session: Session) -> bytes:
    """STLS. The stream itself says OK, so that nothing sent before the handshake can be taken for encrypted."""
    context = session.services.tls_context
    if context is None or session.stream.tls is not None:
        return err("TLS is active already." if session.stream.tls else "STLS is not offered here.")
    await session.flush()
    try:
        await session.stream.start_tls(context(), ok("Begin TLS"))
    except TlsFailed as failure:
        raise SessionOver("tls-failed") from failure
    session.connection.tls_started()
    return b""


def user(session: Session) -> bytes:
    """USER: every name is welcome, so that none is given away."""
    return ok("send PASS") if session.is_private else not_private(session, "USER")


def not_private(session: Session, mechanism: str) -> bytes:
    """The refusal to take a password in plain text."""
    tell(session, Cause.PLAIN_TEXT_REFUSED, mechanism)
    return err(_NOT_PRIVATE)


def tell(session: Session, cause: Cause, mechanism: str = "", **facts: str) -> None:
    """The diary hears why nobody could sign in before anybody said who they are."""
    visit = visit_of(session.stream, "pop3", printable_mechanism(mechanism))
    session.services.door_keeper.tell(cause, visit, None, {**facts})


async def authenticate(session: Session, event: Auth) -> bytes:
    """AUTH (RFC 5034), with or without an initial response; alone it lists the mechanisms."""
    if event.mechanism is None:
        return listing("Mechanisms follow", announced(session) if session.is_private else ())
    if not session.is_private:
        return not_private(session, event.mechanism)
    if event.mechanism not in ("PLAIN", "LOGIN", *TOKEN_MECHANISMS):  # tokens are announced a little after the first
        tell(session, Cause.MECHANISM_UNKNOWN, event.mechanism)
        return err(f"AUTH knows {' '.join(announced(session))} here.")
    exchange = Exchange(event.mechanism)
    step = exchange.begin(event.initial)
    while isinstance(step, Challenge):
        line = await _ask(session, step)
        step = Malformed("Line too long") if line is None else exchange.respond(line)
    session.connection.auth_ended()
    match step:
        case Credentials():
            return await sign_in(session, step)
        case Cancelled():
            tell(session, Cause.SIGN_IN_MALFORMED, event.mechanism)
            return err("AUTH cancelled.")
        case Malformed(problem, is_for_another):
            tell(session, Cause.SIGN_IN_MALFORMED, event.mechanism)
            await session.count_mistake()
            return err(problem, "AUTH" if is_for_another else "")
        case _:
            assert_never(step)


async def _ask(session: Session, step: Challenge) -> bytes | None:
    """The client's line after a challenge; None when it is too long."""
    session.connection.auth_started()
    await session.say(challenge(step.text))
    response = await session.next_event()
    return response.line if isinstance(response, AuthResponse) else None


async def sign_in(session: Session, credentials: Credentials) -> bytes:
    """Ask the door-keeper, then lock the maildrop and look at it."""
    if not session.is_private:
        return not_private(session, credentials.mechanism)
    name = credentials.user.strip()
    if name[: len(_RECENT)].lower() == _RECENT:
        credentials = replace(credentials, user=name[len(_RECENT) :])
    stream, services = session.stream, session.services
    visit = visit_of(stream, "pop3", credentials.mechanism)
    try:
        live = await services.door_keeper.sign_in(credentials, visit, stream.interrupt)
    except Refused as refused:
        if refused.reason is Reason.BAD_TOKEN:
            await _ask(session, refused_token(credentials.mechanism))
            session.connection.auth_ended()
        await session.say(refusal(session, refused))
        await session.count_mistake()
        return b""
    identity = live.identity
    try:
        await services.database.write(lock, identity.account_id, stream.id, session.now())
        drop = await services.database.read(snapshot, identity.account_id)
    except MaildropLocked:
        services.door_keeper.live.leave(live)
        services.door_keeper.tell(Cause.MAILDROP_IN_USE, visit, identity)
        problem = "Unable to lock maildrop: another POP3 session has it open. Try again when it has ended."
        return err(problem, "IN-USE")
    except StorageError:
        services.door_keeper.live.leave(live)
        with suppress(StorageError):  # then the lease ends by itself
            await services.database.write_relaxed(unlock, identity.account_id, stream.id)
        raise
    session.opened(live, drop)
    live.recheck()  # the credential may have been revoked between the look and the watch
    session.connection.login_succeeded()
    return ok("Welcome.")


def refusal(session: Session, refused: Refused) -> bytes:
    """The words for each reason (RFC 3206 for the codes)."""
    help_url = session.settings.help_url
    match refused.reason:
        case Reason.WRONG_CREDENTIALS | Reason.BAD_TOKEN:
            return err("Username and password not accepted.", "AUTH")
        case Reason.APP_PASSWORD_REQUIRED:
            return err(f"Application-specific password required: {help_url}/app-passwords", "AUTH")
        case Reason.PROTOCOL_NOT_ALLOWED:
            text = f"Please visit {help_url}/pop3 and enable your account for POP access."
            return err(f"Your account is not enabled for POP access. {text}", "SYS/PERM")
        case Reason.PROTOCOL_OFF:
            text = "Please contact your domain administrator for questions about this feature."
            return err(f"POP access is disabled for your domain. {text}", "SYS/PERM")
        case Reason.WEB_SIGN_IN_REQUIRED:
            return err(f"Web login required: {session.settings.unusual_url}", "AUTH")
        case Reason.ACCOUNT_SUSPENDED:
            return err(f"The account is suspended: {help_url}/suspended", "SYS/PERM")
        case Reason.THROTTLED:
            wait = seconds_until(refused.until, session.services.clock())
            return err(f"Too many wrong passwords. Try again in {wait} seconds.", "SYS/TEMP")
        case Reason.OVER_LIMIT:
            return err(f"Account exceeded pop command or bandwidth limits: {over_limit(refused)} (Failure)", "AUTH")
        case Reason.TEMPORARY | Reason.TOO_MANY_CONNECTIONS:
            return err("Temporary system problem. Please try again later.", "SYS/TEMP")
        case _:
            assert_never(refused.reason)
