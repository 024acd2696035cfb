"""The words for everything that can keep a message out: one table from what happened to code, status and text.

The sentences follow Gmail's, whose codes every sending program knows; the links lead to our own help.
"""

from typing import Final, assert_never

from mailhost.delivery.model import (
    MAX_HOPS,
    DailyLimitReached,
    HeaderTooLarge,
    MailLoop,
    NoSuchUser,
    NotOurs,
    NoWayOut,
    RecipientFull,
    RecipientSuspended,
    RecipientTooSmall,
    SenderNotYours,
)
from mailhost.errors import MailhostError
from mailhost.login.model import Reason, Refused
from mailhost.login.wire import over_limit, seconds_until
from mailhost.mailstore import MessageTooLarge, NeverFits, NulInMessage, OverQuota
from mailhost.protocols.smtp.events import Defect
from mailhost.protocols.smtp.replies import reply
from mailhost.storage.errors import StorageFull

Answer = tuple[int, str, str]
"""Code, enhanced status, text; `{help}` stands for the address of our help, other names for the error's own fields."""

TEMPORARY: Final[Answer] = (451, "4.3.0", "Temporary System Problem. Try again later.")
BARE_NEWLINE: Final[Answer] = (
    550,
    "5.6.11",
    "The message holds a bare CR or LF; its lines must end with CR LF and nothing else (RFC 5321 section 2.3.8).",
)
NUL: Final[Answer] = (554, "5.6.0", "The message holds a NUL octet; binary content must be encoded as base64.")
TOO_LARGE: Final[Answer] = (552, "5.3.4", "Your message exceeds the size limit of this server. See {help}/size")

ANSWERS: Final[dict[type[MailhostError], Answer]] = {
    NotOurs: (550, "5.7.1", "Relay denied: this server does not receive mail for that domain. See {help}/relay"),
    NoSuchUser: (
        550,
        "5.1.1",
        "The email account that you tried to reach does not exist. Please try\n"
        "double-checking the recipient's email address for typos or\n"
        "unnecessary spaces. For more information, go to\n"
        "{help}/no-such-user",
    ),
    RecipientSuspended: (550, "5.2.1", "The email account that you tried to reach is disabled."),
    RecipientFull: (
        452,
        "4.2.2",
        "The recipient's inbox is out of storage space. Please direct the recipient to\n{help}/storage",
    ),
    RecipientTooSmall: (
        552,
        "5.2.2",
        "The message is larger than all the room its recipient has. Please send a smaller one: {help}/storage",
    ),
    MailLoop: (554, "5.4.6", f"Message exceeded {MAX_HOPS} hops, this may indicate a mail loop."),
    HeaderTooLarge: (552, "5.3.4", "The header of your message exceeds the size limit of this server."),
    MessageTooLarge: TOO_LARGE,
    NulInMessage: NUL,
    SenderNotYours: (
        550,
        "5.7.1",
        "You are signed in as {owner} and cannot send as {address}.\n"
        "Set the From address of your mail program to {owner}",
    ),
    NoWayOut: (
        550,
        "5.7.1",
        "This server has no way to send mail to other servers yet.\n"
        "Its administrator can set a smarthost: {help}/smarthost",
    ),
    DailyLimitReached: (
        550,
        "5.4.5",
        "Daily user sending limit exceeded: {limit} messages in 24 hours. See {help}/limits",
    ),
    OverQuota: (
        452,
        "4.2.2",
        "Your account is out of storage space, so no copy can be kept in Sent. See {help}/storage",
    ),
    NeverFits: (
        552,
        "5.2.2",
        "The message is larger than all the room your account has, so no copy can be kept in Sent. See {help}/storage",
    ),
    StorageFull: (452, "4.3.1", "The server is out of storage space. Try again later."),
}

_DEFECTS: Final[dict[Defect, Answer]] = {
    Defect.BARE_NEWLINE: BARE_NEWLINE,
    Defect.NUL: NUL,
    Defect.TOO_LARGE: TOO_LARGE,
}


def answer_for(error: MailhostError, help_url: str) -> bytes:
    """The reply to what a model raised; what has no words of its own is a temporary problem of ours."""
    code, status, text = ANSWERS.get(type(error), TEMPORARY)
    fields = {name: getattr(error, name) for name in ("address", "owner", "limit") if hasattr(error, name)}
    return reply(code, text.format(help=help_url, **fields), status)


def defect_answer(defect: Defect, help_url: str) -> bytes:
    """The reply to a message that came whole and is not as messages must be."""
    code, status, text = _DEFECTS[defect]
    return reply(code, text.format(help=help_url), status)


def is_permanent(error: MailhostError) -> bool:
    """Whether the sender need not come again."""
    return ANSWERS.get(type(error), TEMPORARY)[0] >= 500


def quotable(refusal: bytes, connection: str) -> bytes:
    """A refusal that ends in the name of the connection, as Gmail has it: programs show it, and users can quote it."""
    return refusal.removesuffix(b"\r\n") + f" {connection}\r\n".encode()


def sign_in_refusal(refused: Refused, help_url: str, unusual_url: str, now: float) -> bytes:
    """The reply to a sign-in that was not accepted."""
    match refused.reason:
        case Reason.WRONG_CREDENTIALS | Reason.BAD_TOKEN:
            text = f"Username and Password not accepted. For more information, go to\n{help_url}/bad-credentials"
            return reply(535, text, "5.7.8")
        case Reason.APP_PASSWORD_REQUIRED:
            text = f"Application-specific password required. For more information, go to\n{help_url}/app-passwords"
            return reply(534, text, "5.7.9")
        case Reason.PROTOCOL_NOT_ALLOWED:
            text = f"Your account is not enabled for sending with this password. Please visit\n{help_url}/smtp"
            return reply(535, text, "5.7.8")
        case Reason.PROTOCOL_OFF:
            text = "Sending is disabled for your domain. Please contact your domain administrator."
            return reply(535, text, "5.7.8")
        case Reason.WEB_SIGN_IN_REQUIRED:
            text = f"<{unusual_url}>\nPlease log in via your web browser and then try again.\nLearn more at"
            return reply(534, f"{text}\n{help_url}/unusual", "5.7.14")
        case Reason.ACCOUNT_SUSPENDED:
            return reply(535, f"The account is suspended. For more information, go to\n{help_url}/suspended", "5.7.8")
        case Reason.THROTTLED:
            wait = seconds_until(refused.until, now)
            return reply(454, f"Too many login attempts, please try again in {wait} seconds.", "4.7.0")
        case Reason.OVER_LIMIT:
            return reply(454, f"Account exceeded command or bandwidth limits: {over_limit(refused)}", "4.7.0")
        case Reason.TEMPORARY | Reason.TOO_MANY_CONNECTIONS:
            return reply(454, "Cannot authenticate due to a temporary system problem. Try again later.", "4.7.0")
        case _:
            assert_never(refused.reason)
