"""STARTTLS, LOGIN, AUTHENTICATE and UNAUTHENTICATE (RFC 9051 §6.2, RFC 8437); Gmail's words for refusals."""

from typing import assert_never

from mailhost.accounts.audit.model import Cause
from mailhost.errors import MailhostError
from mailhost.login.model import Reason, Refused
from mailhost.login.wire import OVER_LIMITS, over_limit, printable_mechanism, seconds_until
from mailhost.mailstore.layout import settings_shown
from mailhost.network.tls import TlsFailed
from mailhost.protocols.imap import responses
from mailhost.protocols.imap.commands import Authenticate, Login, StartTls, Unauthenticate
from mailhost.protocols.imap.events import Hangup, SaslResponse
from mailhost.protocols.sasl import (
    TOKEN_MECHANISMS,
    Cancelled,
    Challenge,
    Credentials,
    Exchange,
    Malformed,
    refused_token,
)
from mailhost.servers.imap.answers import Answer
from mailhost.servers.imap.capability import capabilities, may_sign_in, mechanisms
from mailhost.servers.imap.session import Session
from mailhost.servers.serving import SessionOver, visit_of

_NOT_PRIVATE = Answer("NO", "PRIVACYREQUIRED", "Use TLS first: a password must not travel in plain text.")


async def start_tls(session: Session, command: StartTls) -> Answer | None:
    """STARTTLS. The stream itself says OK, so that nothing sent before the handshake can be taken for encrypted."""
    context = session.services.tls_context
    if session.compresses:
        session.connection.tls_refused()
        return Answer("BAD", None, "TLS cannot start inside of COMPRESS.")
    if context is None or session.stream.tls is not None:
        session.connection.tls_refused()
        return Answer("BAD", None, "TLS is active already." if session.stream.tls else "STARTTLS is not offered here.")
    await session.flush()
    try:
        await session.stream.start_tls(context(), responses.tagged(command.tag, "OK", "Begin TLS now."))
    except TlsFailed as failure:
        raise SessionOver("tls-failed") from failure
    session.connection.tls_started()
    return None


async def log_in(session: Session, command: Login) -> Answer:
    """LOGIN."""
    if not may_sign_in(session):
        return _not_private(session, "LOGIN")
    user, password = (octets.decode("utf-8", "replace") for octets in (command.user, command.password))
    return await _sign_in(session, Credentials("LOGIN", user, password))


async def authenticate(session: Session, command: Authenticate) -> Answer:
    """AUTHENTICATE, with or without an initial response."""
    known = mechanisms(session)
    if command.mechanism not in (*known, *TOKEN_MECHANISMS):  # those are announced a little after the first token
        tell(session, Cause.MECHANISM_UNKNOWN, command.mechanism)
        return Answer("NO", "CANNOT", f"AUTHENTICATE knows {' '.join(known)} here.")
    if not may_sign_in(session):
        return _not_private(session, command.mechanism)
    exchange = Exchange(command.mechanism)
    step = exchange.begin(command.initial)
    while isinstance(step, Challenge):
        step = exchange.respond(await _ask(session, step))
    match step:
        case Credentials():
            return await _sign_in(session, step)
        case Cancelled():
            tell(session, Cause.SIGN_IN_MALFORMED, command.mechanism)
            return Answer("BAD", None, "AUTHENTICATE cancelled.")
        case Malformed(problem, is_for_another):
            tell(session, Cause.SIGN_IN_MALFORMED, command.mechanism)
            return Answer("NO", "AUTHORIZATIONFAILED", problem) if is_for_another else Answer("BAD", None, problem)
        case _:
            assert_never(step)


async def _ask(session: Session, step: Challenge) -> bytes:
    """The client's line after a challenge. Raises SessionOver."""
    await session.say(responses.continuation(step.text))
    session.connection.expect_response()
    event = await session.next_event()
    if isinstance(event, Hangup):
        raise await session.bye(event.text, "bad-input")
    assert isinstance(event, SaslResponse)
    return event.line


async def sign_out(session: Session, command: Unauthenticate) -> Answer | None:
    """UNAUTHENTICATE: the connection is as it was before signing in; TLS and the client's ID stay.

    The client compresses nothing behind its command, and the OK is the last that is compressed for it.
    """
    session.forget_identity()
    session.connection.signed_out()
    answer = Answer("OK", f"CAPABILITY {capabilities(session)}", "Nobody is signed in now.")
    if not session.compresses:
        return answer
    await session.say(responses.tagged(command.tag, answer.status, answer.text, answer.code))
    await session.flush()
    session.stop_compression()
    return None


def _not_private(session: Session, mechanism: str) -> Answer:
    tell(session, Cause.PLAIN_TEXT_REFUSED, mechanism)
    return _NOT_PRIVATE


def tell(session: Session, cause: Cause, mechanism: str = "", **facts: str) -> None:
    """The diary hears why nobody could sign in before anybody said who they are."""
    visit = visit_of(session.stream, "imap", printable_mechanism(mechanism), session.client_id)
    session.services.door_keeper.tell(cause, visit, None, {**facts})


async def _sign_in(session: Session, credentials: Credentials) -> Answer:
    visit = visit_of(session.stream, "imap", credentials.mechanism, session.client_id)
    keeper = session.services.door_keeper
    try:
        live = await keeper.sign_in(credentials, visit, session.stream.interrupt)
    except Refused as refused:
        if refused.reason is Reason.BAD_TOKEN:
            await _ask(session, refused_token(credentials.mechanism))
        if refused.reason is Reason.WEB_SIGN_IN_REQUIRED:
            where = f"WEBALERT {session.services.settings.unusual_url}"
            await session.say(responses.untagged("NO", "Web login required.", where))
        return _refusal(session, refused)
    session.live = live
    identity = live.identity
    try:
        session.labels = await session.services.database.point(settings_shown, identity.account_id)
    except MailhostError:
        session.forget_identity()
        raise
    session.connection.login_succeeded(gmail=session.labels is not None)
    live.recheck()  # the credential may have been revoked between the look and the watch
    return Answer("OK", f"CAPABILITY {capabilities(session)}", f"{identity.address} authenticated (Success)")


def _refusal(session: Session, refused: Refused) -> Answer:
    """The words for each reason: Gmail's, with links to our own help."""
    help_url = session.services.settings.help_url
    match refused.reason:
        case Reason.WRONG_CREDENTIALS | Reason.BAD_TOKEN:
            return Answer("NO", "AUTHENTICATIONFAILED", "Invalid credentials (Failure)")
        case Reason.APP_PASSWORD_REQUIRED:
            text = f"Application-specific password required: {help_url}/app-passwords (Failure)"
            return Answer("NO", "ALERT", text)
        case Reason.PROTOCOL_NOT_ALLOWED:
            text = f"Please visit {help_url}/imap and enable your account for IMAP access. (Failure)"
            return Answer("NO", "ALERT", f"Your account is not enabled for IMAP use. {text}")
        case Reason.PROTOCOL_OFF:
            text = "Please contact your domain administrator for questions about this feature. (Failure)"
            return Answer("NO", "ALERT", f"IMAP access is disabled for your domain. {text}")
        case Reason.WEB_SIGN_IN_REQUIRED:
            text = f"Please log in via your web browser: {session.services.settings.unusual_url} (Failure)"
            return Answer("NO", "ALERT", text)
        case Reason.ACCOUNT_SUSPENDED:
            return Answer("NO", "ALERT", f"The account is suspended: {help_url}/suspended (Failure)")
        case Reason.TOO_MANY_CONNECTIONS:
            most = f"{refused.limit} at a time are the most; close one and try again."
            return Answer("NO", "ALERT", f"Too many simultaneous connections. {most} (Failure)")
        case Reason.THROTTLED:
            wait = seconds_until(refused.until, session.services.clock())
            return Answer("NO", "ALERT", f"Too many wrong passwords. Try again in {wait} seconds. (Failure)")
        case Reason.OVER_LIMIT:
            return Answer("NO", "OVERQUOTA", f"{OVER_LIMITS}: {over_limit(refused)} (Failure)")
        case Reason.TEMPORARY:
            return Answer("NO", "UNAVAILABLE", "Temporary System Problem (Failure)")
        case _:
            assert_never(refused.reason)
