"""Mail handed in by our own people, as smtplib does it."""

import smtplib
import socket
from base64 import b64encode
from collections.abc import Callable

import pytest

from mailhost import mailstore
from mailhost.delivery.model import Smarthost
from mailhost.mailstore import NewMessage
from mailhost.storage.database import Tx
from tests.servers.conftest import ACCOUNT_PASSWORD, HELP, START, House, in_thread

ANN = "ann@example.test"
BOB = "bob@example.test"


async def run(house: House, work: Callable[[smtplib.SMTP], object], port: int = 0) -> object:
    """Sign ann in on the TLS port and do `work`."""
    port = port or await house.open("submissions")

    def session() -> object:
        with smtplib.SMTP_SSL("localhost", port, context=house.tls(), timeout=10) as client:
            client.login(ANN, house.secrets["ann"])
            return work(client)

    return await in_thread(session)


async def send(house: House, message: bytes, recipients: tuple[str, ...] = (BOB,), sender: str = ANN) -> object:
    return await run(house, lambda client: client.sendmail(sender, recipients, message))


async def refused(house: House, message: bytes, sender: str = ANN) -> tuple[int, bytes]:
    with pytest.raises(smtplib.SMTPResponseException) as caught:
        await send(house, message, sender=sender)
    return caught.value.smtp_code, bytes(caught.value.smtp_error)


async def test_mail_to_a_colleague_is_there_at_once_and_in_sent(house: House) -> None:
    message = b"From: Ann <ann@example.test>\r\nTo: bob@example.test\r\nSubject: lunch\r\n\r\nNoon?\r\n"
    await send(house, message)
    [received] = await house.inbox("bob")
    assert received.startswith(b"Return-Path: <ann@example.test>\r\nDelivered-To: bob@example.test\r\nReceived: from ")
    assert b" with ESMTPSA (TLSv1.3) id " in received
    content = received[received.index(b"Date: ") :]
    assert content.startswith(b"Date: Fri, 15 Jan 2027 08:00:00 +0000\r\nMessage-ID: <1800000000.")
    assert content.endswith(message)
    assert await house.inbox("ann", "Sent") == [content]
    assert await house.database.read(lambda tx: tx.execute("select count(*) from outgoing")) == [(0,)]


async def test_date_and_message_id_of_the_client_are_kept(house: House) -> None:
    message = b"date: Mon, 1 Jan 2024 00:00:00 +0000\r\nMESSAGE-ID: <x@y>\r\nFrom: ann@example.test\r\n\r\nHi\r\n"
    await send(house, message)
    [received] = await house.inbox("bob")
    assert received.endswith(b"\r\n" + message)


async def test_a_message_without_header_gets_one(house: House) -> None:
    await send(house, b"just words\r\n")
    [received] = await house.inbox("bob")
    assert b"From: <ann@example.test>\r\nDate: " in received
    assert received.endswith(b">\r\n\r\njust words\r\n")


async def test_bcc_goes_nowhere_but_into_the_senders_copy(house: House) -> None:
    bcc = b"BCC: secret@example.test,\r\n\tbob@example.test\r\nbcc : other@example.test\r\nResent-Bcc: a@b.test\r\n"
    message = b"From: ann@example.test\r\n" + bcc + b"Subject: x\r\nMessage-ID: <b@c>\r\nDate: now\r\n\r\nBcc: body\r\n"
    await send(house, message)
    [received] = await house.inbox("bob")
    assert received.endswith(b"\r\n" + message.replace(bcc, b""))
    assert b"secret" not in received
    [sent] = await house.inbox("ann", "Sent")
    assert sent == bcc + message.replace(bcc, b"")


@pytest.mark.parametrize("address", ["ann@example.test", "Ann+work@Example.Test"])
async def test_the_accounts_own_addresses(house: House, address: str) -> None:
    await send(house, f"From: {address}\r\n\r\nHi\r\n".encode(), sender=address)
    assert len(await house.inbox("bob")) == 1


@pytest.mark.parametrize(
    "header",
    [
        b"From: bob@example.test",
        b"From: ann@example.test, bob@example.test",
        b"From: ann@example.test\r\nFrom: bob@example.test",
        b"from :\r\n\tbob@example.test",
        b"From: ann@example.test <boss@example.test>",
        b"From: friends: bob@example.test;",
        b"From:",
        b"From: ann",
    ],
)
async def test_somebody_elses_from(house: House, header: bytes) -> None:
    code, text = await refused(house, header + b"\r\nSubject: x\r\n\r\nHi\r\n")
    assert code == 550
    assert text.startswith(b"5.7.1 You are signed in as ann@example.test and cannot send as ")
    assert await house.inbox("bob") == []
    assert await house.inbox("ann", "Sent") == []


async def test_somebody_elses_envelope(house: House) -> None:
    code, text = await refused(house, b"From: ann@example.test\r\n\r\nHi\r\n", sender=BOB)
    assert (code, text[:5]) == (550, b"5.7.1")


async def test_the_null_sender_is_for_receipts(house: House) -> None:
    await send(house, b"From: ann@example.test\r\n\r\nread\r\n", sender="")
    [received] = await house.inbox("bob")
    assert received.startswith(b"Return-Path: <>\r\n")


async def test_recipients(house: House) -> None:
    def refusals(client: smtplib.SMTP) -> object:
        client.ehlo()
        client.mail(ANN)
        return [client.rcpt(address) for address in ("nobody@example.test", "eve@elsewhere.test")]

    nobody, elsewhere = await run(house, refusals)
    assert (nobody[0], nobody[1][:5]) == (550, b"5.1.1")
    assert elsewhere[0] == 550
    assert elsewhere[1].startswith(b"5.7.1 This server has no way to send mail to other servers yet.")


async def test_others_are_queued_for_the_smarthost(house: House) -> None:
    house.smarthost = Smarthost("smarthost.test", 587)
    await send(house, b"From: ann@example.test\r\n\r\nHi\r\n", ("eve@elsewhere.test", BOB, "joe@elsewhere.test"))
    rows = await house.database.read(
        lambda tx: tx.execute("select recipient, next_at, attempts from outgoing_recipient order by recipient")
    )
    assert rows == [("eve@elsewhere.test", START, 0), ("joe@elsewhere.test", START, 0)]
    [(sender, prefix)] = await house.database.read(lambda tx: tx.execute("select sender, prefix from outgoing"))
    assert sender == ANN
    assert prefix.startswith(b"Received: from ")
    assert b"for <" not in prefix
    assert len(await house.inbox("bob")) == 1


async def test_the_clients_own_copy_takes_the_place_of_ours(house: House) -> None:
    message = b"From: ann@example.test\r\nMessage-ID: <own@copy>\r\nDate: now\r\n\r\nHi\r\n"
    await send(house, message)

    intake = mailstore.Intake(house.blobs, 10**6, normalise=True)
    intake.write(message)
    incoming = await intake.finish()

    def append(tx: Tx) -> None:
        account_id = house.accounts["ann"]
        sent = mailstore.find_special(tx, account_id, "\\Sent")
        mailstore.append_from_client(tx, house.blobs, account_id, sent.id, [NewMessage(incoming, START)], START)

    await house.database.write(append)
    assert await house.inbox("ann", "Sent") == [message]


async def test_the_daily_limit(house: House) -> None:
    house.daily_messages = 2
    port = await house.open("submissions")

    def three(client: smtplib.SMTP) -> tuple[int, bytes]:
        for _ in range(2):
            client.sendmail(ANN, [BOB], b"From: ann@example.test\r\n\r\nHi\r\n")
        with pytest.raises(smtplib.SMTPSenderRefused) as caught:
            client.sendmail(ANN, [BOB], b"From: ann@example.test\r\n\r\nHi\r\n")
        return caught.value.smtp_code, bytes(caught.value.smtp_error)

    assert await run(house, three, port) == (
        550,
        f"5.4.5 Daily user sending limit exceeded: 2 messages in 24 hours. See {HELP}/limits".encode(),
    )
    house.now += 86_401
    await run(house, lambda client: client.sendmail(ANN, [BOB], b"From: ann@example.test\r\n\r\nHi\r\n"), port)
    assert len(await house.inbox("bob")) == 3


def answers(house: House, port: int, *lines: bytes) -> list[bytes]:
    """The last line of the answer to each line, after EHLO in TLS."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
        house.tls().wrap_socket(raw, server_hostname="localhost") as secure,
        secure.makefile("rb") as reader,
    ):
        said = []
        for line in (b"", b"EHLO client.test", *lines):
            if line:
                secure.sendall(line + b"\r\n")
            reply = reader.readline()
            while reply[3:4] == b"-":
                reply = reader.readline()
            said.append(reply.rstrip())
        return said[2:]


async def test_sign_in(house: House) -> None:
    port = await house.open("submissions")
    user = b64encode(ANN.encode())
    secret = b64encode(house.secrets["ann"].encode())
    wrong = b64encode(b"\0ann@example.test\0wrong")
    password = b64encode(f"\0ann@example.test\0{ACCOUNT_PASSWORD}".encode())
    said = await in_thread(
        answers,
        house,
        port,
        b"MAIL FROM:<ann@example.test>",
        b"AUTH PLAIN",
        b"*",
        b"AUTH PLAIN " + wrong,
        b"AUTH PLAIN " + password,
        b"AUTH CRAM-MD5",
        b"AUTH PLAIN !",
        b"auth login",
        user,
        secret,
        b"AUTH PLAIN " + wrong,
        b"MAIL FROM:<ann@example.test>",
    )
    quoted = {each.rpartition(b" ")[2] for each in said if b"-passwords " in each or b"-credentials " in each}
    assert len(quoted) == 1  # the connection's name ends each refusal
    name = quoted.pop().decode()
    assert said[:-1] == [
        f"530 5.7.0 {HELP}/authentication".encode(),
        b"334",
        b"501 5.7.0 Authentication cancelled",
        f"535 5.7.8 {HELP}/bad-credentials {name}".encode(),
        f"534 5.7.9 {HELP}/app-passwords {name}".encode(),
        b"504 5.7.4 Unrecognized Authentication Type; known are PLAIN LOGIN",
        b"501 5.5.2 Cannot Decode response: That is not valid base64.",
        b"334 VXNlcm5hbWU6",
        b"334 UGFzc3dvcmQ6",
        b"235 2.7.0 Accepted",
        b"503 5.7.0 No identity changes permitted",
    ]
    assert said[-1].startswith(b"250 2.1.0 OK ")


async def test_nothing_before_starttls(house: House) -> None:
    port = await house.open("submission")

    def session() -> None:
        with smtplib.SMTP("localhost", port, timeout=10) as client:
            client.ehlo()
            assert client.has_extn("starttls")
            assert not client.has_extn("auth")
            told = (530, b"5.7.0 Must issue a STARTTLS command first.")
            assert client.docmd("AUTH", "PLAIN") == told
            assert client.mail(ANN) == told
            client.starttls(context=house.tls())
            client.login(ANN, house.secrets["ann"])
            client.sendmail(ANN, [BOB], b"From: ann@example.test\r\n\r\nHi\r\n")

    await in_thread(session)
    assert len(await house.inbox("bob")) == 1


async def test_commands_behind_starttls_are_not_obeyed(house: House) -> None:
    port = await house.open("submission")

    def session() -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
            raw.recv(4096)
            raw.sendall(b"EHLO c\r\n")
            raw.recv(4096)
            raw.sendall(b"STARTTLS\r\nMAIL FROM:<ann@example.test>\r\nNOOP\r\n")
            said = b""
            while not said.endswith(b"\r\n"):
                said += raw.recv(4096)
            with house.tls().wrap_socket(raw, server_hostname="localhost") as secure:
                secure.sendall(b"NOOP\r\n")
                return said + secure.recv(4096)

    said = await in_thread(session)
    assert said.splitlines() == [b"220 2.0.0 Ready to start TLS", b"250 2.0.0 OK"]
