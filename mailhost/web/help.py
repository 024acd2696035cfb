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
    "protocols": _NOT_ALLOWED,
    "two-step": Topic(
        "Two-step verification",
        (
            "App passwords come with two-step verification: the account password alone opens nothing.",
            "When it is switched off, every app password ends; mail programs need new ones once it is on again.",
        ),
    ),
    "web": Topic(
        "Signing in to the account pages",
        (
            "The account pages take your whole address and your account password, and then the second step: a code of "
            "your authenticator app, a passkey, or one of your backup codes.",
            "After several wrong passwords or codes the next ones have to wait; the page says until when.",
            "If the telephone with the codes is lost, use a backup code. If those are lost too, the administrator of "
            "this server makes new ones with: mailhost account reset-two-step YOUR-ADDRESS",
        ),
    ),
    "revoked": Topic(
        "This app password has ended",
        (
            "An app password ends when it is revoked or replaced, when it expires, when the account password changes, "
            "and when two-step verification is switched off. It never comes back.",
            "Make a new one for the device, type it there, and remove the old one from the program's memory.",
        ),
    ),
    "address-not-allowed": Topic(
        "This app password is not for use from there",
        (
            "It was made for certain networks, and was used from another one.",
            "If it was you, make an app password without this limit; if not, revoke it: somebody else has it.",
        ),
    ),
    "user-name": Topic(
        "The user name",
        (
            "It is the whole address, with the @ and what follows it, and without blanks.",
            "A short name works only where the name of the server tells which domain is meant.",
        ),
    ),
    "oauth": Topic(
        "Sign-in with a token",
        (
            "Some programs sign in with a token that you allowed them to fetch. It ends when you withdraw it, when the "
            "account password changes, or when the program does not renew it.",
            "Signing in again in the program makes a new one; it asks for what the program needs.",
        ),
    ),
    "protocol-off": Topic(
        "The protocol is switched off",
        (
            "The user name and the password were right, but this way of reading mail is switched off.",
            "The administrator of this server can switch it on for the account or for the domain.",
        ),
    ),
    "unusual": Topic(
        "An unusual sign-in",
        (
            "The password was right, but it was used from a place or in a way that is new for it.",
            "If it was held, its owner is asked; known devices go on working. Say yes, and the program gets in.",
            "If it was not you, revoke the app password and choose a new account password.",
        ),
    ),
    "connections": Topic(
        "Too many connections",
        (
            "Each mail program holds some connections, and several hold many. Beyond the limit the oldest idle one "
            "has to go; when all are at work, the new one must wait.",
            "In the program's settings allow fewer connections to the server, or close a program that is not needed.",
        ),
    ),
    "bandwidth": Topic(
        "Too much in one day",
        (
            "There is a limit to the octets that a program may move in a day, and to its commands in a minute. The "
            "answer and the diary of sign-ins say which one was reached and when it ends.",
            "A program that fetches everything each time is often the reason. The administrator can raise the limit.",
        ),
    ),
    "in-use": Topic(
        "Another program has the mailbox open",
        ("Only one program at a time can use POP3. Wait for the other one, or use IMAP in all of them.",),
    ),
    "throttled": Topic(
        "Too many wrong passwords",
        (
            "After several different wrong passwords the next ones have to wait. The wait ends by itself, and the "
            "answer says when. A program with a right app password is never held up.",
            "A program that remembers an old password is often the reason; the diary of sign-ins names it.",
        ),
    ),
    "temporary": Topic("A trouble of the server", ("It passes by itself. If not, tell the administrator.",)),
    "tls-too-old": Topic(
        "The program is too old for safe connections",
        (
            "Mail is read over TLS 1.2 or newer here; what is older can be broken.",
            "Update the mail program or the system of the device. There is no setting for it on the server.",
        ),
    ),
    "certificate": Topic(
        "The program does not trust the certificate",
        (
            "Check that the server name in the program is written as on the set-up page.",
            "Where the server has an authority of its own, install its certificate once: the set-up page has it.",
            "A virus scanner or a hotel's network may show a certificate of its own; try without it.",
        ),
    ),
    "tls-broken": Topic(
        "Encryption did not come up",
        (
            "The connection broke off while encryption was agreed upon.",
            "Virus scanners and firewalls that look into connections are the usual reason; so is a wrong port.",
        ),
    ),
    "encryption": Topic(
        "Port and encryption do not fit",
        (
            "SSL/TLS goes with the ports 993, 995 and 465; STARTTLS goes with 143, 110 and 587.",
            "Without encryption nobody can sign in, as a password would travel for all to see.",
        ),
    ),
    "wrong-port": Topic(
        "This port speaks another protocol",
        ("Incoming mail uses IMAP or POP3, outgoing mail uses SMTP. Server name or port are mixed up in the program.",),
    ),
    "sign-in-method": Topic(
        "The way of signing in",
        (
            "In the program choose “normal password” (PLAIN or LOGIN) or OAuth.",
            "Encrypted passwords (CRAM-MD5, NTLM) are not offered: the whole connection is encrypted instead.",
        ),
    ),
    "proxy": Topic(
        "A proxy that does not tell for whom it speaks",
        (
            "Addresses in the setting proxies must begin each connection with a PROXY header, version 1 or 2.",
            "So each person behind it is counted alone, and the diary tells where they are.",
        ),
    ),
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
