"""Mail from our own people: what they may say, what is added and taken off, and where it goes."""

import re
import secrets
from collections.abc import Sequence
from typing import Final

from mailhost.delivery.header import HeaderGate, refuse_loop, without_our_results
from mailhost.delivery.local import place
from mailhost.delivery.model import DailyLimitReached, Office, Origin, Recipient, SenderNotYours
from mailhost.delivery.route import belongs_to
from mailhost.delivery.sql import count_submissions, note_submission
from mailhost.delivery.trace import date_text, delivery_prefix, received
from mailhost.errors import MailhostError
from mailhost.mailstore.append import file_sent_copy
from mailhost.mailstore.intake import Intake
from mailhost.mailstore.model import Flag, Incoming, NewMessage, OverQuota
from mailhost.message.addresses import MISSING_HOST, MISSING_MAILBOX, parse_addresses
from mailhost.message.headers import parse_fields
from mailhost.message.mime import unfold
from mailhost.protocols.smtp.addresses import Address, parse_address
from mailhost.queue import sql as queue
from mailhost.queue.model import Lease, Outgoing
from mailhost.storage.database import Tx

_FIRST_FIELD: Final = re.compile(rb"[!-9;-~]+[ \t]*:")
_SECRET: Final = frozenset({b"bcc", b"resent-bcc"})
_MAX_SHOWN: Final = 320  # octets of somebody's From that a reply repeats: its lines are short (RFC 5321 §4.5.3.1.5)
_HOLD_SECONDS: Final = 60  # how long the worker leaves rows alone that the submitting session delivers itself


def check_sender(owner: str, address: Address | None) -> None:
    """An envelope sender must be the account's own; the null sender is for receipts. Raises SenderNotYours."""
    if address is not None and not belongs_to(owner, address):
        raise SenderNotYours(str(address), owner)


def check_daily_limit(tx: Tx, account_id: int, limit: int, now: int) -> None:
    """Raises DailyLimitReached."""
    if count_submissions(tx, account_id, now) >= limit:
        raise DailyLimitReached(limit)


class Submission:
    """Takes one message from the account `owner` and hands it on."""

    def __init__(self, office: Office, account_id: int, owner: str, origin: Origin) -> None:
        self._office = office
        self._account_id = account_id
        self._owner = owner
        self._origin = origin
        self._gate = HeaderGate(self._finish_header)
        self._intake = Intake(office.blobs, office.max_message, normalise=False)
        self._bcc = b""

    def write(self, chunk: bytes) -> None:
        """Take the next octets. Raises SenderNotYours, MailLoop, HeaderTooLarge, MessageTooLarge, StorageError."""
        content = self._gate.feed(chunk)
        if content:
            self._intake.write(content)

    async def finish(self) -> Incoming:
        """The message as it will be sent: header and body are final from here on, which is where it can be signed."""
        rest = self._gate.finish()
        if rest:
            self._intake.write(rest)
        return await self._intake.finish()

    def discard(self) -> None:
        """Forget what came; harmless at any time."""
        self._intake.discard()

    async def send(self, incoming: Incoming, local: Sequence[Recipient], remote: Sequence[Address]) -> None:
        """Answer for the message: queued to everybody and filed in \\Sent, and our own people have it already.

        Raises DailyLimitReached, OverQuota (the Sent copy does not fit), StorageError; then nothing was sent.
        """
        now = int(self._office.clock())
        try:
            await self._office.database.write(self._commit, incoming, local, remote, now)
        except (DailyLimitReached, OverQuota):
            await self._office.blobs.drop(incoming.blob)
            raise
        await self._office.blobs.drop(incoming.blob)  # where its octets were there before
        for recipient in local:
            try:
                await self._office.database.write(self._deliver, incoming, recipient, now)
            except MailhostError:
                continue  # it stays queued; the worker tries again, and bounces it if it must

    def _commit(
        self, tx: Tx, incoming: Incoming, local: Sequence[Recipient], remote: Sequence[Address], now: int
    ) -> None:
        origin, office = self._origin, self._office
        check_daily_limit(tx, self._account_id, office.daily_messages, now)
        if not note_submission(tx, self._account_id, origin.transaction_id, len(local) + len(remote), now):
            return
        copy = NewMessage(incoming, now, prefix=self._bcc, flags=Flag.SEEN)
        file_sent_copy(tx, office.blobs, self._account_id, copy, now)
        addresses = [recipient.address for recipient in local] + list(remote)
        prefix = received(origin, office.host, None, now).encode()
        message = Outgoing(
            self._account_id,
            origin.transaction_id,
            str(origin.sender or ""),
            incoming.blob.digest,
            prefix,
            len(prefix) + incoming.blob.size,
            is_utf8=not all(address.is_ascii for address in (*addresses, *filter(None, [origin.sender]))),
            is_8bit=incoming.digest.has_8bit,
            queued_at=now,
        )
        first_tries = {str(recipient.address): now + _HOLD_SECONDS for recipient in local}
        queue.enqueue(tx, message, first_tries | {str(address): now for address in remote})

    def _deliver(self, tx: Tx, incoming: Incoming, recipient: Recipient, now: int) -> None:
        prefix = delivery_prefix(self._origin, self._office.host, recipient.address, now)
        origin = self._origin
        sender = str(origin.sender or "")
        place(
            tx,
            self._office.blobs,
            recipient.account_id,
            NewMessage(incoming, now, prefix),
            origin.transaction_id,
            sender,
            now,
        )
        lease = Lease(self._account_id, origin.transaction_id, str(recipient.address), attempts=0, stumbles=0)
        if (blob := queue.finish(tx, lease)) is not None:
            self._office.blobs.release(tx, blob)

    def _finish_header(self, header: bytes) -> bytes:
        """Check From, take Bcc off, add what is missing (RFC 6409 §8)."""
        refuse_loop(header)
        if header and not _FIRST_FIELD.match(header):
            header = b"\r\n" + header  # the message has no header at all; what came is its body
            return self._added(frozenset()) + header
        fields = parse_fields(header)
        self._check_from([unfold(value) for name, value, _ in fields if name == b"from"])
        self._bcc = b"".join(lines for name, _, lines in fields if name in _SECRET)
        if self._bcc:
            header = b"".join(lines for name, _, lines in fields if name not in _SECRET)
        return self._added(frozenset(name for name, _, _ in fields)) + without_our_results(header, self._office.host)

    def _check_from(self, values: list[bytes]) -> None:
        if len(values) > 1:
            raise SenderNotYours("a message with several From fields", self._owner)
        for value in values:
            authors = parse_addresses(value)
            if not authors:
                raise SenderNotYours("a From field without an address", self._owner)
            for author in authors:
                if author.host in (None, MISSING_HOST) or author.mailbox == MISSING_MAILBOX:
                    raise SenderNotYours(f"{_shown(value.strip())}, which is no whole address", self._owner)
                text = b"%s@%s" % (author.mailbox or b"", author.host or b"")
                address = parse_address(text.decode("utf-8", "replace"))
                if address is None or not belongs_to(self._owner, address):
                    raise SenderNotYours(_shown(text), self._owner)

    def _added(self, names: frozenset[bytes]) -> bytes:
        """The fields a message must have and this one has not."""
        now = int(self._office.clock())
        lines = []
        if b"from" not in names:
            lines.append(f"From: <{self._origin.sender or self._owner}>")
        if b"date" not in names:
            lines.append(f"Date: {date_text(now)}")
        if b"message-id" not in names:
            lines.append(f"Message-ID: <{now}.{secrets.token_hex(8)}@{self._owner.rpartition('@')[2]}>")
        return "".join(line + "\r\n" for line in lines).encode()


def _shown(octets: bytes) -> str:
    """What somebody wrote, short enough for a reply."""
    return octets[:_MAX_SHOWN].decode("utf-8", "replace") + ("…" if len(octets) > _MAX_SHOWN else "")
