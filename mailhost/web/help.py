"""The pages that answers of IMAP, POP3 and SMTP point to: what is wrong, and the next step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Topic:
    """One page."""

    title: str
    paragraphs: tuple[str, ...]


_NOT_ALLOWED: Final = Topic(
    "This app password does not open this protocol",
    (
        "App passwords can be limited to IMAP, POP3 or sending. The one your mail program uses is not made for this.",
        "Ask the administrator of this server for another one, made for the protocol you need.",
    ),
)

TOPICS: Final[dict[str, Topic]] = {
    "app-passwords": Topic(
        "Your mail program needs an app password",
        (
            "The password you gave is right, but it is your account password, and that one is not for mail programs.",
            "An app password has 16 letters, shown in four groups; blanks between them do not matter.",
            "The administrator of this server makes one with: mailhost app-password add YOUR-ADDRESS --name DEVICE",
        ),
    ),
    "bad-credentials": Topic(
        "User name or password not accepted",
        (
            "The user name is your whole address, with the part behind the @.",
            "The password is an app password of 16 letters. It is shown once; if it is lost, have a new one made.",
            "A mail program that remembers an old password keeps trying it: remove it there, and type the new one.",
        ),
    ),
    "authentication": Topic(
        "Sending needs a sign-in",
        (
            "Your mail program tried to send without signing in.",
            "In its settings for outgoing mail, switch authentication on, with the same user name and app password as "
            "for incoming mail.",
        ),
    ),
    "ports": Topic(
        "Port 25 is not for mail programs",
        ("To send mail, use port 465 with SSL/TLS, or port 587 with STARTTLS, and sign in with your app password.",),
    ),
    "imap": _NOT_ALLOWED,
    "pop": _NOT_ALLOWED,
    "pop3": _NOT_ALLOWED,
    "smtp": _NOT_ALLOWED,
    "suspended": Topic(
        "The account is suspended",
        ("Its mail is kept, but nobody can sign in. The administrator of this server can open it again.",),
    ),
    "no-such-user": Topic(
        "There is no such address here",
        ("Check the part before the @ for a slip. The domain is right, but nobody has that name in it.",),
    ),
    "relay": Topic(
        "This server does not pass mail on",
        (
            "It takes mail from other servers for its own domains only.",
            "If you have an account here and want to send, use port 465 or 587 and sign in.",
        ),
    ),
    "size": Topic(
        "The message is too large",
        ("Send large files as a link instead, or in several messages. The server tells its limit at the beginning.",),
    ),
    "storage": Topic(
        "The account is full",
        ("Delete mail that is not needed any more, and empty the Trash, or ask the administrator for more room.",),
    ),
    "limits": Topic(
        "Too many messages in one day",
        ("The limit counts the last 24 hours, so it ends by itself. The administrator can raise it.",),
    ),
    "smarthost": Topic(
        "This server cannot send to other servers yet",
        (
            "It delivers between its own accounts. For mail to everybody else it needs a server that carries it.",
            "The administrator names that one in mailhost.toml, in the section [smarthost].",
        ),
    ),
}
