"""The pages that answers of IMAP, POP3 and SMTP point to: what is wrong, and the next step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mailhost.language import N_


@dataclass(frozen=True, slots=True)
class Topic:
    """One page, in sentences to be translated; `page` is the one where the next step is taken."""

    title: str
    paragraphs: tuple[str, ...]
    page: str = ""


_NOT_ALLOWED: Final = Topic(
    N_("This app password does not open this protocol"),
    (
        N_(
            "App passwords can be limited to IMAP, POP3 or sending. The one your mail program uses is not made for "
            "this."
        ),
        N_("Make another one for the protocol you need, and type it in the program."),
    ),
    "/account/app-passwords",
)

TOPICS: Final[dict[str, Topic]] = {
    "app-passwords": Topic(
        N_("Your mail program needs an app password"),
        (
            N_(
                "The password you gave is right, but it is your account password, and that one is not for mail "
                "programs."
            ),
            N_("An app password has 16 letters, shown in four groups; blanks between them do not matter."),
            N_(
                "Switch two-step verification on, make an app password for each device, and type it in the program "
                "instead of your account password."
            ),
            N_(
                "The administrator of this server can make one as well, with: mailhost app-password add YOUR-ADDRESS "
                "--name DEVICE"
            ),
        ),
        "/account/app-passwords",
    ),
    "bad-credentials": Topic(
        N_("User name or password not accepted"),
        (
            N_("The user name is your whole address, with the part behind the @."),
            N_("The password is an app password of 16 letters. It is shown once; if it is lost, make a new one."),
            N_("A mail program that remembers an old password keeps trying it: remove it there, and type the new one."),
            N_("Your list of sign-ins says of each attempt what was wrong with it."),
        ),
        "/account/sign-ins",
    ),
    "authentication": Topic(
        N_("Sending needs a sign-in"),
        (
            N_("Your mail program tried to send without signing in."),
            N_(
                "In its settings for outgoing mail, switch authentication on, with the same user name and app password"
                " as for incoming mail."
            ),
        ),
    ),
    "ports": Topic(
        N_("Port 25 is not for mail programs"),
        (
            N_(
                "To send mail, use port 465 with SSL/TLS, or port 587 with STARTTLS, and sign in with your app "
                "password."
            ),
        ),
    ),
    "imap": _NOT_ALLOWED,
    "pop": _NOT_ALLOWED,
    "pop3": _NOT_ALLOWED,
    "smtp": _NOT_ALLOWED,
    "protocols": _NOT_ALLOWED,
    "two-step": Topic(
        N_("Two-step verification"),
        (
            N_("App passwords come with two-step verification: the account password alone opens nothing."),
            N_("When it is switched off, every app password ends; mail programs need new ones once it is on again."),
        ),
        "/account",
    ),
    "web": Topic(
        N_("Signing in to the account pages"),
        (
            N_(
                "The account pages take your whole address and your account password, and then the second step: a code"
                " of your authenticator app, a passkey, or one of your backup codes."
            ),
            N_("After several wrong passwords or codes the next ones have to wait; the page says until when."),
            N_(
                "If the telephone with the codes is lost, use a backup code. If those are lost too, the administrator "
                "of this server makes new ones with: mailhost account reset-two-step YOUR-ADDRESS"
            ),
        ),
        "/account",
    ),
    "revoked": Topic(
        N_("This app password has ended"),
        (
            N_(
                "An app password ends when it is revoked or replaced, when it expires, when the account password "
                "changes, and when two-step verification is switched off. It never comes back."
            ),
            N_("Make a new one for the device, type it there, and remove the old one from the program's memory."),
        ),
        "/account/app-passwords",
    ),
    "address-not-allowed": Topic(
        N_("This app password is not for use from there"),
        (
            N_("It was made for certain networks, and was used from another one."),
            N_("If it was you, make an app password without this limit; if not, revoke it: somebody else has it."),
        ),
        "/account/app-passwords",
    ),
    "user-name": Topic(
        N_("The user name"),
        (
            N_("It is the whole address, with the @ and what follows it, and without blanks."),
            N_("A short name works only where the name of the server tells which domain is meant."),
        ),
    ),
    "oauth": Topic(
        N_("Sign-in with a token"),
        (
            N_(
                "Some programs sign in with a token that you allowed them to fetch. It ends when you withdraw it, when"
                " the account password changes, or when the program does not renew it."
            ),
            N_("Signing in again in the program makes a new one; it asks for what the program needs."),
        ),
        "/account/programs",
    ),
    "protocol-off": Topic(
        N_("The protocol is switched off"),
        (
            N_("The user name and the password were right, but this way of reading mail is switched off."),
            N_("The administrator of this server can switch it on for the account or for the domain."),
        ),
    ),
    "unusual": Topic(
        N_("An unusual sign-in"),
        (
            N_("The password was right, but it was used from a place or in a way that is new for it."),
            N_("If it was held, its owner is asked; known devices go on working. Say yes, and the program gets in."),
            N_("If it was not you, revoke the app password and choose a new account password."),
        ),
        "/account/unusual",
    ),
    "connections": Topic(
        N_("Too many connections"),
        (
            N_(
                "Each mail program holds some connections, and several hold many. Beyond the limit the oldest idle one"
                " has to go; when all are at work, the new one must wait."
            ),
            N_(
                "In the program's settings allow fewer connections to the server, or close a program that is not "
                "needed."
            ),
        ),
        "/account/sessions",
    ),
    "bandwidth": Topic(
        N_("Too much in one day"),
        (
            N_(
                "There is a limit to the octets that a program may move in a day, and to its commands in a minute. The"
                " answer and the diary of sign-ins say which one was reached and when it ends."
            ),
            N_(
                "A program that fetches everything each time is often the reason. The administrator can raise the "
                "limit."
            ),
        ),
        "/account/sessions",
    ),
    "in-use": Topic(
        N_("Another program has the mailbox open"),
        (N_("Only one program at a time can use POP3. Wait for the other one, or use IMAP in all of them."),),
    ),
    "throttled": Topic(
        N_("Too many wrong passwords"),
        (
            N_(
                "After several different wrong passwords the next ones have to wait. The wait ends by itself, and the "
                "answer says when. A program with a right app password is never held up."
            ),
            N_("A program that remembers an old password is often the reason; the diary of sign-ins names it."),
        ),
        "/account/sign-ins",
    ),
    "temporary": Topic(
        N_("A trouble of the server"),
        (N_("It passes by itself. If not, tell the administrator."),),
    ),
    "tls-too-old": Topic(
        N_("The program is too old for safe connections"),
        (
            N_("Mail is read over TLS 1.2 or newer here; what is older can be broken."),
            N_("Update the mail program or the system of the device. There is no setting for it on the server."),
        ),
    ),
    "certificate": Topic(
        N_("The program does not trust the certificate"),
        (
            N_("Check that the server name in the program is written as on the set-up page."),
            N_("Where the server has an authority of its own, install its certificate once: the set-up page has it."),
            N_("A virus scanner or a hotel's network may show a certificate of its own; try without it."),
        ),
        "/",
    ),
    "tls-broken": Topic(
        N_("Encryption did not come up"),
        (
            N_("The connection broke off while encryption was agreed upon."),
            N_("Virus scanners and firewalls that look into connections are the usual reason; so is a wrong port."),
        ),
    ),
    "encryption": Topic(
        N_("Port and encryption do not fit"),
        (
            N_("SSL/TLS goes with the ports 993, 995 and 465; STARTTLS goes with 143, 110 and 587."),
            N_("Without encryption nobody can sign in, as a password would travel for all to see."),
        ),
        "/",
    ),
    "wrong-port": Topic(
        N_("This port speaks another protocol"),
        (
            N_(
                "Incoming mail uses IMAP or POP3, outgoing mail uses SMTP. Server name or port are mixed up in the "
                "program."
            ),
        ),
        "/",
    ),
    "sign-in-method": Topic(
        N_("The way of signing in"),
        (
            N_("In the program choose “normal password” (PLAIN or LOGIN) or OAuth."),
            N_("Encrypted passwords (CRAM-MD5, NTLM) are not offered: the whole connection is encrypted instead."),
        ),
    ),
    "proxy": Topic(
        N_("A proxy that does not tell for whom it speaks"),
        (
            N_("Addresses in the setting proxies must begin each connection with a PROXY header, version 1 or 2."),
            N_("So each person behind it is counted alone, and the diary tells where they are."),
        ),
    ),
    "suspended": Topic(
        N_("The account is suspended"),
        (N_("Its mail is kept, but nobody can sign in. The administrator of this server can open it again."),),
    ),
    "no-such-user": Topic(
        N_("There is no such address here"),
        (N_("Check the part before the @ for a slip. The domain is right, but nobody has that name in it."),),
    ),
    "relay": Topic(
        N_("This server does not pass mail on"),
        (
            N_("It takes mail from other servers for its own domains only."),
            N_("If you have an account here and want to send, use port 465 or 587 and sign in."),
        ),
    ),
    "size": Topic(
        N_("The message is too large"),
        (
            N_(
                "Send large files as a link instead, or in several messages. The server tells its limit at the "
                "beginning."
            ),
        ),
    ),
    "storage": Topic(
        N_("The account is full"),
        (N_("Delete mail that is not needed any more, and empty the Trash, or ask the administrator for more room."),),
        "/account/storage",
    ),
    "limits": Topic(
        N_("Too many messages in one day"),
        (N_("The limit counts the last 24 hours, so it ends by itself. The administrator can raise it."),),
    ),
    "smarthost": Topic(
        N_("This server cannot send to other servers yet"),
        (
            N_("It delivers between its own accounts. For mail to everybody else it needs a server that carries it."),
            N_("The administrator names that one in mailhost.toml, in the section [smarthost]."),
        ),
    ),
}
