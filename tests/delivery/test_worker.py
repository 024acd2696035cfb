"""The outbound queue: what the smarthost hears, what the sender is told, and when it is tried again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from mailhost import mailstore
from mailhost.delivery.ending import OUR_FAULT, give_up
from mailhost.delivery.forget import forget_account
from mailhost.delivery.model import Office, Origin, Smarthost
from mailhost.delivery.route import route
from mailhost.delivery.send import Sent
from mailhost.delivery.submit import Submission
from mailhost.delivery.worker import Worker
from mailhost.mailstore import INBOX
from mailhost.network.tls import client_context
from mailhost.protocols.smtp.addresses import Address, parse_address
from mailhost.queue import sql as queue
from mailhost.queue.model import BACK_OFF, GIVE_UP_SECONDS, LEASE_SECONDS, MAX_STUMBLES, NEVER, Lease
from mailhost.storage.errors import StorageFull
from tests.servers.conftest import START, House

CONTENT = b"From: ann@example.test\r\nSubject: far\r\nMessage-ID: <far@example.test>\r\nDate: now\r\n\r\n.dot\r\n"


@dataclass
class FakeSmarthost:
    """Answers by a rule and remembers what it was told; STARTTLS with the house's own certificate."""

    house: House
    rule: Callable[[bytes], bytes | None]
    heard: list[bytes] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    port: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smarthost.test ESMTP\r\n")
        while line := await reader.readline():
            self.heard.append(line.rstrip())
            answer = self.rule(line)
            verb = line[:4].upper()
            if answer == b"":
                break
            if answer is not None:
                writer.write(answer)
            elif verb == b"EHLO":
                tls = b"" if writer.get_extra_info("ssl_object") else b"250-STARTTLS\r\n"
                writer.write(
                    b"250-smarthost.test\r\n" + tls + b"250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 1000000\r\n"
                )
            elif verb == b"STAR":
                writer.write(b"220 go\r\n")
                await writer.start_tls(self.house.context)
            elif verb == b"AUTH":
                writer.write(b"235 2.7.0 in\r\n")
            elif verb == b"DATA":
                writer.write(b"354 go\r\n")
                self.messages.append((await reader.readuntil(b"\r\n.\r\n"))[:-3])
                writer.write(b"250 2.0.0 taken\r\n")
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 2.1.0 fine\r\n")
        writer.close()


@asynccontextmanager
async def smarthost(
    house: House, rule: Callable[[bytes], bytes | None] = lambda line: None
) -> AsyncIterator[FakeSmarthost]:
    fake = FakeSmarthost(house, rule)
    server = await asyncio.start_server(fake.talk, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    house.smarthost = Smarthost("localhost", fake.port, "user", "secret")
    yield fake
    server.close()


def worker(house: House) -> Worker:
    return Worker(house.office(), client_context(house.ca), "w-1")


async def submit(office: Office, house: House, *recipients: str, sender: str = "ann@example.test") -> None:
    origin = Origin(f"t-{house.now}", parse_address(sender) if sender else None, "ESMTPSA", "client", "127.0.0.1")
    submission = Submission(office, house.accounts["ann"], "ann@example.test", origin)
    submission.write(CONTENT)
    incoming = await submission.finish()
    addresses = [parse_address(text) for text in recipients]
    local, remote = [], []
    for address in addresses:
        assert isinstance(address, Address)
        if address.domain == "example.test":
            local.append(await office.database.point(route, address))
        else:
            remote.append(address)
    await submission.send(incoming, local, remote)


async def waiting(house: House) -> list[tuple[str, int, int]]:
    return await house.database.read(
        lambda tx: tx.execute("select recipient, next_at, attempts from outgoing_recipient order by recipient")
    )


async def blobs_in_queue(house: House) -> int:
    [(count,)] = await house.database.read(lambda tx: tx.execute("select count(*) from outgoing"))
    return int(count)


async def test_a_message_goes_to_all_its_recipients_at_once(house: House) -> None:
    async with smarthost(house) as fake:
        await submit(house.office(), house, "eve@elsewhere.test", "joe@elsewhere.test")
        assert await worker(house).work_once() == 2
    assert fake.heard[:4] == [
        b"EHLO mail.example.test",
        b"STARTTLS",
        b"EHLO mail.example.test",
        b"AUTH PLAIN AHVzZXIAc2VjcmV0",
    ]
    assert fake.heard[4].startswith(b"MAIL FROM:<ann@example.test> SIZE=")
    assert fake.heard[5:] == [b"RCPT TO:<eve@elsewhere.test>", b"RCPT TO:<joe@elsewhere.test>", b"DATA", b"QUIT"]
    [message] = fake.messages
    assert message.startswith(
        b"Received: from client ([127.0.0.1])\r\n\tby mail.example.test (Mailhost) with ESMTPSA id "
    )
    assert message.endswith(CONTENT.replace(b"\r\n.dot", b"\r\n..dot"))
    assert await waiting(house) == []
    assert await blobs_in_queue(house) == 0


async def test_a_refused_recipient_is_reported_to_the_sender(house: House) -> None:
    def rule(line: bytes) -> bytes | None:
        return b"550-5.1.1 No such user,\r\n550 5.1.1 sorry.\r\n" if b"eve@" in line else None

    async with smarthost(house, rule) as fake:
        await submit(house.office(), house, "eve@elsewhere.test", "joe@elsewhere.test")
        await worker(house).work_once()
    assert len(fake.messages) == 1
    assert await waiting(house) == []
    [report] = await house.inbox("ann")
    assert report.startswith(b"Return-Path: <>\r\nFrom: Mail Delivery Subsystem <mailer-daemon@example.test>\r\n")
    assert b"\r\nYour message to eve@elsewhere.test was not delivered.\r\n" in report
    assert b"\r\nFinal-Recipient: rfc822; eve@elsewhere.test\r\nAction: failed\r\nStatus: 5.1.1\r\n" in report
    assert b"\r\nDiagnostic-Code: smtp; 550 5.1.1 No such user, sorry.\r\n" in report
    assert b"\r\nSubject: far\r\n" in report
    rows = await house.database.read(
        lambda tx: tx.execute("select bodystructure from message where account_id = :id", id=house.accounts["ann"])
    )
    assert any(b'"DELIVERY-STATUS"' in row[0].upper() for row in rows)


async def test_no_report_to_the_null_sender(house: House) -> None:
    async with smarthost(house, lambda line: b"550 5.7.1 no\r\n" if line.startswith(b"DATA") else None):
        await submit(house.office(), house, "eve@elsewhere.test", sender="")
        await worker(house).work_once()
    assert await waiting(house) == []
    assert await house.inbox("ann") == []


@pytest.mark.parametrize(
    "rule",
    [
        lambda line: b"451 4.7.1 later\r\n" if line.startswith(b"RCPT") else None,
        lambda line: b"452 4.2.2 full\r\n" if line.startswith(b"MAIL") else None,
        lambda line: b"535 5.7.8 who?\r\n" if line.startswith(b"AUTH") else None,
        lambda line: b"what?\r\n" if line.startswith(b"DATA") else None,
        lambda line: b"" if line.startswith(b"DATA") else None,
        lambda line: b"250 smarthost.test\r\n" if line.startswith(b"EHLO") else None,  # no TLS, which we require
    ],
)
async def test_a_passing_trouble_is_tried_again(house: House, rule: Callable[[bytes], bytes | None]) -> None:
    async with smarthost(house, rule):
        await submit(house.office(), house, "eve@elsewhere.test")
        await worker(house).work_once()
        assert await waiting(house) == [("eve@elsewhere.test", START + BACK_OFF[0], 1)]
        assert await worker(house).work_once() == 0
        house.now += BACK_OFF[0]
        await worker(house).work_once()
        assert await waiting(house) == [("eve@elsewhere.test", START + BACK_OFF[0] + BACK_OFF[1], 2)]
    assert await house.inbox("ann") == []


async def test_nobody_listens(house: House) -> None:
    async with smarthost(house):
        pass
    await submit(house.office(), house, "eve@elsewhere.test")
    await worker(house).work_once()
    assert await waiting(house) == [("eve@elsewhere.test", START + BACK_OFF[0], 1)]


async def test_after_days_the_sender_is_told(house: House) -> None:
    async with smarthost(house, lambda line: b"451 4.7.1 later\r\n" if line.startswith(b"RCPT") else None):
        await submit(house.office(), house, "eve@elsewhere.test")
        house.now += GIVE_UP_SECONDS
        await worker(house).work_once()
    assert await waiting(house) == []
    [report] = await house.inbox("ann")
    assert b"\r\nStatus: 5.4.7\r\nDiagnostic-Code: smtp; 451 4.7.1 later\r\n" in report


async def test_a_worker_that_died_leaves_its_rows_to_others(house: House) -> None:
    async with smarthost(house) as fake:
        await submit(house.office(), house, "eve@elsewhere.test")

        assert len(await house.database.write(queue.lease_due, "w-1", int(house.now), 10)) == 1
        assert await worker(house).work_once() == 0
        house.now += LEASE_SECONDS
        assert await worker(house).work_once() == 1
        assert len(fake.messages) == 1


async def test_a_removed_account_sends_nothing_more(house: House) -> None:
    async with smarthost(house) as fake:
        await submit(house.office(), house, "eve@elsewhere.test")
        [(blob,)] = await house.database.read(lambda tx: tx.execute("select blob from outgoing"))
        assert await house.database.read(queue.refers_to, blob)
        await house.database.write(forget_account, house.blobs, house.accounts["ann"])
        assert not await house.database.read(queue.refers_to, blob)
        assert await worker(house).work_once() == 0
    assert fake.messages == []


async def test_a_colleague_who_was_full_gets_it_later(house: House) -> None:
    office = house.office()
    bob = house.accounts["bob"]

    async def quota(octets: int) -> None:
        await house.database.write(lambda tx: mailstore.set_quota(tx, bob, octets))

    address = parse_address("bob@example.test")
    assert address is not None
    recipient = await office.database.point(route, address)
    origin = Origin("t-1", parse_address("ann@example.test"), "ESMTPSA", "client", "127.0.0.1")
    submission = Submission(office, house.accounts["ann"], "ann@example.test", origin)
    submission.write(CONTENT)
    incoming = await submission.finish()
    await quota(0)
    await submission.send(incoming, [recipient], [])
    assert await house.inbox("bob") == []
    house.now += 60
    await worker(house).work_once()
    assert [row[2] for row in await waiting(house)] == [1]
    await quota(10**6)
    house.now += BACK_OFF[0]
    await worker(house).work_once()
    [message] = await house.inbox("bob")
    assert message.endswith(CONTENT)
    assert await waiting(house) == []


async def test_the_worker_wakes_for_new_mail_and_ends_when_told(house: House) -> None:
    async with smarthost(house) as fake:
        busy = worker(house)
        task = asyncio.create_task(busy.run())
        await asyncio.sleep(0.05)
        await submit(house.office(), house, "eve@elsewhere.test")
        async with asyncio.timeout(10):
            while await waiting(house):  # noqa: ASYNC110 - the queue tells nobody that it is empty
                await asyncio.sleep(0.01)
        busy.close()
        await task
    assert len(fake.messages) == 1
    assert await house.inbox("ann", INBOX) == []


async def test_a_message_that_breaks_us_keeps_no_other_back(house: House) -> None:
    async with smarthost(house) as far:
        await submit(house.office(), house, "broken@elsewhere.test")
        await house.database.write(lambda tx: tx.execute("update outgoing_recipient set recipient = 'no address'"))
        house.now += 1
        await submit(house.office(), house, "bea@elsewhere.test")
        await worker(house).work_once()
        assert len(far.messages) == 1
        assert await waiting(house) == [("no address", house.now + BACK_OFF[0], 1)]


async def break_(house: House, recipient: str) -> None:
    """Make the row one that no code of ours can handle."""
    await house.database.write(
        lambda tx: tx.execute(
            "update outgoing_recipient set recipient = 'no address' where recipient = :it", it=recipient
        )
    )


async def set_aside(house: House) -> list[tuple[str, str]]:
    rows = await house.database.read(queue.list_waiting, 10)
    return [(row.lease.recipient, row.last_reply) for row in rows if row.next_at == NEVER]


async def test_what_breaks_us_is_set_aside_and_its_sender_told(house: House) -> None:
    async with smarthost(house) as far:
        await submit(house.office(), house, "broken@elsewhere.test")
        await break_(house, "broken@elsewhere.test")
        busy = worker(house)
        for pause in BACK_OFF[: MAX_STUMBLES - 1]:
            assert await busy.work_once() == 1
            assert await set_aside(house) == []
            house.now += pause
        assert await busy.work_once() == 1
        assert await set_aside(house) == [("no address", "AssertionError: only addresses are queued")]
        house.now += 30 * 86_400
        assert await busy.work_once() == 0
        [report] = await house.inbox("ann")
        assert b"\r\nSubject: Delivery Status Notification (Delay)\r\n" in report
        assert b"\r\nYour message to no address has not been delivered so far.\r\n" in report
        assert b"\r\nAction: delayed\r\nStatus: 4.3.0\r\n" in report
        assert b"\r\nSubject: far\r\n" in report

        # The operator has mended it.
        await house.database.write(
            lambda tx: tx.execute("update outgoing_recipient set recipient = 'eve@elsewhere.test'")
        )
        assert await house.database.write(queue.try_again, int(house.now), "another") == 0
        assert await house.database.write(queue.try_again, int(house.now), None) == 1
        await busy.work_once()
        assert len(far.messages) == 1
        assert await blobs_in_queue(house) == 0


async def test_a_recipient_that_breaks_us_costs_the_others_one_try(house: House) -> None:
    async with smarthost(house) as far:
        await submit(house.office(), house, "broken@elsewhere.test", "bea@elsewhere.test", "eve@elsewhere.test")
        await break_(house, "broken@elsewhere.test")
        await worker(house).work_once()
        assert far.messages == []
        house.now += BACK_OFF[0]
        await worker(house).work_once()
        assert sorted(line for line in far.heard if line.startswith(b"RCPT")) == [
            b"RCPT TO:<bea@elsewhere.test>",
            b"RCPT TO:<eve@elsewhere.test>",
        ]
        assert [row[0] for row in await waiting(house)] == ["no address"]


async def test_what_ends_the_process_is_set_aside_too(house: House) -> None:
    async with smarthost(house) as far:
        await submit(house.office(), house, "eve@elsewhere.test")
        for _ in range(MAX_STUMBLES):
            assert (
                len(await house.database.write(queue.lease_due, "w-1", int(house.now), 10)) == 1
            )  # and nobody ends it
            house.now += LEASE_SECONDS
        await worker(house).work_once()
        assert far.messages == []
        assert await set_aside(house) == [("eve@elsewhere.test", "the server ended while it tried this message")]


async def test_a_damaged_message_is_set_aside_and_can_be_given_up(house: House) -> None:
    async with smarthost(house):
        await submit(house.office(), house, "eve@elsewhere.test")
        await house.database.write(lambda tx: tx.execute("update outgoing set blob = :none", none=b"0" * 32))
        for pause in BACK_OFF[:MAX_STUMBLES]:
            await worker(house).work_once()
            house.now += pause
    [(_, reason)] = await set_aside(house)
    assert reason.startswith("BlobMissing: ")
    [row] = await house.database.read(queue.list_waiting, 10)
    message = await house.database.read(queue.find_outgoing, row.lease.account_id, row.lease.transaction_id)
    assert message is not None
    await house.database.write(lambda tx: tx.execute("update outgoing set blob = :blob", blob=message.blob))
    await give_up(house.office(), message, row.lease, OUR_FAULT)
    _, failed = await house.inbox("ann")
    assert b"\r\nAction: failed\r\n" in failed
    assert await blobs_in_queue(house) == 0


async def test_a_store_that_is_full_is_no_fault_of_the_message(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async with smarthost(house) as far:
        await submit(house.office(), house, "eve@elsewhere.test")
        full = worker(house)

        async def deliver(*_: object) -> dict[Lease, Sent]:
            raise StorageFull

        monkeypatch.setattr(full, "_deliver", deliver)
        for pause in BACK_OFF[: MAX_STUMBLES + 1]:
            await full.work_once()
            house.now += pause
        assert await set_aside(house) == []
        house.now += BACK_OFF[MAX_STUMBLES + 1]
        await worker(house).work_once()
        assert len(far.messages) == 1


async def test_who_waited_too_long_for_a_turn_leaves_it_to_others(house: House) -> None:
    async with smarthost(house) as far:
        await submit(house.office(), house, "bea@elsewhere.test")
        busy = worker(house)
        busy._slots = asyncio.Semaphore(0)
        working = asyncio.create_task(busy.work_once())
        async with asyncio.timeout(10):
            while (await waiting(house))[0][2] == 0:  # noqa: ASYNC110 - the row is all there is to see
                await asyncio.sleep(0.01)
        house.now += 61  # an attempt that begins now could outlive its lease
        busy.close()
        busy._slots.release()
        await working
        assert far.heard == []
        assert [row.lease.stumbles for row in await house.database.read(queue.list_waiting, 10)] == [0]
        await worker(house).work_once()
        assert len(far.messages) == 1
