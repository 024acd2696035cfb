"""Whatever a peer sends ends in a proper error or a closed session, costs little, and harms nobody else."""

import re
from collections.abc import Iterator

import pytest

from tests.bench.processes import status_value, tree
from tests.running import Account, Server
from tests.torture.wire import Wire, signed_in

MEGABYTE = b"x" * (1 << 20)
MEMORY_MAY_RISE = 48 << 20
BAD = rb"(?m)^(a (BAD|NO)|\* BYE)[^\r\n]*\r\n"
REFUSED = rb"(?m)^[45]\d\d[ ][^\r\n]*\r\n"
ERROR = rb"(?m)^-ERR[^\r\n]*\r\n"

BEFORE_SIGN_IN = [
    pytest.param("imap", b"a LOGIN {10737418240}\r\n", BAD, id="imap-10GB-literal"),
    pytest.param("imap", b"a LOGIN {10737418240+}\r\n" + 5 * MEGABYTE, BAD, id="imap-10GB-literal-without-waiting"),
    pytest.param("imap", b"a LOGIN {99999999999999999999999}\r\n", BAD, id="imap-literal-beyond-63-bits"),
    pytest.param("imap", b"a " + MEGABYTE + b"\r\n", BAD, id="imap-1MB-line"),
    pytest.param("imap", 5 * MEGABYTE, BAD, id="imap-5MB-without-line-end"),
    pytest.param("imap", b"a NO\0OP\r\n", BAD, id="imap-NUL"),
    pytest.param("imap", b"\xff\xfe\xfd\r\n", rb"(?m)^\* BAD[^\r\n]*\r\n", id="imap-not-text"),
    pytest.param("imap", b"a SELECT INBOX\r\n", BAD, id="imap-too-early"),
    pytest.param("imap", b"a AUTHENTICATE PLAIN " + b"A" * 100_000 + b"\r\n", BAD, id="imap-long-sasl"),
    pytest.param("pop3", MEGABYTE + b"\r\n", ERROR, id="pop3-1MB-line"),
    pytest.param("pop3", b"NO\0OP\r\n", ERROR, id="pop3-NUL"),
    pytest.param("pop3", b"RETR 1\r\n", ERROR, id="pop3-too-early"),
    pytest.param("smtp", MEGABYTE + b"\r\n", REFUSED, id="smtp-1MB-line"),
    pytest.param("smtp", b"NO\0OP\r\n", REFUSED, id="smtp-NUL"),
    pytest.param("smtp", b"EHLO x\r\nMAIL FROM:<> SIZE=10737418240\r\n", REFUSED, id="smtp-10GB-announced"),
    pytest.param(
        "smtp", b"EHLO x\r\nRCPT TO:<" + b"a" * 20_000 + b"@example.test>\r\n", REFUSED, id="smtp-long-address"
    ),
    pytest.param("smtp", b"EHLO x\r\nBDAT 10737418240 LAST\r\n", REFUSED, id="smtp-10GB-chunk"),
    pytest.param("smtp", b"EHLO x\r\nDATA\r\n", REFUSED, id="smtp-data-first"),
    pytest.param("lmtp", b"EHLO x\r\n", REFUSED, id="lmtp-ehlo"),
    pytest.param("lmtp", MEGABYTE + b"\r\n", REFUSED, id="lmtp-1MB-line"),
    pytest.param("submission", b"EHLO x\r\nMAIL FROM:<a@example.test>\r\n", REFUSED, id="submission-too-early"),
    pytest.param("http", b"GET /" + MEGABYTE + b" HTTP/1.1\r\n\r\n", rb"HTTP/1.1 4\d\d ", id="http-1MB-line"),
    pytest.param("http", b"\0\1\2\3\r\n\r\n", rb"HTTP/1.1 400 |^$", id="http-not-http"),
]

DEEP = 20_000
AS_IMAP_USER = [
    pytest.param(b"SELECT \"&invalid\"", id="utf7-not-ended"),
    pytest.param(b"SELECT \"&AGEAYg-\"", id="utf7-for-ascii"),
    pytest.param(b"CREATE \"&2D0-\"", id="utf7-half-a-surrogate"),
    pytest.param(b"CREATE \"bell\x07\"", id="control-in-name"),
    pytest.param(b"SEARCH " + b"(" * DEEP + b"ALL" + b")" * DEEP, id="search-parentheses"),
    pytest.param(b"SEARCH " + b"NOT " * DEEP + b"ALL", id="search-nots"),
    pytest.param(b"SEARCH " + b"OR ALL " * DEEP + b"ALL", id="search-ors"),
    pytest.param(b"FETCH 1 BODY[" + b"1." * DEEP + b"1]", id="fetch-deep-section"),
    pytest.param(b"FETCH 1 (" + b"(" * DEEP + b"FLAGS" + b")" * DEEP + b")", id="fetch-parentheses"),
    pytest.param(b"FETCH 4294967296 FLAGS", id="number-beyond-32-bits"),
    pytest.param(b"FETCH 0 FLAGS", id="number-zero"),
    pytest.param(b"FETCH 1:99999999999999999999 FLAGS", id="number-beyond-64-bits"),
    pytest.param(b"STORE 1 +FLAGS (" + b"\\Seen " * DEEP + b"(", id="store-not-ended"),
    pytest.param(b"APPEND INBOX {10737418240}", id="append-10GB"),
    pytest.param(b"APPEND INBOX \"31-Feb-2026 00:00:00 +0000\" {3}", id="append-no-such-day"),
    pytest.param(b"STATUS INBOX ()", id="status-of-nothing"),
    pytest.param(b"LIST \"\" " + b"*%" * 5_000, id="list-pattern-bomb"),
]  # fmt: skip
HARMLESS = [
    pytest.param(b"FETCH 1 BODY[]<4294967296.1>", id="partial-beyond-32-bits"),
    pytest.param(b"UID FETCH 4294967295:1 FLAGS", id="uid-range-to-the-end"),
    pytest.param(b"UID FETCH 4294967295 FLAGS", id="uid-last"),
    pytest.param(b"UID STORE 2:4294967295 +FLAGS.SILENT (\\Seen)", id="uid-store-to-the-end"),
    pytest.param(b"UID SEARCH UID 1:4294967295", id="uid-search-all"),
    pytest.param(b"SEARCH 4294967295:*", id="search-beyond-the-end"),
    pytest.param(b"UID COPY 4294967295 Trash", id="uid-copy-of-nothing"),
    pytest.param(b"UID FETCH " + b",".join(b"%d" % (2 * n) for n in range(1, 1_000)) + b" FLAGS", id="set-of-many"),
    pytest.param(b"LIST \"\" " + b"*" * 200 + b"z", id="list-stars"),
    pytest.param(b"FETCH 1 BODY.PEEK[]<4294967295.4294967295>", id="partial-far-behind"),
]  # fmt: skip


@pytest.fixture(scope="module")
def peak(server: Server) -> Iterator[None]:
    """No process's memory may have risen by much when everything in this file has been thrown at the server."""
    before = {pid: high_water(pid) for pid in tree(server.process.pid)}
    yield
    for pid, octets in before.items():
        assert high_water(pid) - octets < MEMORY_MAY_RISE


def high_water(pid: int) -> int:
    """The most memory that the process has ever had resident, in octets."""
    return status_value(pid, "VmHWM")


@pytest.fixture(scope="module")
def inbox(server: Server, account: Account, peak: None) -> None:
    """One message in INBOX, so that ranges have something to hit."""
    with signed_in(server, account, "imaps") as wire:
        wire.send(b"a APPEND INBOX {15+}\r\nSubject: x\r\n\r\ny\r\n")
        assert b"a OK" in wire.until(rb"(?m)^a .*\r\n")


@pytest.fixture
def witness(server: Server, account: Account, inbox: None) -> Iterator[None]:
    """Another session that was there before, and goes on as if nothing had happened."""
    with signed_in(server, account, "imaps") as other:
        yield
        other.send(b"w SELECT INBOX\r\n")
        assert b"w OK" in other.until(rb"(?m)^w .*\r\n")


@pytest.mark.parametrize(("service", "words", "answer"), BEFORE_SIGN_IN)
def test_nonsense_before_sign_in(server: Server, witness: None, service: str, words: bytes, answer: bytes) -> None:
    with Wire(server, service) as wire:
        wire.send(words)
        said = wire.until(answer)
        assert b"Traceback" not in said
        # Being cut off in the middle of megabytes can cost the reader the last words.
        if len(words) < 65_536:
            assert re.search(answer, said), said[-500:]


@pytest.mark.parametrize("words", AS_IMAP_USER)
def test_imap_user_is_told_what_is_wrong(server: Server, account: Account, witness: None, words: bytes) -> None:
    with signed_in(server, account, "imaps") as wire:
        wire.send(b"s SELECT INBOX\r\n")
        wire.until(rb"(?m)^s .*\r\n")
        wire.send(b"a " + words + b"\r\n")
        said = wire.until(rb"(?m)^(a |\* BYE|\+ )[^\r\n]*\r\n")
        assert b"\r\na NO" in b"\r\n" + said or b"\r\na BAD" in b"\r\n" + said or b"* BYE" in said, said[-500:]


@pytest.mark.parametrize("words", HARMLESS)
def test_imap_user_may_ask_for_more_than_there_is(
    server: Server, account: Account, witness: None, words: bytes
) -> None:
    with signed_in(server, account, "imaps") as wire:
        wire.send(b"s SELECT INBOX\r\n")
        wire.until(rb"(?m)^s .*\r\n")
        wire.send(b"a " + words + b"\r\n")
        said = wire.until(rb"(?m)^(a |\* BYE)[^\r\n]*\r\n")
        assert b"a OK" in said, said[-500:]


def test_append_refuses_nul(server: Server, account: Account, witness: None) -> None:
    with signed_in(server, account, "imaps") as wire:
        wire.send(b"a APPEND INBOX {16+}\r\nSubject: x\r\n\r\ny\0\r\n\r\n")
        said = wire.until(rb"(?m)^a [^\r\n]*\r\n")
        assert b"a NO" in said or b"a BAD" in said
        wire.send(b"b STATUS INBOX (MESSAGES)\r\n")
        assert b"MESSAGES 1)" in wire.until(rb"(?m)^b [^\r\n]*\r\n")


@pytest.mark.parametrize(
    "words", [b"RETR 4294967295", b"DELE 0", b"LIST -1", b"TOP 1", b"TOP 1 -1", b"RETR 1 2", b"UIDL x"]
)
def test_pop3_user_is_told_what_is_wrong(server: Server, account: Account, witness: None, words: bytes) -> None:
    with signed_in(server, account, "pop3s") as wire:
        wire.send(words + b"\r\n")
        assert wire.line().startswith(b"-ERR")
        wire.send(b"QUIT\r\n")
        assert wire.line().startswith(b"+OK")


@pytest.mark.parametrize(
    ("service", "first", "ready", "behind", "check", "verdict"),
    [
        ("imap", b"a STARTTLS\r\n", b"a OK", b"b CAPABILITY\r\n", b"c NOOP\r\n", b"c OK"),
        ("pop3", b"STLS\r\n", b"+OK", b"CAPA\r\n", b"QUIT\r\n", b"+OK"),
        ("smtp", b"STARTTLS\r\n", b"220", b"HELP\r\n", b"NOOP\r\n", b"250"),
        ("submission", b"STARTTLS\r\n", b"220", b"HELP\r\n", b"NOOP\r\n", b"250"),
    ],
)
def test_plain_text_behind_starttls_is_thrown_away(
    server: Server, witness: None, service: str, first: bytes, ready: bytes, behind: bytes, check: bytes, verdict: bytes
) -> None:
    with Wire(server, service) as wire:
        if ready == b"220":
            wire.send(b"EHLO torture.example\r\n")
            wire.until(rb"(?m)^250 .*\r\n")
        wire.send(first + behind)
        assert wire.line().startswith(ready)
        wire.start_tls()
        wire.send(check)
        said = wire.line()
        assert said.startswith(verdict), said
        assert b"LAST" not in said
        assert b"CAPA" not in said


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r"])
def test_only_crlf_dot_crlf_ends_a_message(server: Server, account: Account, witness: None, end: bytes) -> None:
    with Wire(server, "smtp") as wire:
        wire.send(b"EHLO torture.example\r\n")
        wire.until(rb"(?m)^250 .*\r\n")
        wire.send(b"MAIL FROM:<a@other.example>\r\nRCPT TO:<%s>\r\nDATA\r\n" % account.address.encode())
        assert b"354" in wire.until(rb"(?m)^354 .*\r\n")
        smuggled = b"MAIL FROM:<b@other.example>\r\nRCPT TO:<%s>\r\nDATA\r\n" % account.address.encode()
        wire.send(b"Subject: outer\r\n\r\nx" + end + smuggled + b"Subject: inner\r\n\r\ny\r\n.\r\n")
        said = wire.until(rb"(?m)^[245].*\r\n")
        assert said[:1] == b"5", said
        assert said.count(b"\r\n") == 1, said


@pytest.mark.parametrize(
    "service", ["imap", "imaps", "pop3", "smtp", "submission", "submissions", "lmtp", "http", "https"]
)
def test_slow_lorises_do_not_keep_others_out(server: Server, witness: None, service: str) -> None:
    lorises = [Wire(server, service) for _ in range(20)]
    for number, loris in enumerate(lorises):
        loris.send(b"a"[: number % 2])
    for loris in lorises:
        loris.close()


def nested(depth: int) -> bytes:
    """A multipart within a multipart within …"""
    opened = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(depth)
    )
    return b"Subject: deep\r\nMIME-Version: 1.0\r\n" + opened + b"\r\nbottom\r\n"


BOMBS = {
    "nested-10000": nested(10_000),
    "messages-in-messages": b"Content-Type: message/rfc822\r\n\r\n" * 10_000,
    "parts-100000": b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\n" * 100_000,
    "header-fields-100000": b"X-Bomb: x\r\n" * 100_000 + b"\r\nbody\r\n",
    "parameters-10000": b"Content-Type: text/plain" + b"; a=b" * 10_000 + b"\r\n\r\nbody\r\n",
    "addresses-50000": b"To: " + b"a@b.example,\r\n " * 50_000 + b"c@d.example\r\n\r\nbody\r\n",
    "comments": b"To: " + b"(" * 50_000 + b"\r\n\r\nbody\r\n",
    "encoded-words": b"Subject: " + b"=?utf-8?q?=41?=\r\n " * 20_000 + b"\r\n\r\nbody\r\n",
    "references": b"References: " + b"<a@b>\r\n " * 50_000 + b"\r\n\r\nbody\r\n",
    "nothing": b"",
    "only-line-ends": b"\r\n" * 1_000,
    "no-header": b"just text\r\n",
    "8-bit": b"Subject: \xff\xfe\x80\r\nFrom: \xe9 <\xe9@\xe9>\r\n\r\n\xff\r\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_delivered_and_can_be_listed(server: Server, witness: None, name: str) -> None:
    account = server.new_account()
    with Wire(server, "lmtp", seconds=30) as wire:
        wire.send(b"LHLO torture.example\r\n")
        wire.until(rb"(?m)^250 .*\r\n")
        wire.send(b"MAIL FROM:<a@other.example>\r\nRCPT TO:<%s>\r\nDATA\r\n" % account.address.encode())
        assert b"354" in wire.until(rb"(?m)^354 .*\r\n")
        wire.send(BOMBS[name] + b".\r\n")
        answer = wire.line()
        assert answer[:1] in b"25", answer
    with signed_in(server, account, "imaps") as wire:
        wire.socket.settimeout(30)
        wire.send(b"s SELECT INBOX\r\n")
        wire.until(rb"(?m)^s .*\r\n")
        wire.send(b"a FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (SUBJECT)])\r\n")
        said = wire.until(rb"(?m)^a [^\r\n]*\r\n")
        assert b"\r\na OK" in b"\r\n" + said, said[-300:]


def test_a_loop_is_refused(server: Server, account: Account, witness: None) -> None:
    with Wire(server, "lmtp") as wire:
        wire.send(b"LHLO torture.example\r\n")
        wire.until(rb"(?m)^250 .*\r\n")
        wire.send(b"MAIL FROM:<a@other.example>\r\nRCPT TO:<%s>\r\nDATA\r\n" % account.address.encode())
        wire.until(rb"(?m)^354 .*\r\n")
        wire.send(b"Received: from a by b; Tue, 24 Nov 2026 10:00:00 +0000\r\n" * 51 + b"\r\nbody\r\n.\r\n")
        assert wire.line().startswith(b"554")
