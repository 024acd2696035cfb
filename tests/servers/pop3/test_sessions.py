"""POP3 as poplib speaks it: sign-in, the maildrop, and what QUIT does or does not."""

import asyncio
import hashlib
import poplib
import socket
import time
from base64 import b64encode
from collections.abc import Callable

import pytest

from mailhost import accounts, mailstore
from mailhost.delivery.maildrop import LEASE_SECONDS
from mailhost.mailstore import INBOX, Intake, NewMessage
from mailhost.servers.pop3.session import Pop3Settings
from mailhost.storage.database import Tx
from tests.servers.conftest import ACCOUNT_PASSWORD, HELP, START, House, in_thread

FIRST = b"Subject: one\r\n\r\nline 1\r\n.line 2\r\n..\r\n"
SECOND = b"Subject: two\r\n\r\n" + b"x" * 70 + b"\r\n"


async def put(house: House, content: bytes, prefix: bytes = b"") -> None:
    intake = Intake(house.blobs, 10**9, normalise=False)
    intake.write(content)
    incoming = await intake.finish()

    def work(tx: Tx) -> None:
        account_id = house.accounts["ann"]
        inbox = mailstore.find_mailbox(tx, account_id, INBOX)
        message = NewMessage(incoming, START, prefix)
        mailstore.append(tx, house.blobs, account_id, inbox.id, [message], START)

    await house.database.write(work)


async def run(house: House, work: Callable[[poplib.POP3], object]) -> object:
    """Sign ann in on the TLS port and do `work`; whether it says QUIT is its own affair."""
    port = await house.open("pop3s")

    def session() -> object:
        client = poplib.POP3_SSL("localhost", port, context=house.tls(), timeout=10)
        try:
            client.user("ann@example.test")
            client.pass_(house.secrets["ann"])
            return work(client)
        finally:
            client.close()

    return await in_thread(session)


async def test_the_whole_day_of_a_client(house: House) -> None:
    await put(house, FIRST, b"Return-Path: <>\r\n")
    await put(house, SECOND)
    first = b"Return-Path: <>\r\n" + FIRST

    def day(client: poplib.POP3) -> None:
        assert client.stat() == (2, len(first) + len(SECOND))
        assert client.list()[1] == [b"1 %d" % len(first), b"2 %d" % len(SECOND)]
        names = client.uidl()[1]
        assert names == [b"1 GmailId1", b"2 GmailId2"]
        _, lines, octets = client.retr(1)
        assert b"".join(line + b"\r\n" for line in lines) == first
        assert octets == len(first)
        assert client.top(1, 2)[1] == [b"Return-Path: <>", b"Subject: one", b"", b"line 1", b".line 2"]
        assert client.top(2, 0)[1] == [b"Subject: two", b""]
        assert client.top(2, 99)[1] == SECOND.split(b"\r\n")[:-1]
        assert client.dele(1).startswith(b"+OK")
        assert client.uidl()[1] == names[1:]
        assert client.stat() == (1, len(SECOND))
        for gone in (lambda: client.retr(1), lambda: client.dele(1), lambda: client.list(1), lambda: client.retr(3)):
            with pytest.raises(poplib.error_proto):
                gone()
        assert client.uidl(2) == b"+OK 2 GmailId2"
        client.rset()
        assert client.stat()[0] == 2
        client.dele(2)
        assert client.quit() == b"+OK Farewell."

    await run(house, day)
    [left] = await house.inbox("ann")
    assert left == first


async def test_a_line_that_drops_deletes_nothing_and_frees_the_maildrop(house: House) -> None:
    await put(house, FIRST)
    await run(house, lambda client: client.dele(1))
    assert len(await house.inbox("ann")) == 1
    assert await run(house, lambda client: client.stat()[0]) == 1


async def test_the_maildrop_is_one_sessions_at_a_time(house: House) -> None:
    await put(house, FIRST)

    def both(client: poplib.POP3) -> bytes:
        second = poplib.POP3_SSL("localhost", client.port, context=house.tls(), timeout=10)
        try:
            second.user("ann@example.test")
            with pytest.raises(poplib.error_proto) as caught:
                second.pass_(house.secrets["ann"])
            client.quit()
            time.sleep(0.05)
            second.user("ann@example.test")
            assert second.pass_(house.secrets["ann"]) == b"+OK Welcome."
        finally:
            second.close()
        return bytes(caught.value.args[0])

    assert (
        await run(house, both)
        == b"-ERR [IN-USE] Unable to lock maildrop: another POP3 session has it open. Try again when it has ended."
    )


async def test_who_cannot_have_the_maildrop_counts_as_signed_in_no_longer(house: House, plain_port: int) -> None:
    def rename(tx: Tx, old: str, new: str) -> None:
        tx.execute(f"alter table {old} rename to {new}")

    await house.database.write(rename, "maildrop_lease", "elsewhere")
    said = await in_thread(answers, plain_port, b"USER ann@example.test", b"PASS " + house.secrets["ann"].encode())
    await house.database.write(rename, "elsewhere", "maildrop_lease")
    assert said[-1].startswith(b"-ERR [SYS/TEMP]")
    assert house.keeper is not None
    assert house.keeper.live._accounts == {}


async def test_a_lost_lock_deletes_nothing(house: House) -> None:
    await put(house, FIRST)
    loop = asyncio.get_running_loop()

    async def take_over() -> None:
        house.now += LEASE_SECONDS
        await house.database.write(
            lambda tx: tx.execute("update maildrop_lease set holder = 'other', lease_until = lease_until + 1000")
        )

    def delete(client: poplib.POP3) -> bytes:
        client.dele(1)
        asyncio.run_coroutine_threadsafe(take_over(), loop).result(10)
        with pytest.raises(poplib.error_proto) as caught:
            client.quit()
        return bytes(caught.value.args[0])

    answer = await run(house, delete)
    assert isinstance(answer, bytes)
    assert answer.startswith(b"-ERR [IN-USE] Nothing was deleted")
    assert len(await house.inbox("ann")) == 1


async def test_a_message_expunged_elsewhere_can_still_be_read(house: House) -> None:
    await put(house, FIRST)
    loop = asyncio.get_running_loop()

    def expunge(tx: Tx) -> None:
        account_id = house.accounts["ann"]
        inbox = mailstore.find_mailbox(tx, account_id, INBOX)
        mailstore.expunge(tx, account_id, inbox.id, [(1, 9)], START, only_deleted=False)

    def read(client: poplib.POP3) -> int:
        asyncio.run_coroutine_threadsafe(house.database.write(expunge), loop).result(10)
        return client.retr(1)[2]

    assert await run(house, read) == len(FIRST)


async def test_a_copy_within_inbox_is_listed_once_and_deleted_whole(house: House) -> None:
    await put(house, FIRST)

    def copy(tx: Tx) -> None:
        account_id = house.accounts["ann"]
        inbox = mailstore.find_mailbox(tx, account_id, INBOX)
        mailstore.copy(tx, account_id, inbox.id, inbox.id, [(1, 1)], START)

    await house.database.write(copy)
    assert len(await house.inbox("ann")) == 2

    def delete(client: poplib.POP3) -> None:
        assert client.stat()[0] == 1
        client.dele(1)
        client.quit()

    await run(house, delete)
    assert await house.inbox("ann") == []


def answers(port: int, *lines: bytes) -> list[bytes]:
    """The first line of the answer to each line, greeting first."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw, raw.makefile("rb") as reader:
        said = [reader.readline()]
        for line in lines:
            raw.sendall(line + b"\r\n")
            said.append(reader.readline())
        return said


@pytest.fixture
async def plain_port(house: House) -> int:
    house.pop3_settings = Pop3Settings(help_url=HELP, plaintext_sign_in=True)
    return await house.open("pop3")


async def test_refusals(house: House, plain_port: int) -> None:
    for secret, answer in (
        ("wrong", b"-ERR [AUTH] Username and password not accepted.\r\n"),
        (ACCOUNT_PASSWORD, f"-ERR [AUTH] Application-specific password required: {HELP}/app-passwords\r\n".encode()),
        (
            house.secrets["imap"],
            f"-ERR [SYS/PERM] Your account is not enabled for POP access. "
            f"Please visit {HELP}/pop3 and enable your account for POP access.\r\n".encode(),
        ),
    ):
        said = await in_thread(answers, plain_port, b"USER ann@example.test", b"PASS " + secret.encode())
        assert said[1:] == [b"+OK send PASS\r\n", answer]
    said = await in_thread(answers, plain_port, b"USER nobody@example.test", b"PASS wrong")
    assert said[1:] == [b"+OK send PASS\r\n", b"-ERR [AUTH] Username and password not accepted.\r\n"]


async def test_sasl_and_its_cancelling(house: House, plain_port: int) -> None:
    good = b64encode(f"\0ann@example.test\0{house.secrets['ann']}".encode())
    lines = (b"AUTH PLAIN", b"*", b"AUTH PLAIN", b"!", b"AUTH SCRAM-SHA-1", b"AUTH PLAIN " + good, b"STAT", b"QUIT")
    said = await in_thread(answers, plain_port, *lines)
    assert said[1:] == [
        b"+ \r\n",
        b"-ERR AUTH cancelled.\r\n",
        b"+ \r\n",
        b"-ERR That is not valid base64.\r\n",
        b"-ERR AUTH knows PLAIN here.\r\n",
        b"+OK Welcome.\r\n",
        b"+OK 0 0\r\n",
        b"+OK Farewell.\r\n",
    ]


async def test_no_password_in_plain_text(house: House) -> None:
    port = await house.open("pop3")
    said = await in_thread(answers, port, b"USER ann@example.test", b"PASS x", b"AUTH PLAIN AGFubgBz")
    assert all(line.startswith(b"-ERR ") for line in said[1:])


async def test_stls(house: House) -> None:
    port = await house.open("pop3")

    def session() -> int:
        client = poplib.POP3("localhost", port, timeout=10)
        assert "STLS" in client.capa()
        assert "USER" not in client.capa()
        client.stls(context=house.tls())
        capabilities = client.capa()
        assert "STLS" not in capabilities
        assert capabilities["SASL"] == ["PLAIN"]
        client.user("ann")
        client.pass_(house.secrets["ann"])
        count = client.stat()[0]
        client.quit()
        return count

    assert await in_thread(session) == 0


async def test_commands_may_be_pipelined(house: House, plain_port: int) -> None:
    await put(house, FIRST)

    def session() -> bytes:
        with socket.create_connection(("127.0.0.1", plain_port), timeout=10) as raw:
            secret = house.secrets["ann"].encode()
            raw.sendall(b"USER ann@example.test\nPASS " + secret + b"\nSTAT\nDELE 1\nUIDL\nQUIT\n")
            said = b""
            while piece := raw.recv(4096):
                said += piece
            return said

    said = await in_thread(session)
    assert [line[:3] for line in said.splitlines()] == [b"+OK"] * 6 + [b".", b"+OK"]
    assert await house.inbox("ann") == []


async def test_a_large_message_comes_whole(house: House) -> None:
    body = b"".join(b"%072d\r\n" % number for number in range(60_000))
    content = b"Subject: large\r\n\r\n" + body
    await put(house, content)

    def read(client: poplib.POP3) -> tuple[int, int]:
        _, lines, octets = client.retr(1)
        assert client.top(1, 50_000)[1][-1] == b"%072d" % 49_999
        return octets, sum(len(line) + 2 for line in lines)

    assert await run(house, read) == (len(content), len(content))


async def test_the_time_a_large_message_takes_is_not_the_clients_silence(house: House) -> None:
    house.pop3_settings = Pop3Settings(help_url=HELP, idle_seconds=1.0)
    await put(house, b"Subject: large\r\n\r\n" + b"%072d\r\n" % 0 * 250_000)  # more than sockets hold

    def day(client: poplib.POP3) -> None:
        client.sock.sendall(b"RETR 1\r\n")
        time.sleep(1.5)
        assert sum(1 for _ in iter(client.file.readline, b".\r\n")) == 250_003
        client.dele(1)
        client.quit()

    await run(house, day)
    assert await house.inbox("ann") == []


async def test_a_revoked_password_ends_the_session(house: House, plain_port: int) -> None:
    await put(house, FIRST)
    loop = asyncio.get_running_loop()

    async def revoke() -> None:
        def work(tx: Tx) -> None:
            for each in accounts.list_app_passwords(tx, house.accounts["ann"]):
                accounts.revoke_app_password(tx, house.accounts["ann"], each.id, START)

        await house.database.write(work)

    def session() -> list[bytes]:
        with socket.create_connection(("127.0.0.1", plain_port), timeout=10) as raw, raw.makefile("rb") as reader:
            secret = house.secrets["ann"].encode()
            raw.sendall(b"USER ann@example.test\r\nPASS " + secret + b"\r\nDELE 1\r\n")
            said = [reader.readline() for _ in range(4)]
            asyncio.run_coroutine_threadsafe(revoke(), loop).result(10)
            return [*said, *reader.readlines()]

    said = await in_thread(session)
    assert said[4:] == [b"-ERR [AUTH] Session expired, please login again. Nothing was deleted.\r\n"]
    assert len(await house.inbox("ann")) == 1


async def test_a_damaged_message_is_an_error_and_the_next_one_comes(house: House) -> None:
    await put(house, FIRST, b"Return-Path: <>\r\n")
    await put(house, SECOND)

    def damage(tx: Tx) -> None:
        digest = hashlib.sha256(FIRST).digest()
        tx.execute("update blob set payload = :junk where digest = :digest", junk=b"junk" * 9, digest=digest)

    await house.database.write(damage)

    def day(client: poplib.POP3) -> None:
        for broken in (lambda: client.retr(1), lambda: client.top(1, 0)):
            with pytest.raises(poplib.error_proto, match=r"-ERR \[SYS/TEMP\]"):
                broken()
        assert client.retr(2)[1] == SECOND.split(b"\r\n")[:-1]
        client.quit()

    await run(house, day)
