"""How a recipient's row ends: served, given up, or set aside for the operator; and what the sender is told of it."""

from typing import Final

from mailhost import observe
from mailhost.delivery.bounce import bounce
from mailhost.delivery.local import place
from mailhost.delivery.model import Office
from mailhost.delivery.send import Sent
from mailhost.mailstore import Intake, NewMessage, NoSuchAccount, OverQuota
from mailhost.queue import sql as queue
from mailhost.queue.model import NEVER, Lease, Outgoing
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Tx
from mailhost.storage.errors import BlobDamaged, BlobMissing

log = observe.logger()

OUR_FAULT: Final = Sent(
    451, "4.3.0", "This server made a mistake over the message, which its administrator has to mend."
)
"""What the sender is told of a message that is set aside."""
_MAX_REPORTED_HEADER: Final = 65_536


def finish(tx: Tx, blobs: Blobs, lease: Lease) -> None:
    """Drop the row, and with a message's last one the message."""
    if (blob := queue.finish(tx, lease)) is not None:
        blobs.release(tx, blob)


async def give_up(office: Office, message: Outgoing, lease: Lease, outcome: Sent) -> None:
    """Tell the sender, unless it is nobody, and drop the row in the same transaction."""
    if message.sender:
        report = await _report(office, message, lease, outcome, is_final=True)
        try:
            await office.database.write(_finish_with_report, office, lease, report)
        except (OverQuota, NoSuchAccount):  # the sender has no room for bad news, or is gone
            await office.database.write(finish, office.blobs, lease)
    else:
        await office.database.write(finish, office.blobs, lease)


async def set_aside(office: Office, message: Outgoing, lease: Lease, reason: str) -> None:
    """Keep the row for the operator, out of everybody's way; then tell the sender, who may not want to wait."""
    await office.database.write(queue.postpone, lease, NEVER, reason, stumbled=True)
    log.error(
        "queue.shelved",
        account=lease.account_id,
        transaction=lease.transaction_id,
        recipient=lease.recipient,
        reason=reason,
    )
    if message.sender:
        report = await _report(office, message, lease, OUR_FAULT, is_final=False)
        try:
            await office.database.write(_post, office, lease, report, "/set-aside")
        except (OverQuota, NoSuchAccount):
            return


async def _report(office: Office, message: Outgoing, lease: Lease, outcome: Sent, *, is_final: bool) -> NewMessage:
    try:
        content = await office.blobs.read(message.blob, 0, _MAX_REPORTED_HEADER)
    except (BlobDamaged, BlobMissing):  # the news counts more than what is quoted in it
        content = b""
    now = int(office.clock())
    header = message.prefix + content.partition(b"\r\n\r\n")[0]
    intake = Intake(office.blobs, 10 * _MAX_REPORTED_HEADER, normalise=True)
    intake.write(bounce(office.host, message, lease.recipient, outcome, header, now, is_final=is_final))
    return NewMessage(await intake.finish(), now, b"Return-Path: <>\r\n")


def _finish_with_report(tx: Tx, office: Office, lease: Lease, report: NewMessage) -> None:
    _post(tx, office, lease, report)
    finish(tx, office.blobs, lease)


def _post(tx: Tx, office: Office, lease: Lease, report: NewMessage, kind: str = "") -> None:
    key = f"{lease.transaction_id}/{lease.recipient}{kind}"
    place(tx, office.blobs, lease.account_id, report, key, "", report.internal_date)
