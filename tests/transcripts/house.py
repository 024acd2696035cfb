"""A whole server for one transcript: a SQLite file, two accounts, and a listener for the protocol spoken.

A protocol is one line in DOORS. What a transcript may find in place when it begins is one entry in SENTENCES.
"""

import asyncio
import random
import re
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from msgspec import structs

from mailhost import accounts, crypto, domains, mailstore, oauth
from mailhost.accounts import Protocols, Scope
from mailhost.accounts.places.sql import record_places
from mailhost.crypto import SecretKey
from mailhost.delivery.model import Office
from mailhost.login import DoorKeeper, Limits
from mailhost.login.enrol import enrol
from mailhost.login.lookup import APP_PASSWORD
from mailhost.mailstore import Layout, OnExpunge
from mailhost.mailstore.annotations import annotate_mailbox
from mailhost.mailstore.emptying import close_store
from mailhost.mailstore.indexer import TextIndex
from mailhost.mailstore.knowing import KnownMailboxes
from mailhost.mailstore.sharing import change_rights, share_account
from mailhost.network.listener import Admission, Handler, Listener
from mailhost.network.misdirected import Service
from mailhost.network.stream import Deadlines
from mailhost.oauth.model import Token
from mailhost.oauth.server import TOKEN
from mailhost.oauth.sql import insert_token
from mailhost.protocols.imap.rights import parse_rights
from mailhost.servers.imap.server import ImapServer
from mailhost.servers.imap.session import ImapServices, ImapSettings
from mailhost.servers.pop3.server import Pop3Server
from mailhost.servers.pop3.session import Pop3Services, Pop3Settings
from mailhost.servers.smtp.lmtp import LmtpSession
from mailhost.servers.smtp.mx import MxSession
from mailhost.servers.smtp.server import SmtpServer
from mailhost.servers.smtp.session import SmtpServices, SmtpSettings
from mailhost.servers.smtp.submission import SubmissionSession
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx
from mailhost.storage.sqlite import SqliteDatabase

SessionKind = type[MxSession] | type[LmtpSession] | type[SubmissionSession]

START: Final = 1_800_000_000
HELP: Final = "https://localhost/help"
ANNA: Final = "anna@example.test"
OTTO: Final = "otto@example.test"
APP_PASSWORDS: Final = {ANNA: "abcd efgh ijkl mnop", OTTO: "ottoottoottootto"}
TOKEN_OF_ANNA: Final = "token-of-anna"
PLAIN: Final = b64encode(f"\0{ANNA}\0{APP_PASSWORDS[ANNA]}".encode()).decode()
"""What AUTH PLAIN says for anna."""
ACCOUNT_PASSWORD: Final = "correct horse"
HASH: Final = crypto.hash_password(ACCOUNT_PASSWORD)


@dataclass
class House:
    """What a transcript runs against. Sentences change it before and after its listener opens."""

    database: Database
    blobs: Blobs
    tls: ssl.SSLContext | None
    key: SecretKey = field(default_factory=lambda: SecretKey(b"k" * 32))
    login_limits: Limits = field(default_factory=lambda: Limits(wrong_per_account=3, first_wait_seconds=30))
    imap: ImapSettings = field(default_factory=lambda: ImapSettings(help_url=HELP))
    pop3: Pop3Settings = field(default_factory=lambda: Pop3Settings(help_url=HELP))
    smtp: SmtpSettings = field(default_factory=lambda: SmtpSettings(help_url=HELP))
    plaintext_sign_in: bool = True
    message_limit: int = 35_651_584
    daily_messages: int = 1000
    rules: dict[str, int] = field(default_factory=dict)  # of `limits.Rules`
    offers_tls: bool = True
    shows_labels: bool = False  # anna's account
    otto_shows_labels: bool = False
    scope: Scope = field(default_factory=Scope)
    token_scopes: str = ""  # what the one program's token is for; there is none when empty
    ids: dict[str, int] = field(default_factory=dict)
    keeper: DoorKeeper = field(init=False)
    index: TextIndex = field(init=False)

    def clock(self) -> float:
        """The time, which stands still."""
        return float(START)

    async def build(self) -> None:
        """The domain, anna and otto, the door-keeper and the search index."""
        await self.database.write(self._build)
        path = self.database.path.with_name("search.db") if isinstance(self.database, SqliteDatabase) else None
        self.index = TextIndex(self.database, self.blobs, path)
        await self.index.open()
        limits = replace(self.login_limits, rules=structs.replace(self.login_limits.rules, **self.rules))
        self.keeper = DoorKeeper(self.database, self.key, limits, self.clock)
        if self.token_scopes:
            await self.database.write(self._allow, self.token_scopes)
            await self.keeper.look_for_programs()

    async def close(self) -> None:
        """What `build` has opened."""
        await self.keeper.close()
        await self.index.close()

    def _build(self, tx: Tx) -> None:
        domains.add_domain(tx, "example.test", START)
        labelled = {ANNA: self.shows_labels, OTTO: self.otto_shows_labels}
        for address, secret in APP_PASSWORDS.items():
            layout = Layout.GMAIL if labelled[address] else Layout.CLASSIC
            account = enrol(tx, address, password_hash=HASH, now=START, layout=layout)
            digest = self.key.digest(APP_PASSWORD, secret.replace(" ", "").encode())
            scope = self.scope if address == ANNA else Scope()
            accounts.add_app_password(tx, account.id, name="phone", digest=digest, now=START, scope=scope)
            self.ids[address] = account.id

    def _allow(self, tx: Tx, scopes: str) -> None:
        made = oauth.make_client(
            tx, self.key, name="Program", kind=oauth.Kind.NATIVE, now=START, redirect_uris=("http://127.0.0.1/",)
        )
        digest = self.key.digest(TOKEN, TOKEN_OF_ANNA.encode())
        times = (START, START + 3600, None, None)
        insert_token(tx, Token(digest, "access", self.ids[ANNA], 99, made.client.id, scopes, *times))

    async def deliver(self, content: bytes, mailbox: str = "INBOX", *, date: int = START) -> None:
        """Put a message into one of anna's mailboxes."""
        intake = mailstore.Intake(self.blobs, len(content) * 2 + 100, normalise=False)
        intake.write(content)
        message = mailstore.NewMessage(await intake.finish(), date)

        def place(tx: Tx) -> None:
            target = mailstore.find_selectable(tx, self.ids[ANNA], mailbox)
            mailstore.append(tx, self.blobs, self.ids[ANNA], target.id, [message], START)

        await self.database.write(place)

    async def open_listener(self, protocol: str) -> Listener:
        """Begin to accept clients of `protocol`, a key of DOORS."""
        service, make_handler = DOORS[protocol]
        listener = Listener(
            service,
            make_handler(self),
            Admission(per_address=1000, in_all=1000),
            deadlines=Deadlines(close=1.0),
        )
        await listener.open(["127.0.0.1"], 0)
        return listener

    @asynccontextmanager
    async def connection(self, protocol: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A client at a door of its own, who has heard nothing yet."""
        listener = await self.open_listener(protocol)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            listener.stop()
            await listener.drain(5)


def _imap(house: House) -> Handler:
    settings = replace(house.imap, plaintext_sign_in=house.plaintext_sign_in, append_limit=house.message_limit)
    services = ImapServices(
        house.database,
        house.blobs,
        house.index,
        KnownMailboxes(house.database),
        house.keeper,
        house.clock,
        _tls(house),
        settings,
    )
    return ImapServer(services).serve


def _pop3(house: House) -> Handler:
    tls = _tls(house)
    settings = replace(house.pop3, plaintext_sign_in=house.plaintext_sign_in)
    return Pop3Server(
        Pop3Services(house.database, house.blobs, house.keeper, house.clock, "mail.example.test", tls, settings)
    ).serve


def _smtp(kind: SessionKind) -> Callable[[House], Handler]:
    def make(house: House) -> Handler:
        office = Office(
            house.database,
            house.blobs,
            house.clock,
            "mail.example.test",
            max_message=house.message_limit,
            daily_messages=house.daily_messages,
            smarthost=None,
        )
        tls = None if kind is LmtpSession else _tls(house)
        settings = replace(house.smtp, plaintext_sign_in=house.plaintext_sign_in)
        return SmtpServer(kind, SmtpServices(office, house.keeper, tls, settings)).serve

    return make


def _tls(house: House) -> Callable[[], ssl.SSLContext] | None:
    tls = house.tls
    return None if tls is None or not house.offers_tls else lambda: tls


DOORS: Final[dict[str, tuple[Service, Callable[[House], Handler]]]] = {
    "imap": (Service.IMAP, _imap),
    "pop3": (Service.POP3, _pop3),
    "smtp": (Service.SMTP, _smtp(MxSession)),
    "submission": (Service.SMTP, _smtp(SubmissionSession)),
    "lmtp": (Service.LMTP, _smtp(LmtpSession)),
}


# What a transcript finds in place

SAMPLE: Final = (
    b"From: Rosa <rosa@example.org>\r\nTo: anna@example.test\r\nSubject: Letter %d\r\n"
    b"Date: Mon, 02 Mar 2026 10:0%d:00 +0000\r\nMessage-ID: <letter%d@example.org>\r\n\r\nGood day %d.\r\n"
)


async def _messages(house: House, found: re.Match[str]) -> None:
    for number in range(1, int(found[2]) + 1):
        await house.deliver(SAMPLE % (number, number % 10, number, number), found[1], date=START + number)


async def _message_file(house: House, found: re.Match[str]) -> None:
    content = (Path(__file__).parent / "messages" / found[2]).read_bytes()
    await house.deliver(content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), found[1])


async def _mailboxes(house: House, found: re.Match[str]) -> None:
    def make(tx: Tx) -> None:
        for name in re.split(r", | and ", found[1]):
            mailstore.create_mailbox(tx, house.ids[ANNA], name)

    await house.database.write(make)


async def _rights(house: House, found: re.Match[str]) -> None:
    def grant(tx: Tx) -> None:
        mailbox = mailstore.find_mailbox(tx, house.ids[ANNA], found[2])
        change_rights(tx, house.ids[ANNA], mailbox.id, house.ids[OTTO], parse_rights(found[1]))

    await house.database.write(grant)


async def _delegate(house: House, found: re.Match[str]) -> None:
    await house.database.write(share_account, house.ids[ANNA], house.ids[OTTO], parse_rights(found[1]))


async def _quota(house: House, found: re.Match[str]) -> None:
    await house.database.write(mailstore.set_quota, house.ids[ANNA], int(found[1]))


async def _change_labels(house: House, **changes: object) -> None:
    def change(tx: Tx) -> None:
        before = mailstore.label_settings(tx, house.ids[ANNA])
        mailstore.set_label_settings(tx, house.ids[ANNA], replace(before, **changes))

    await house.database.write(change)


async def _wait_for_expunge(house: House, found: re.Match[str]) -> None:
    await _change_labels(house, auto_expunge=False, on_expunge=OnExpunge(found[1]))


async def _limit_folders(house: House, found: re.Match[str]) -> None:
    await _change_labels(house, folder_limit=int(found[1]))


async def _hide(house: House, found: re.Match[str]) -> None:
    await house.database.write(mailstore.show_mailbox, house.ids[ANNA], found[1], is_shown=False)


async def _damage(house: House, _found: re.Match[str]) -> None:
    lines = random.Random(1).randbytes(100_000).hex("\n", 32).replace("\n", "\r\n").encode()
    await house.deliver(b"Subject: damaged\r\n\r\n" + lines)
    assert isinstance(house.database, SqliteDatabase)
    [file] = [path for path in house.database.path.with_name("blobs").rglob("*") if path.is_file()]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


async def _close_store(house: House, _found: re.Match[str]) -> None:
    await house.database.write(close_store, house.ids[ANNA])


async def _roam(house: House, _found: re.Match[str]) -> None:
    networks = [f"198.51.{third}.0/24" for third in range(5)]

    def note(tx: Tx) -> None:
        for password in accounts.list_app_passwords(tx, house.ids[ANNA]):
            record_places(tx, [(house.ids[ANNA], password.id, network, "", START - 60) for network in networks])

    await house.database.write(note)


async def _annotate(house: House, found: re.Match[str]) -> None:
    entries = {f"/private/vendor/note{number}": b"x" for number in range(int(found[2]))}

    def note(tx: Tx) -> None:
        mailbox = mailstore.find_mailbox(tx, house.ids[ANNA], found[1])
        annotate_mailbox(tx, house.ids[ANNA], mailbox.id, house.ids[ANNA], entries)

    await house.database.write(note)


SENTENCES: Final[Sequence[tuple[re.Pattern[str], Callable[[House, re.Match[str]], Awaitable[None]]]]] = (
    (re.compile(r"(\S+) has (\d+) messages?"), _messages),
    (re.compile(r"(\S+) holds the message (\S+)"), _message_file),
    (re.compile(r"there are mailboxes (.+)"), _mailboxes),
    (re.compile(r"otto has the rights (\w+) on everything"), _delegate),
    (re.compile(r"otto has the rights (\w+) on (\S+)"), _rights),
    (re.compile(r"the quota is (\d+) octets"), _quota),
    (re.compile(r"EXPUNGE is waited for and ends in (archive|trash|delete)"), _wait_for_expunge),
    (re.compile(r"folders show the newest (\d+) messages"), _limit_folders),
    (re.compile(r"(\S+) is not shown in IMAP"), _hide),
    (re.compile(r"INBOX has a message that is damaged on the disk"), _damage),
    (re.compile(r"anna's mail is being removed"), _close_store),
    (re.compile(r"anna was in many places lately"), _roam),
    (re.compile(r"(\S+) has (\d+) private annotations"), _annotate),
)
"""Done before the listener opens."""


def _need_tls(house: House, _found: re.Match[str]) -> None:
    house.plaintext_sign_in = False


def _offer_no_tls(house: House, _found: re.Match[str]) -> None:
    house.offers_tls = False


def _limit_sessions(house: House, found: re.Match[str]) -> None:
    house.rules["imap_connections"] = int(found[1])


def _limit_commands(house: House, found: re.Match[str]) -> None:
    house.rules["commands_a_minute"] = int(found[1])


def _limit_append(house: House, found: re.Match[str]) -> None:
    house.message_limit = int(found[1])


def _limit_recipients(house: House, found: re.Match[str]) -> None:
    house.smtp = replace(house.smtp, max_recipients=int(found[1]))


def _limit_mistakes(house: House, found: re.Match[str]) -> None:
    house.pop3 = replace(house.pop3, max_mistakes=int(found[1]))
    house.smtp = replace(house.smtp, max_mistakes=int(found[1]))


def _show_labels(house: House, _found: re.Match[str]) -> None:
    house.shows_labels = True


def _show_ottos_labels(house: House, _found: re.Match[str]) -> None:
    house.otto_shows_labels = True


def _limit_day(house: House, found: re.Match[str]) -> None:
    house.daily_messages = int(found[1])


def _limit_command(house: House, found: re.Match[str]) -> None:
    house.imap = replace(house.imap, message_limit=int(found[1]))


def _only_read(house: House, _found: re.Match[str]) -> None:
    house.scope = Scope(Protocols.IMAP | Protocols.POP3, read_only=True)


def _only_send(house: House, _found: re.Match[str]) -> None:
    house.scope = Scope(Protocols.SMTP)


def _allow_program(house: House, found: re.Match[str]) -> None:
    house.token_scopes = found[1]


def _be_impatient(house: House, _found: re.Match[str]) -> None:
    house.imap = ImapSettings(
        help_url=HELP, sign_in_seconds=0.2, idle_seconds=0.2, command_seconds=0.1, recheck_seconds=0.1
    )
    house.pop3 = replace(house.pop3, sign_in_seconds=0.2, idle_seconds=0.2)
    house.smtp = replace(house.smtp, command_seconds=0.2, message_seconds=0.2)


SETTINGS: Final[Sequence[tuple[re.Pattern[str], Callable[[House, re.Match[str]], None]]]] = (
    (re.compile(r"signing in needs TLS"), _need_tls),
    (re.compile(r"TLS is not offered"), _offer_no_tls),
    (re.compile(r"an account may have (\d+) sessions?"), _limit_sessions),
    (re.compile(r"a session may give (\d+) commands a minute"), _limit_commands),
    (re.compile(r"a message may have (\d+) octets"), _limit_append),
    (re.compile(r"a message may have (\d+) recipients?"), _limit_recipients),
    (re.compile(r"a client may make (\d+) mistakes?"), _limit_mistakes),
    (re.compile(r"an account may send (\d+) messages? a day"), _limit_day),
    (re.compile(r"a command may change (\d+) messages"), _limit_command),
    (re.compile(r"anna allows a program (\S+)"), _allow_program),
    (re.compile(r"anna's app password may only read"), _only_read),
    (re.compile(r"anna's app password may only send"), _only_send),
    (re.compile(r"the server is impatient"), _be_impatient),
    (re.compile(r"anna's account shows labels"), _show_labels),
    (re.compile(r"otto's account shows labels"), _show_ottos_labels),
)
"""Done before the house is built."""


# What clients have done before the transcript begins, in their protocol

Converse = Callable[[str], Awaitable[None]]

PREPARED: Final[dict[str, dict[str, list[str]]]] = {
    "imap": {
        "signed in": [f'x LOGIN {ANNA} "{APP_PASSWORDS[ANNA]}"'],
        "selected it": [f'x LOGIN {ANNA} "{APP_PASSWORDS[ANNA]}"', "x SELECT INBOX"],
        "signed in as otto": [f"x LOGIN {OTTO} {APP_PASSWORDS[OTTO]}"],
    },
    "pop3": {"signed in": [f"USER {ANNA}", f"PASS {APP_PASSWORDS[ANNA]}"]},
    "smtp": {
        "said hello": ["EHLO client.example"],
        "addressed anna": ["EHLO client.example", "MAIL FROM:<rosa@example.org>", f"RCPT TO:<{ANNA}>"],
    },
    "submission": {
        "said hello": ["EHLO client.example"],
        "signed in": ["EHLO client.example", f"AUTH PLAIN {PLAIN}"],
        "addressed otto": [
            "EHLO client.example",
            f"AUTH PLAIN {PLAIN}",
            f"MAIL FROM:<{ANNA}>",
            f"RCPT TO:<{OTTO}>",
        ],
    },
    "lmtp": {
        "said hello": ["LHLO client.example"],
        "addressed anna and otto": [
            "LHLO client.example",
            "MAIL FROM:<rosa@example.org>",
            f"RCPT TO:<{ANNA}>",
            f"RCPT TO:<{OTTO}>",
        ],
    },
}
"""Protocol → what a sentence `1 and 2 have …` says → the lines each client sends; each is answered with success."""

SUCCESS: Final = {
    "imap": re.compile(r"x OK "),
    "pop3": re.compile(r"\+OK"),
    "smtp": re.compile(r"2\d\d "),
    "submission": re.compile(r"2\d\d "),
    "lmtp": re.compile(r"2\d\d "),
}
"""How the last line of a successful answer begins; the greeting is one line."""
