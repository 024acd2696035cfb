"""The outbound worker: takes what is due from the queue, delivers it, and ends or postpones each recipient's row."""

import asyncio
import ssl
from collections import defaultdict
from typing import Final

from mailhost import observe
from mailhost.delivery.ending import finish, give_up, set_aside
from mailhost.delivery.local import place
from mailhost.delivery.model import NoSuchUser, Office, Origin, RecipientFull, RecipientSuspended
from mailhost.delivery.route import is_ours, route
from mailhost.delivery.send import Sent, send
from mailhost.delivery.sql import forget_receipts
from mailhost.delivery.trace import delivery_prefix
from mailhost.errors import MailhostError
from mailhost.mailstore import Incoming, Intake, NeverFits, NewMessage, NoSuchAccount, OverQuota
from mailhost.protocols.smtp.addresses import Address, parse_address
from mailhost.queue import sql as queue
from mailhost.queue.model import GIVE_UP_SECONDS, LEASE_SECONDS, MAX_STUMBLES, TOPIC, Lease, Outgoing, next_attempt
from mailhost.storage.errors import BlobDamaged, BlobMissing

log = observe.logger()

_BATCH: Final = 100
_AT_ONCE: Final = 10
_LONGEST_SLEEP: Final = 60.0
_ATTEMPT_SECONDS: Final = LEASE_SECONDS - 60
_TIDY_SECONDS: Final = 3600
_MAX_REASON: Final = 500


class Worker:
    """Works on the queue until `close`. Several may run, in several processes: leases keep them apart."""

    def __init__(self, office: Office, context: ssl.SSLContext, name: str) -> None:
        """`context` checks the smarthost's certificate; `name` is the process's, that its leases end when it dies."""
        self._office = office
        self._name = name
        self._context = context
        self._closing = False
        self._news = asyncio.Event()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tidy_at = 0

    async def run(self) -> None:
        """Deliver what is due, sleep until something is, and end once `close` was called and attempts have ended."""
        watch = self._office.database.watch(TOPIC, self._news.set)
        try:
            while not self._closing:
                self._news.clear()
                try:
                    await self.work_once()
                    await self._tidy()
                    pause = await self._pause()
                except MailhostError as error:  # the store is full or away; the mail waits for it
                    log.warning("maintenance.crashed", task="queue", reason=type(error).__name__)
                    pause = _LONGEST_SLEEP
                try:
                    async with asyncio.timeout(pause):
                        await self._news.wait()
                except TimeoutError:
                    continue
        finally:
            watch.close()

    def close(self) -> None:
        """Begin nothing new; `run` returns when what is under way has ended."""
        self._closing = True
        self._news.set()

    async def work_once(self) -> int:
        """One attempt for everything that is due now; returns how many recipients were tried."""
        tried = 0
        while not self._closing:
            now = int(self._office.clock())
            leases = await self._office.database.write(queue.lease_due, self._name, now, _BATCH)
            if not leases:
                break
            tried += len(leases)
            messages: dict[tuple[int, str], list[Lease]] = defaultdict(list)
            for lease in leases:
                messages[lease.account_id, lease.transaction_id].append(lease)
            attempts = [self._attempt(*key, recipients, now + LEASE_SECONDS) for key, recipients in messages.items()]
            # A message that breaks us keeps no other back, least of all in the middle of its content.
            for outcome in await asyncio.gather(*attempts, return_exceptions=True):
                if outcome is not None:
                    raise outcome
        return tried

    async def _pause(self) -> float:
        due = await self._office.database.read(queue.next_due)
        return _LONGEST_SLEEP if due is None else min(max(due - self._office.clock(), 0.0), _LONGEST_SLEEP)

    async def _tidy(self) -> None:
        now = int(self._office.clock())
        if now >= self._tidy_at:
            self._tidy_at = now + _TIDY_SECONDS
            while await self._office.database.write(forget_receipts, now):
                pass

    # One message.

    async def _attempt(self, account_id: int, transaction_id: str, leases: list[Lease], until: float) -> None:
        """`until` is when the leases end."""
        async with self._slots:
            message = await self._office.database.point(queue.find_outgoing, account_id, transaction_id)
            if message is None:
                return
            now = self._office.clock()
            if now > until - _ATTEMPT_SECONDS:  # waited too long: the lease may end before the attempt does
                for lease in leases:
                    await self._office.database.write(queue.leave, lease, int(now))
                return
            if leases[0].stumbles > MAX_STUMBLES:  # nobody lived to tell why; such a row comes alone
                await set_aside(self._office, message, leases[0], "the server ended while it tried this message")
                return
            [outcomes] = await asyncio.gather(self._deliver(message, leases), return_exceptions=True)
            if isinstance(outcomes, BaseException):
                for lease in leases:
                    await self._fail(message, lease, outcomes)
                return
            # Each by itself: what one meets must not have another, who has the message by now, get it again.
            settling = [self._settle(message, lease, outcome) for lease, outcome in outcomes.items()]
            for lease, error in zip(outcomes, await asyncio.gather(*settling, return_exceptions=True), strict=True):
                if error is not None:
                    await self._fail(message, lease, error)

    async def _fail(self, message: Outgoing, lease: Lease, error: BaseException) -> None:
        """We could not do our part, which concerns this row alone."""
        if isinstance(error, MailhostError) and not isinstance(error, (BlobDamaged, BlobMissing)):
            # The store is full or away, and the mail waits for it.
            return await self._settle(message, lease, Sent(451, "4.3.0", type(error).__name__))
        if not isinstance(error, Exception):
            raise error
        log.error(
            "queue.stumbled",
            account=lease.account_id,
            transaction=lease.transaction_id,
            recipient=lease.recipient,
            exc_info=error,
        )
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:_MAX_REASON]
        if lease.stumbles >= MAX_STUMBLES:
            return await set_aside(self._office, message, lease, reason)
        next_at = next_attempt(lease.stumbles, int(self._office.clock()))
        return await self._office.database.write(queue.postpone, lease, next_at, reason, stumbled=True)

    async def _deliver(self, message: Outgoing, leases: list[Lease]) -> dict[Lease, Sent]:
        outcomes: dict[Lease, Sent] = {}
        elsewhere: dict[Address, Lease] = {}
        for lease in leases:
            address = parse_address(lease.recipient)
            if address is None:
                raise AssertionError("only addresses are queued")
            if await self._office.database.point(is_ours, address):
                outcomes[lease] = await self._deliver_here(message, address)
            else:
                elsewhere[address] = lease
        if elsewhere:
            sent = await self._send(message, list(elsewhere))
            outcomes |= {lease: sent[address] for address, lease in elsewhere.items()}
        return outcomes

    async def _send(self, message: Outgoing, recipients: list[Address]) -> dict[Address, Sent]:
        smarthost = self._office.smarthost
        if smarthost is None:
            outcome = Sent(451, "4.4.4", "no smarthost is configured any more")
            return dict.fromkeys(recipients, outcome)
        content = self._office.blobs.stream(message.blob)
        try:
            async with asyncio.timeout(_ATTEMPT_SECONDS):
                return await send(smarthost, self._context, self._office.host, message, recipients, content)
        except TimeoutError:
            return dict.fromkeys(recipients, Sent(421, "4.4.2", f"{smarthost.host} took too long"))

    async def _deliver_here(self, message: Outgoing, address: Address) -> Sent:
        """To an account of ours: what the submitting session could not do itself."""
        office = self._office
        try:
            recipient = await office.database.point(route, address)
            incoming = await self._read_again(message)
            now = int(office.clock())
            sender = parse_address(message.sender) if message.sender else None
            origin = Origin(message.transaction_id, sender, "ESMTP", office.host, "127.0.0.1")
            new = NewMessage(incoming, now, delivery_prefix(origin, office.host, address, now))
            await office.database.write(
                place, office.blobs, recipient.account_id, new, message.transaction_id, message.sender, now
            )
        except NeverFits:
            return Sent(552, "5.2.2", "The message is larger than all the room its recipient has.")
        except (RecipientFull, OverQuota):
            return Sent(452, "4.2.2", "The recipient's inbox is out of storage space.")
        except (NoSuchUser, NoSuchAccount):
            return Sent(550, "5.1.1", "The email account that you tried to reach does not exist.")
        except RecipientSuspended:
            return Sent(550, "5.2.1", "The email account that you tried to reach is disabled.")
        await office.blobs.drop(incoming.blob)  # its octets were there before
        return Sent(250, "2.0.0", "delivered")

    async def _read_again(self, message: Outgoing) -> Incoming:
        intake = Intake(self._office.blobs, message.octets, normalise=False)
        try:
            async for piece in self._office.blobs.stream(message.blob):
                intake.write(piece)
            return await intake.finish()
        except BaseException:
            intake.discard()
            raise

    # The end of an attempt.

    async def _settle(self, message: Outgoing, lease: Lease, outcome: Sent) -> None:
        now = int(self._office.clock())
        log.info(
            "queue.attempted",
            account=lease.account_id,
            transaction=lease.transaction_id,
            recipient=lease.recipient,
            attempt=lease.attempts,
            code=outcome.code,
            answer=outcome.text[:200],
        )
        gives_up = now - message.queued_at >= GIVE_UP_SECONDS
        if outcome.is_delivered:
            await self._office.database.write(finish, self._office.blobs, lease)
        elif outcome.is_permanent or gives_up:
            await give_up(self._office, message, lease, outcome)
        else:
            reply = f"{outcome.code} {outcome.status} {outcome.text}"
            await self._office.database.write(queue.postpone, lease, next_attempt(lease.attempts, now), reply)
