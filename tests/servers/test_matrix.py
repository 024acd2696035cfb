"""Every cause over IMAP, POP3 and SMTP: what the client is told, what the diary knows, what people read, and that a
stranger reads nothing. Pairs that cannot be are left out by name."""

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mailhost import accounts, domains
from mailhost.accounts import Protocols, Scope
from mailhost.accounts.audit.model import DOORSTEP, LET_IN, NOBODY, Cause
from mailhost.accounts.audit.sql import list_sign_ins
from mailhost.accounts.places.sql import record_places
from mailhost.accounts.sessions.sql import Reached, close_for_today
from mailhost.language import LANGUAGES, translations
from mailhost.limits import Rules
from mailhost.login import Limits, throttle
from mailhost.login.catalogue import explain
from mailhost.login.doorstep import cause_of
from mailhost.login.enrol import replace_app_password
from mailhost.login.readers import NotYours, diary_for, own_diary
from mailhost.network.misdirected import Service
from mailhost.network.trouble import Kind, Trouble
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx
from tests.transcripts.house import ACCOUNT_PASSWORD, ANNA, HASH, OTTO, START, TOKEN_OF_ANNA, House

IMAP, POP3, SMTP = "imap", "pop3", "submission"
ALL = (IMAP, POP3, SMTP)
PHONE = "abcdefghijklmnop"
Arrange = Callable[[House], Awaitable[None]]

WRONG = {
    IMAP: r"a NO \[AUTHENTICATIONFAILED\] Invalid credentials \(Failure\)",
    POP3: r"-ERR \[AUTH\] Username and password not accepted\.",
    SMTP: r"535-5\.7\.8 Username and Password not accepted\. .*\n535 5\.7\.8 \S+/bad-credentials \w+",
}
APP_PASSWORD = {
    IMAP: r"a NO \[ALERT\] Application-specific password required: \S+/app-passwords \(Failure\)",
    POP3: r"-ERR \[AUTH\] Application-specific password required: \S+/app-passwords",
    SMTP: r"534-5\.7\.9 Application-specific password required\. .*\n534 5\.7\.9 \S+/app-passwords \w+",
}
WEB = {
    IMAP: r"\* NO \[WEBALERT https://\S+/account/unusual\] Web login required\.\n"
    r"a NO \[ALERT\] Please log in via your web browser: https://\S+/account/unusual \(Failure\)",
    POP3: r"-ERR \[AUTH\] Web login required: https://\S+/account/unusual",
    SMTP: r"534-5\.7\.14 <https://\S+/account/unusual>\n"
    r"534-5\.7\.14 Please log in via your web browser and then try again\.\n"
    r"534-5\.7\.14 Learn more at\n534 5\.7\.14 \S+ \w+",
}
NOT_ENABLED = {
    IMAP: r"a NO \[ALERT\] Your account is not enabled for IMAP use\. Please visit \S+ and enable .* \(Failure\)",
    POP3: r"-ERR \[SYS/PERM\] Your account is not enabled for POP access\. Please visit \S+ and enable .*",
    SMTP: r"535-5\.7\.8 Your account is not enabled for sending with this password\. .*\n535 5\.7\.8 \S+/smtp \w+",
}
OFF = {
    IMAP: r"a NO \[ALERT\] IMAP access is disabled for your domain\. Please contact your domain administrator .*",
    POP3: r"-ERR \[SYS/PERM\] POP access is disabled for your domain\. Please contact your domain administrator .*",
    SMTP: r"535 5\.7\.8 Sending is disabled for your domain\. .*",
}
SUSPENDED = {
    IMAP: r"a NO \[ALERT\] The account is suspended: \S+ \(Failure\)",
    POP3: r"-ERR \[SYS/PERM\] The account is suspended: \S+",
    SMTP: r"535-5\.7\.8 The account is suspended\. .*\n535 5\.7\.8 \S+ \w+",
}
WAIT = {
    IMAP: r"a NO \[ALERT\] Too many wrong passwords\. Try again in \d+ seconds\. \(Failure\)",
    POP3: r"-ERR \[SYS/TEMP\] Too many wrong passwords\. Try again in \d+ seconds\.",
    SMTP: r"454 4\.7\.0 Too many login attempts, please try again in \d+ seconds\. \w+",
}
_HOW_MUCH = r"command or bandwidth limits: 1 kB a day; try again at .* UTC\. \(Failure\)"
OVER = {
    IMAP: rf"a NO \[OVERQUOTA\] Account exceeded {_HOW_MUCH}",
    POP3: rf"-ERR \[AUTH\] Account exceeded pop {_HOW_MUCH}",
}
LATER = {
    IMAP: r"a NO \[UNAVAILABLE\] Temporary System Problem \(Failure\)",
    POP3: r"-ERR \[SYS/TEMP\] Temporary system problem\. Please try again later\.",
    SMTP: r"454 4\.7\.0 Cannot authenticate due to a temporary system problem\. Try again later\. \w+",
}
WELCOME = {IMAP: r"a OK \[CAPABILITY .*", POP3: r"\+OK Welcome\.", SMTP: r"235 2\.7\.0 Accepted"}


@dataclass(frozen=True)
class Case:
    """How a cause comes about: who tries what, after what was arranged; `again` is what was tried before."""

    cause: Cause
    wire: dict[str, str]
    user: str = ANNA
    secret: str = PHONE
    arrange: Arrange | None = None
    protocols: tuple[str, ...] = ALL
    again: tuple[str, ...] = ()
    owner: str = ANNA
    scope: Scope | None = None
    limits: Limits | None = None
    token_scopes: str = ""


async def replaced(house: House) -> None:
    await house.database.write(replace_app_password, house.key, house.ids[ANNA], 1, START)


async def second_domain(house: House) -> None:
    await house.database.write(domains.add_domain, "other.test", START)


async def rules_of_domain(house: House) -> None:
    def change(tx: Tx) -> None:
        ours = domains.find_domain(tx, "example.test")
        assert ours is not None
        domains.set_rules(tx, ours.id, Rules(imap=False, pop3=False, smtp=False))

    await house.database.write(change)


async def busy(house: House) -> None:
    house.keeper._checks._taken = house.keeper._checks._bound


async def from_everywhere(house: House) -> None:
    for number in range(22):
        attempt = throttle.Attempt(ANNA, house.ids[ANNA], f"198.18.{number}.0/24", bytes([number]), START)
        await house.database.write(throttle.count, house.login_limits, attempt)


def at_home(*extra: str) -> Arrange:
    """Her phone is used elsewhere, and what more speaks against the next sign-in."""

    async def arrange(house: House) -> None:
        await house.database.write(record_places, [(house.ids[ANNA], 1, "203.0.113.0/24", "x", START - 10_000)])
        if "hopping" in extra:
            places = [(house.ids[ANNA], 1, f"198.18.{number}.0/24", "x", START - 60) for number in range(4)]
            await house.database.write(record_places, places)

    return arrange


def of_account(work: Callable[[Tx, int], object]) -> Arrange:
    async def arrange(house: House) -> None:
        await house.database.write(lambda tx: work(tx, house.ids[ANNA]))

    return arrange


CASES = [
    Case(Cause.SIGNED_IN, WELCOME),
    Case(
        Cause.ACCOUNT_PASSWORD_USED,
        APP_PASSWORD,
        secret=ACCOUNT_PASSWORD,
        arrange=of_account(lambda tx, anna: accounts.set_two_step(tx, anna, is_on=True, now=START)),
    ),
    Case(Cause.TWO_STEP_MISSING, APP_PASSWORD, secret=ACCOUNT_PASSWORD),
    Case(Cause.WRONG_PASSWORD, WRONG, secret="not it"),
    Case(Cause.WRONG_PASSWORD_REPEATED, WRONG, secret="not it", again=("not it", "not it")),
    Case(Cause.WRONG_APP_PASSWORD, WRONG, secret="a" * 16),
    Case(
        Cause.REVOKED_APP_PASSWORD,
        WRONG,
        arrange=of_account(lambda tx, anna: accounts.revoke_app_password(tx, anna, 1, START)),
    ),
    Case(
        Cause.ENDED_WITH_PASSWORD,
        WRONG,
        arrange=of_account(lambda tx, anna: accounts.set_password(tx, anna, HASH, START)),
    ),
    Case(
        Cause.ENDED_WITH_TWO_STEP,
        WRONG,
        arrange=of_account(lambda tx, anna: accounts.set_two_step(tx, anna, is_on=False, now=START)),
    ),
    Case(Cause.REPLACED_APP_PASSWORD, WRONG, arrange=replaced),
    Case(Cause.EXPIRED_APP_PASSWORD, WRONG, scope=Scope(expires_at=START + 1)),
    Case(Cause.APP_PASSWORD_OF_ANOTHER, WRONG, secret="ottoottoottootto"),
    Case(Cause.PROTOCOL_NOT_ALLOWED, NOT_ENABLED, scope=Scope(Protocols.IMAP), protocols=(POP3, SMTP)),
    Case(Cause.SEND_ONLY, NOT_ENABLED, scope=Scope(Protocols.SMTP), protocols=(IMAP, POP3)),
    Case(Cause.READ_ONLY, NOT_ENABLED, scope=Scope(Protocols.IMAP | Protocols.POP3, read_only=True), protocols=(SMTP,)),
    Case(Cause.ADDRESS_NOT_ALLOWED, WRONG, scope=Scope(networks=("192.0.2.0/24",))),
    Case(Cause.NAME_WITHOUT_DOMAIN, WRONG, user="anna", arrange=second_domain),
    Case(Cause.UNKNOWN_USER, WRONG, user="ghost@example.test", secret="not it", owner=""),
    Case(Cause.UNKNOWN_DOMAIN, WRONG, user="ghost@elsewhere.test", secret="not it", owner=""),
    Case(
        Cause.SUSPENDED,
        SUSPENDED,
        arrange=of_account(lambda tx, anna: accounts.set_state(tx, anna, accounts.AccountState.SUSPENDED)),
    ),
    Case(
        Cause.PROTOCOL_OFF,
        NOT_ENABLED,
        arrange=of_account(lambda tx, anna: accounts.set_rules(tx, anna, Rules(imap=False, pop3=False, smtp=False))),
    ),
    Case(Cause.PROTOCOL_OFF_FOR_DOMAIN, OFF, arrange=rules_of_domain),
    Case(Cause.HELD, WEB, arrange=at_home("hopping")),
    Case(
        Cause.OVER_DOWNLOAD,
        OVER,
        arrange=of_account(
            lambda tx, anna: close_for_today(
                tx, anna, [Reached(kind, 1_000, START + 60) for kind in ("imap-download", "pop3-download")]
            )
        ),
        protocols=(IMAP, POP3),
    ),
    Case(
        Cause.OVER_UPLOAD,
        OVER,
        arrange=of_account(lambda tx, anna: close_for_today(tx, anna, [Reached("imap-upload", 1_000, START + 60)])),
        protocols=(IMAP,),
    ),
    Case(Cause.THROTTLED, WAIT, secret="last", again=("w1", "w2", "w3", "w4")),
    Case(
        Cause.THROTTLED_ACCOUNT,
        WAIT,
        secret="last",
        arrange=from_everywhere,
        limits=Limits(wrong_per_account=2, first_wait_seconds=30),
    ),
    Case(
        Cause.THROTTLED_NETWORK,
        WAIT,
        secret="last",
        again=("w1", "w2", "w3"),
        limits=Limits(wrong_per_account=100, wrong_per_network=2, first_wait_seconds=30),
    ),
    Case(Cause.TOO_BUSY, LATER, secret="not it", arrange=busy),
    Case(Cause.TOKEN_UNKNOWN, WRONG, secret="token:other", token_scopes="mail"),
    Case(Cause.TOKEN_OF_ANOTHER, WRONG, user=OTTO, secret=f"token:{TOKEN_OF_ANNA}", token_scopes="mail"),
    Case(Cause.TOKEN_SCOPE, WRONG, secret=f"token:{TOKEN_OF_ANNA}", token_scopes="send-only", protocols=(IMAP, POP3)),
    Case(
        Cause.TOKEN_EXPIRED,
        WRONG,
        secret=f"token:{TOKEN_OF_ANNA}",
        token_scopes="mail",
        arrange=of_account(lambda tx, anna: tx.execute("update oauth_token set expires_at = :now", now=START)),
    ),
    Case(
        Cause.TOKEN_REVOKED,
        WRONG,
        secret=f"token:{TOKEN_OF_ANNA}",
        token_scopes="mail",
        arrange=of_account(lambda tx, anna: tx.execute("update oauth_token set revoked_at = :now", now=START)),
    ),
]
PAIRS = [(case, protocol) for case in CASES for protocol in case.protocols]


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mailhost.db"


class Client:
    """One connection to a door of the house."""

    def __init__(self, protocol: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.protocol, self.reader, self.writer = protocol, reader, writer

    async def say(self, line: str) -> str:
        """Say a line; the whole answer."""
        self.writer.write(line.encode() + b"\r\n")
        return await self.hear()

    async def hear(self) -> str:
        said: list[str] = []
        async with asyncio.timeout(10):
            while line := (await self.reader.readline()).decode().rstrip("\r\n"):
                said.append(line)
                is_last = {IMAP: not line.startswith("* "), POP3: True, SMTP: line[3:4] != "-"}[self.protocol]
                if is_last or line.startswith("* BYE"):
                    break
        return "\n".join(said)

    async def sign_in(self, user: str, secret: str) -> str:
        if secret.startswith("token:"):
            token = b64encode(f"user={user}\x01auth=Bearer {secret.removeprefix('token:')}\x01\x01".encode()).decode()
            verb = {IMAP: "a AUTHENTICATE", POP3: "AUTH", SMTP: "AUTH"}[self.protocol]
            said = await self.say(f"{verb} XOAUTH2 {token}")
            return await self.say("") if re.match(r"\+ |334 ", said) else said
        if self.protocol == IMAP:
            return await self.say(f'a LOGIN {user} "{secret}"')
        if self.protocol == POP3:
            await self.say(f"USER {user}")
            return await self.say(f"PASS {secret}")
        return await self.say("AUTH PLAIN " + b64encode(f"\0{user}\0{secret}".encode()).decode())


@pytest.fixture
async def open_house(database: Database, blobs: Blobs) -> AsyncIterator[Callable[..., Awaitable[House]]]:
    made: list[House] = []

    async def build(case: Case) -> House:
        house = House(database, blobs, None)
        house.scope = case.scope or Scope()
        house.login_limits = case.limits or house.login_limits
        house.token_scopes = case.token_scopes
        await house.build()
        made.append(house)
        return house

    yield build
    for house in made:
        await house.close()


async def connected(house: House, protocol: str) -> tuple[Client, Callable[[], Awaitable[None]]]:
    listener = await house.open_listener(protocol)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    client = Client(protocol, reader, writer)
    if protocol == IMAP:
        await reader.readline()
    else:
        await client.hear()
    if protocol == SMTP:
        await client.say("EHLO client.example")

    async def end() -> None:
        writer.close()
        listener.stop()
        await listener.drain(5)

    return client, end


@pytest.mark.parametrize(("case", "protocol"), PAIRS, ids=[f"{case.cause.value}-{name}" for case, name in PAIRS])
async def test_matrix(open_house: Callable[..., Awaitable[House]], case: Case, protocol: str) -> None:
    house = await open_house(case)
    if case.arrange is not None:
        await case.arrange(house)
    client, end = await connected(house, protocol)
    for earlier in case.again:
        await client.sign_in(case.user, earlier)
    if case.scope is not None and case.scope.expires_at is not None:
        house.keeper._clock = lambda: START + 2.0
    said = await client.sign_in(case.user, case.secret)
    assert re.fullmatch(case.wire[protocol], said), said
    await end()
    await house.keeper._diary.flush()
    anna, otto = house.ids[ANNA], house.ids[OTTO]
    account_id = house.ids[case.owner] if case.owner else NOBODY
    rows = await house.database.read(list_sign_ins, account_id)
    sign_in, occurrence = next(row for row in rows if row[0].cause is case.cause)
    assert (sign_in.protocol, sign_in.peer) == (protocol.replace(SMTP, "smtp"), "127.0.0.1")
    assert sign_in.cause in LET_IN or sign_in.mechanism in ("LOGIN", "USER", "PLAIN", "XOAUTH2")
    told = [explain(sign_in, occurrence, translations(language)) for language in LANGUAGES]
    assert len({one.sentence for one in told}) == len(LANGUAGES)
    assert all("?" not in one.sentence + one.remedy for one in told)
    if case.owner:
        own = await house.database.read(own_diary, account_id, now=START)
        assert case.cause in {one.cause for one, _ in own}
    stranger = otto if account_id == anna else anna
    assert case.cause not in {one.cause for one, _ in await house.database.read(own_diary, otto, now=START)}
    if stranger == otto:
        with pytest.raises(NotYours):
            await house.database.read(diary_for, otto, account_id, now=START)


DOORSTEP_LINES: dict[Cause, dict[str, tuple[str, str]]] = {
    Cause.MECHANISM_UNKNOWN: {
        IMAP: ("a AUTHENTICATE NTLM", r"a NO \[CANNOT\] .*"),
        POP3: ("AUTH NTLM", r"-ERR AUTH knows .*"),
        SMTP: ("AUTH NTLM", r"504 5\.7\.4 Unrecognized Authentication Type.*"),
    },
    Cause.SIGN_IN_MALFORMED: {
        IMAP: ("a AUTHENTICATE PLAIN !!", r"a BAD .*"),
        POP3: ("AUTH PLAIN !!", r"-ERR .*"),
        SMTP: ("AUTH PLAIN !!", r"501 5\.5\.2 Cannot Decode response.*"),
    },
    Cause.WRONG_PROTOCOL: {
        IMAP: ("GET / HTTP/1.1", r"\* BYE .*HTTP.*"),
        POP3: ("GET / HTTP/1.1", r"-ERR .*HTTP.*"),
        SMTP: ("GET / HTTP/1.1", r"421 .*HTTP.*"),
    },
    Cause.SENDING_WITHOUT_SIGN_IN: {
        SMTP: ("MAIL FROM:<anna@example.test>", r"530-5\.7\.0 Authentication Required\.[\s\S]*")
    },
}
PLAIN = {
    IMAP: (f"a LOGIN {ANNA} {PHONE}", r"a NO \[PRIVACYREQUIRED\] .*"),
    POP3: (f"USER {ANNA}", r"-ERR Use TLS first .*"),
    SMTP: ("AUTH PLAIN AGE=", r"530 5\.7\.0 Must issue a STARTTLS command first\."),
}
LINES = [(cause, name, *line) for cause, lines in DOORSTEP_LINES.items() for name, line in lines.items()]
LINES += [(Cause.PLAIN_TEXT_REFUSED, name, *line) for name, line in PLAIN.items()]


@pytest.mark.parametrize(
    ("cause", "protocol", "line", "wire"), LINES, ids=[f"{row[0].value}-{row[1]}" for row in LINES]
)
async def test_matrix_before_a_name_is_known(
    open_house: Callable[..., Awaitable[House]], cause: Cause, protocol: str, line: str, wire: str
) -> None:
    house = await open_house(Case(cause, {}))
    house.plaintext_sign_in = cause is not Cause.PLAIN_TEXT_REFUSED
    client, end = await connected(house, protocol)
    if cause is Cause.WRONG_PROTOCOL and protocol != SMTP:
        await client.say("a NOOP" if protocol == IMAP else "CAPA")
        while protocol == POP3 and await client.hear() != ".":
            pass
    said = await client.say(line)
    assert re.fullmatch(wire, said), said
    await end()
    await house.keeper._diary.flush()
    rows = await house.database.read(list_sign_ins, DOORSTEP)
    assert cause in {sign_in.cause for sign_in, _ in rows}
    for name in (ANNA, OTTO):
        assert await house.database.read(own_diary, house.ids[name], now=START) == []
    home = (house.ids[ANNA], Cause.SIGNED_IN)
    phone = replace(rows[0][0], account_id=home[0], cause=home[1])
    house.keeper._diary.note(phone, "c1", START)
    await house.keeper._diary.flush()
    assert cause in {one.cause for one, _ in await house.database.read(own_diary, house.ids[ANNA], now=START)}
    assert await house.database.read(own_diary, house.ids[OTTO], now=START) == []


CONNECTIONS = [
    (Kind.FAILED, "UNSUPPORTED_PROTOCOL", Cause.TLS_TOO_OLD),
    (Kind.FAILED, "NO_SHARED_CIPHER", Cause.TLS_NOTHING_IN_COMMON),
    (Kind.FAILED, "TLSV1_ALERT_UNKNOWN_CA", Cause.CERTIFICATE_DISTRUSTED),
    (Kind.FAILED, "HANDSHAKE_TIMEOUT", Cause.TLS_UNFINISHED),
    (Kind.FAILED, "BAD_RECORD_TYPE", Cause.TLS_BROKEN),
    (Kind.FAILED, "PROXY_MALFORMED", Cause.PROXY_UNREADABLE),
    (Kind.MISDIRECTED, "plaintext", Cause.PLAIN_ON_TLS_PORT),
    (Kind.MISDIRECTED, "nothing", Cause.SILENT_ON_TLS_PORT),
    (Kind.MISDIRECTED, "TLS", Cause.TLS_ON_PLAIN_PORT),
    (Kind.TOO_MANY, "", Cause.TOO_MANY_FROM_ADDRESS),
    (Kind.FULL, "", Cause.SERVER_FULL),
]
ELSEWHERE = {
    Cause.TOKEN_COPIED: "the web alone: tests/oauth/test_flows.py",
    Cause.SIGNED_IN_UNUSUALLY: "tests/login/test_unusual.py; the wire says welcome",
    Cause.WRONG_PASSWORD_IN_WEB: "HTTPS alone: tests/web/test_sign_in.py",
    Cause.APP_PASSWORD_IN_WEB: "likewise",
    Cause.SECOND_STEP_AWAITED: "likewise",
    Cause.SECOND_STEP_WRONG: "likewise",
    Cause.STORE_AWAY: "tests/login/test_authenticate.py; the diary waits for the store",
    Cause.TOO_MANY_CONNECTIONS: "IMAP alone: transcripts/imap/sessions-limited.txt, tests/login/test_live.py",
    Cause.CONNECTION_GAVE_WAY: "IMAP alone: transcripts/imap/sessions-give-way.txt, tests/login/test_live.py",
    Cause.OVER_COMMANDS: "IMAP alone: transcripts/imap/commands-limited.txt",
    Cause.STORAGE_FULL: "IMAP and SMTP, signed in: below",
    Cause.MAILDROP_IN_USE: "POP3 alone: transcripts/pop3/in-use.txt",
    Cause.SENDING_ON_WRONG_PORT: "port 25 alone: transcripts/smtp",
}


@pytest.mark.parametrize("service", [Service.IMAP, Service.POP3, Service.SMTP])
@pytest.mark.parametrize(("kind", "detail", "cause"), CONNECTIONS, ids=[row[2].value for row in CONNECTIONS])
def test_matrix_of_connections(kind: Kind, detail: str, cause: Cause, service: Service) -> None:
    """Their answers on the wire, byte for byte from real connections, are in tests/login/test_doorstep.py."""
    assert cause_of(Trouble(kind, service, 993, "192.0.2.7", "c1", detail, "TLSv1"), 10).cause is cause


def test_no_cause_is_left_out() -> None:
    here = (
        {case.cause for case in CASES} | {*DOORSTEP_LINES, Cause.PLAIN_TEXT_REFUSED} | {row[2] for row in CONNECTIONS}
    )
    assert here | {*ELSEWHERE} == {*Cause}


async def test_a_full_account_is_told_to_its_owner(open_house: Callable[..., Awaitable[House]]) -> None:
    house = await open_house(Case(Cause.STORAGE_FULL, {}))
    await house.database.write(lambda tx: tx.execute("update mail_account set quota_octets = 1"))
    client, end = await connected(house, IMAP)
    await client.sign_in(ANNA, PHONE)
    said = await client.say("a APPEND INBOX {500}")
    assert said.startswith("a NO [OVERQUOTA]"), said
    await end()
    await house.keeper._diary.flush()
    causes = {one.cause for one, _ in await house.database.read(list_sign_ins, house.ids[ANNA])}
    assert Cause.STORAGE_FULL in causes
