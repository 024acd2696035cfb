"""Letters that tests send, and a look into the server that does not depend on the client under test."""

import imaplib
from email.message import EmailMessage

from tests.running import Account, Server

MBSYNC = """
FSync no

IMAPStore far
Host localhost
Port {port}
SSLType IMAPS
CertificateFile {ca}
User {user}
Pass "{password}"

MaildirStore near
Path {near}/
Inbox {near}/INBOX
SubFolders Verbatim

Channel both
Far :far:
Near :near:
Patterns {patterns}
Create Both
Remove Both
Expunge Both
SyncState {state}
{more}
"""
"""Both sides kept equal; `state`: where what mbsync knows of them lies, `more`: further lines of the channel."""

MAILDIR_FLAGS = {"S": r"\Seen", "R": r"\Answered", "F": r"\Flagged", "D": r"\Draft"}
"""Maildir's letters for IMAP's flags; T (\\Deleted) is expunged before anyone can compare it."""


def letter(sender: str, recipient: str, subject: str, text: str = "Hello.\n") -> bytes:
    """A plain message with CRLF line ends."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Message-ID"] = f"<{subject.replace(' ', '.')}@client.example>"
    message["Date"] = "Tue, 24 Nov 2026 10:00:00 +0000"
    message.set_content(text)
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def sign_in(server: Server, account: Account) -> imaplib.IMAP4_SSL:
    """An imaplib session over TLS, with the certificate checked."""
    imap = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls(), timeout=30)
    imap.login(account.address, account.password)
    return imap


def fill(server: Server, account: Account, mailbox: str, subjects: list[str]) -> None:
    """Put letters with these subjects into a mailbox, making it where needed."""
    imap = sign_in(server, account)
    if mailbox != "INBOX":
        imap.create(mailbox)
    for subject in subjects:
        code, answer = imap.append(mailbox, "", "", letter("a@other.example", account.address, subject))
        assert code == "OK", answer
    imap.logout()


def contents(server: Server, account: Account, mailbox: str = "INBOX") -> dict[str, set[str]]:
    """Subject → flags of everything in a mailbox."""
    imap = sign_in(server, account)
    code, answer = imap.select(mailbox, readonly=True)
    assert code == "OK", answer
    found = {}
    code, rows = imap.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])") if answer != [b"0"] else ("OK", [])
    for row in rows:
        if isinstance(row, tuple):
            subject = row[1].decode().strip().removeprefix("Subject: ")
            found[subject] = {flag.decode() for flag in imaplib.ParseFlags(row[0])} - {r"\Recent"}
    # imaplib gives what follows a literal as an item of its own; flags may stand there.
    imap.logout()
    return found


def waiting_subjects(server: Server, account: Account, mailbox: str = "INBOX") -> set[str]:
    """The subjects in a mailbox."""
    return set(contents(server, account, mailbox))
