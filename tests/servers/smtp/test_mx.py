"""Mail in by MX and LMTP, as smtplib sends it."""

import asyncio
import random
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mailhost.servers.smtp.session import SmtpSettings
from tests.servers.conftest import HELP, House, in_thread

MESSAGE = b"From: eve@elsewhere.test\r\nSubject: hello\r\nMessage-ID: <1@elsewhere.test>\r\n\r\nHi\r\n"


def send(
    port: int, recipients: list[str], message: bytes = MESSAGE, sender: str = "eve@elsewhere.test"
) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        return client.sendmail(sender, recipients, message)


def refused(port: int, recipient: str, **words: str) -> tuple[int, bytes]:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        send(port, [recipient], **words)
    return caught.value.recipients[recipient]


async def test_a_message_is_in_the_inbox_with_its_trace(house: House) -> None:
    port = await house.open("smtp")
    assert await in_thread(send, port, ["ann@example.test"]) == {}
    [message] = await house.inbox("ann")
    head, _, rest = message.partition(b"From: eve")
    assert rest == MESSAGE.removeprefix(b"From: eve")
    lines = head.decode().split("\r\n")
    assert lines[0] == "Return-Path: <eve@elsewhere.test>"
    assert lines[1] == "Delivered-To: ann@example.test"
    assert lines[2].startswith("Received: from ")
    assert "([127.0.0.1])" in lines[2]
    assert "by mail.example.test (Mailhost) with ESMTP id " in lines[3]
    assert lines[4] == "\tfor <ann@example.test>;"
    assert lines[5] == "\tFri, 15 Jan 2027 08:00:00 +0000"


@pytest.mark.parametrize(
    "address",
    [
        "ANN@Example.TEST",
        "ann+lists@example.test",
        "postmaster@example.test",
        "Abuse@example.test",
        '"ann"@example.test',
    ],
)
async def test_addresses_that_reach_ann(house: House, address: str) -> None:
    port = await house.open("smtp")
    await in_thread(send, port, [address])
    assert len(await house.inbox("ann")) == 1


async def test_postmaster_alone_needs_no_domain(house: House) -> None:
    port = await house.open("smtp")
    await in_thread(send, port, ["Postmaster"])
    assert len(await house.inbox("ann")) == 1


async def test_several_recipients_share_the_content_and_not_the_trace(house: House) -> None:
    port = await house.open("smtp")
    await in_thread(send, port, ["ann@example.test", "bob@example.test", "ann+2@example.test"])
    [anns], [bobs] = await house.inbox("ann"), await house.inbox("bob")
    assert b"Delivered-To: ann@" in anns
    assert b"bob@" not in anns
    assert b"Delivered-To: bob@" in bobs
    [(blobs,)] = await house.database.read(lambda tx: tx.execute("select count(distinct blob) from message"))
    assert blobs == 1


async def test_an_unknown_user_and_a_foreign_domain_are_refused(house: House) -> None:
    port = await house.open("smtp")
    code, text = await in_thread(refused, port, "nobody@example.test")
    assert code == 550
    assert text.startswith(b"5.1.1 The email account that you tried to reach does not exist.")
    assert f"{HELP}/no-such-user".encode() in text
    code, text = await in_thread(refused, port, "somebody@elsewhere.test")
    assert (code, text[:19]) == (550, b"5.7.1 Relay denied:")


async def test_a_full_account_is_refused_for_now(house: House) -> None:
    port = await house.open("smtp")
    await house.database.write(
        lambda tx: tx.execute(
            "update mail_account set quota_octets = 0 where account_id = :id", id=house.accounts["ann"]
        )
    )
    code, text = await in_thread(refused, port, "ann@example.test")
    assert (code, text[:23]) == (452, b"4.2.2 The recipient's i")


async def test_a_suspended_account(house: House) -> None:
    port = await house.open("smtp")
    await house.database.write(
        lambda tx: tx.execute("update account set state = 'suspended' where id = :id", id=house.accounts["bob"])
    )
    assert (await in_thread(refused, port, "bob@example.test"))[0] == 550


async def test_a_loop_is_refused_after_fifty_hops(house: House) -> None:
    port = await house.open("smtp")
    hop = b"Received: from a by b; Fri, 15 Jan 2027 08:00:00 +0000\r\n"
    await in_thread(send, port, ["ann@example.test"], hop * 50 + MESSAGE)
    with pytest.raises(smtplib.SMTPDataError) as caught:
        await in_thread(send, port, ["ann@example.test"], hop * 51 + MESSAGE)
    assert (caught.value.smtp_code, caught.value.smtp_error[:5]) == (554, b"5.4.6")
    assert len(await house.inbox("ann")) == 1


async def test_results_in_our_name_are_taken_off_and_others_kept(house: House) -> None:
    port = await house.open("smtp")
    ours = (
        b"Authentication-Results: mail.example.test;\r\n\tspf=pass\r\n"
        b"AUTHENTICATION-RESULTS : (a comment) MAIL.example.test 1; dkim=pass\r\n"
    )
    theirs = b"Authentication-Results: mx.elsewhere.test; spf=pass\r\nX-Results: mail.example.test; spf=pass\r\n"
    await in_thread(send, port, ["ann@example.test"], ours + theirs + MESSAGE)
    [message] = await house.inbox("ann")
    assert message.endswith(theirs + MESSAGE)
    assert b"dkim=pass" not in message


async def test_too_many_recipients_are_asked_to_wait(house: House) -> None:
    house.smtp_settings = SmtpSettings(help_url=HELP, max_recipients=2)
    port = await house.open("smtp")
    refusals = await in_thread(send, port, ["ann@example.test", "bob@example.test", "ann+3@example.test"])
    assert refusals["ann+3@example.test"][0] == 452
    assert len(await house.inbox("ann")) == 1


async def test_nobody_signs_in_at_the_mx(house: House) -> None:
    port = await house.open("smtp")

    def try_to() -> tuple[int, bytes]:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.ehlo()
            assert not client.has_extn("auth")
            return client.docmd("AUTH", "PLAIN AGFubgBz")

    code, text = await in_thread(try_to)
    assert code == 530
    assert b"use port 465 or 587" in text


async def test_starttls_and_the_protocol_in_received(house: House) -> None:
    port = await house.open("smtp")

    def send_in_tls() -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.starttls(context=_unchecked(house))
            client.ehlo()
            assert not client.has_extn("starttls")
            client.sendmail("eve@elsewhere.test", ["ann@example.test"], MESSAGE)
            assert client.docmd("STARTTLS")[0] == 503

    await in_thread(send_in_tls)
    [message] = await house.inbox("ann")
    assert b"with ESMTPS (TLSv1.3) id" in message


def _unchecked(house: House) -> ssl.SSLContext:
    context = house.tls()
    context.check_hostname = False  # smtplib would look for 127.0.0.1
    return context


async def test_the_null_sender(house: House) -> None:
    port = await house.open("smtp")
    await in_thread(send, port, ["ann@example.test"], MESSAGE, "")
    [message] = await house.inbox("ann")
    assert message.startswith(b"Return-Path: <>\r\n")


async def test_size_is_refused_early_and_late(house: House) -> None:
    house.max_message = 2000
    port = await house.open("smtp")

    def early() -> int:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.ehlo()
            return client.mail("eve@elsewhere.test", ["SIZE=2001"])[0]

    def late() -> list[int]:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.ehlo()
            client.mail("eve@elsewhere.test")
            client.rcpt("ann@example.test")
            return [client.data(MESSAGE + b"x" * 2000)[0], client.noop()[0]]

    assert await in_thread(early) == 552
    assert await in_thread(late) == [552, 250]
    assert await house.inbox("ann") == []


async def test_bad_commands_end_in_421(house: House) -> None:
    port = await house.open("smtp")

    def nonsense() -> list[int]:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            codes = [client.docmd("XYZZY")[0] for _ in range(21)]
            return [*codes, client.getreply()[0]]

    codes = await in_thread(nonsense)
    assert codes == [502] * 21 + [421]


async def test_lmtp_answers_for_each_recipient(house: House) -> None:
    port = await house.open("lmtp")

    def deliver() -> list[bytes]:
        with smtplib.LMTP("127.0.0.1", port, timeout=10) as client:
            client.ehlo()
            client.mail("eve@elsewhere.test")
            codes = [client.rcpt(f"{name}@example.test")[0] for name in ("ann", "nobody", "bob", "ann+x")]
            assert codes == [250, 550, 250, 250]
            client.docmd("DATA")
            client.send(b"Subject: bare\nnewlines\r\n\r\nmended\n.\n\r\n.\r\n")
            return [client.getreply()[0] for _ in range(3)] + [client.noop()[0]]

    assert await in_thread(deliver) == [250, 250, 250, 250]
    for name in ("ann", "bob"):
        [message] = await house.inbox(name)
        assert message.endswith(b"Subject: bare\r\nnewlines\r\n\r\nmended\r\n.\r\n\r\n")
        assert b" with LMTP id " in message


async def test_lmtp_refuses_for_each_recipient(house: House) -> None:
    port = await house.open("lmtp")

    def deliver() -> list[int]:
        with smtplib.LMTP("127.0.0.1", port, timeout=10) as client:
            client.ehlo()
            client.mail("eve@elsewhere.test")
            client.rcpt("ann@example.test")
            client.rcpt("bob@example.test")
            client.docmd("DATA")
            client.send(b"Subject: nul\r\n\r\n\0\r\n.\r\n")
            return [client.getreply()[0] for _ in range(2)] + [client.noop()[0]]

    assert await in_thread(deliver) == [554, 554, 250]


async def test_bdat(house: House) -> None:
    port = await house.open("smtp")

    def deliver() -> list[int]:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.ehlo()
            assert client.has_extn("chunking")
            client.mail("eve@elsewhere.test")
            client.rcpt("ann@example.test")
            client.send(b"BDAT 14\r\nSubject: x\r\n\r\nBDAT 7 LAST\r\n.\r\nend.")
            return [client.getreply()[0] for _ in range(2)] + [client.noop()[0]]

    assert await in_thread(deliver) == [250, 250, 250]
    [message] = await house.inbox("ann")
    assert message.endswith(b"Subject: x\r\n\r\n.\r\nend.\r\n")


@pytest.mark.parametrize("door", ["smtp", "lmtp"])
async def test_chunks_have_the_time_of_a_message_and_not_of_a_command(house: House, door: str) -> None:
    house.smtp_settings = SmtpSettings(help_url=HELP, command_seconds=0.6)
    port = await house.open(door)
    hello = b"EHLO" if door == "smtp" else b"LHLO"
    mail = b" x\r\nMAIL FROM:<eve@elsewhere.test>\r\nRCPT TO:<ann@example.test>\r\n"

    def deliver() -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw, raw.makefile("rb") as reader:
            raw.sendall(hello + mail + b"BDAT 14\r\nSub")
            for piece in (b"ject: x\r\n", b"\r\nBDAT 3", b" LAST\r\nx", b"\r\n"):
                time.sleep(0.3)
                with suppress(ConnectionError):
                    raw.sendall(piece)
            raw.shutdown(socket.SHUT_WR)
            return reader.readlines()[-1]

    assert (await in_thread(deliver)).startswith(b"250 2.0.0 OK")
    assert len(await house.inbox("ann")) == 1


async def test_a_repetition_after_a_partial_failure_doubles_nothing(house: House) -> None:
    port = await house.open("smtp")

    def send_to_both(before_data: Callable[[], None]) -> int:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.ehlo()
            client.mail("eve@elsewhere.test")
            client.rcpt("ann@example.test")
            client.rcpt("bob@example.test")
            before_data()
            return client.data(MESSAGE)[0]

    loop = asyncio.get_running_loop()

    async def set_bobs_quota(octets: int) -> None:
        await house.database.write(
            lambda tx: tx.execute(
                "update mail_account set quota_octets = :octets, used_octets = 0 where account_id = :id",
                octets=octets,
                id=house.accounts["bob"],
            )
        )

    def fill_bob() -> None:
        future = house.database.write(
            lambda tx: tx.execute(
                "update mail_account set used_octets = quota_octets where account_id = :id", id=house.accounts["bob"]
            )
        )
        asyncio.run_coroutine_threadsafe(future, loop).result(10)

    assert await in_thread(send_to_both, fill_bob) == 452
    assert len(await house.inbox("ann")) == 1
    await set_bobs_quota(1_000_000)
    assert await in_thread(send_to_both, lambda: None) == 250
    assert (len(await house.inbox("ann")), len(await house.inbox("bob"))) == (1, 1)
    assert await in_thread(send_to_both, lambda: None) == 250  # sent once more on purpose: that is another message
    assert (len(await house.inbox("ann")), len(await house.inbox("bob"))) == (2, 2)


async def test_a_stopping_server_lets_a_message_end(house: House) -> None:
    port = await house.open("smtp")
    [listener] = house.listeners
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
    await idle_reader.readline()
    await reader.readline()
    writer.write(b"HELO c\nMAIL FROM:<>\nRCPT TO:<ann@example.test>\nDATA\n")
    for _ in range(4):
        answer = await reader.readline()
    assert answer == b"354 Go ahead\r\n"
    writer.write(b"Subject: half\r\n")
    await asyncio.sleep(0.05)
    listener.stop()
    assert (await idle_reader.read()).startswith(b"421 4.3.2 ")
    writer.write(b"\r\nthe rest\r\n.\r\n")
    assert (await reader.readline()).startswith(b"250 2.0.0 OK ")
    assert (await reader.read()).startswith(b"421 4.3.2 ")
    writer.close()
    idle_writer.close()
    [message] = await house.inbox("ann")
    assert message.endswith(b"Subject: half\r\n\r\nthe rest\r\n")


async def test_a_line_that_breaks_in_a_message_leaves_nothing_behind(house: House, tmp_path: Path) -> None:
    house.max_message = 100_000_000
    port = await house.open("smtp")
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"HELO c\nMAIL FROM:<>\nRCPT TO:<ann@example.test>\nDATA\n")
    await asyncio.sleep(0.05)
    writer.write(b"Subject: large\r\n\r\n")
    for _ in range(40):
        writer.write(random.randbytes(30_000).hex().encode() + b"\r\n")
        await writer.drain()
    writer.transport.abort()
    for listener in house.listeners:
        listener.stop()
        await listener.drain(5)
    assert await house.inbox("ann") == []
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []
