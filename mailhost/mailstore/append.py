"""Placing new messages into a mailbox (RFC 9051 §6.3.12, RFC 4315)."""

from collections.abc import Sequence
from typing import Final

from mailhost.mailstore.account import admit
from mailhost.mailstore.expunge import expunge
from mailhost.mailstore.flags import keyword_mask
from mailhost.mailstore.mailboxes import find_special, load_mailbox, mailbox_topic
from mailhost.mailstore.model import MAX_UID, Appended, Flag, MailboxFull, NewMessage, NoSuchMailbox, NoSuchMessage
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Tx

SENT_COPY_SECONDS = 86_400
ARRIVALS = "arrivals"
"""The topic of new messages in any account."""

# Plain numbers: `&` on members of an enum takes longer than all else that is done with a flag here.
_SEEN: Final = int(Flag.SEEN)
_DELETED: Final = int(Flag.DELETED)


def append(
    tx: Tx, blobs: Blobs, account_id: int, mailbox_id: int, messages: Sequence[NewMessage], now: int
) -> Appended:
    """Place messages at the end of a mailbox, all or none.

    Raises NoSuchMailbox, OverQuota, TooManyKeywords, MailboxFull.
    """
    octets = sum(message.octets for message in messages)
    modseq, first_id = admit(tx, account_id, octets, len(messages))
    masks = [_mask(tx, account_id, message) for message in messages]
    uid_validity, first_uid = take_uids(
        tx,
        account_id,
        mailbox_id,
        len(messages),
        modseq=modseq,
        octets=octets,
        unseen=sum(not mask & _SEEN for mask in masks),
        deleted=sum(mask & _DELETED == _DELETED for mask in masks),
    )
    for number, (message, mask) in enumerate(zip(messages, masks, strict=True)):
        blobs.attach(tx, message.incoming.blob)
        _insert_message(tx, account_id, first_id + number, message)
        tx.execute(
            """insert into placement (account_id, mailbox_id, uid, message_id, modseq, flags, saved_at)
            values (:account_id, :mailbox_id, :uid, :message_id, :modseq, :flags, :now)""",
            account_id=account_id,
            mailbox_id=mailbox_id,
            uid=first_uid + number,
            message_id=first_id + number,
            modseq=modseq,
            flags=mask,
            now=now,
        )
    tx.wake(ARRIVALS)
    return Appended(uid_validity, range(first_uid, first_uid + len(messages)))


def take_uids(
    tx: Tx,
    account_id: int,
    mailbox_id: int,
    count: int,
    *,
    modseq: int,
    octets: int,
    unseen: int,
    deleted: int,
) -> tuple[int, int]:
    """Reserve `count` UIDs for placements about to be made and count them in; returns (UIDVALIDITY, first UID).

    The account's modseq was raised before. Raises NoSuchMailbox, MailboxFull. RFC 9051 §2.3.1.1
    """
    rows = tx.execute(
        """update mailbox set uid_next = uid_next + :count, highest_modseq = :modseq, messages = messages + :count,
            unseen = unseen + :unseen, deleted = deleted + :deleted, octets = octets + :octets
        where account_id = :account_id and id = :mailbox_id and is_selectable = 1
        returning uid_validity, uid_next - :count""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        count=count,
        modseq=modseq,
        unseen=unseen,
        deleted=deleted,
        octets=octets,
    )
    if not rows:
        raise NoSuchMailbox
    uid_validity, first_uid = rows[0]
    if first_uid + count > MAX_UID:
        raise MailboxFull
    tx.wake(mailbox_topic(account_id, mailbox_id))
    return uid_validity, first_uid


def file_sent_copy(tx: Tx, blobs: Blobs, account_id: int, message: NewMessage, now: int) -> None:
    """Keep a copy of a submitted message in \\Sent; the client's own copy takes its place if it comes within a day."""
    mailbox = find_special(tx, account_id, "\\Sent")
    appended = append(tx, blobs, account_id, mailbox.id, [message], now)
    header_id = message.incoming.digest.message_id
    tx.execute("delete from sent_copy where filed_at < :oldest", oldest=now - SENT_COPY_SECONDS)
    if header_id:
        tx.execute(
            """insert into sent_copy (account_id, header_id, mailbox_id, uid, filed_at)
            values (:account_id, :header_id, :mailbox_id, :uid, :now)
            on conflict (account_id, header_id) do update set mailbox_id = :mailbox_id, uid = :uid, filed_at = :now""",
            account_id=account_id,
            header_id=header_id,
            mailbox_id=mailbox.id,
            uid=appended.uids[0],
            now=now,
        )


def append_from_client(
    tx: Tx, blobs: Blobs, account_id: int, mailbox_id: int, messages: Sequence[NewMessage], now: int
) -> Appended:
    """`append`, where a copy that we filed in \\Sent makes room for the client's own copy of the same message."""
    if load_mailbox(tx, account_id, mailbox_id).special_use == "\\Sent":
        for message in messages:
            _withdraw_sent_copy(tx, account_id, mailbox_id, message, now)
    return append(tx, blobs, account_id, mailbox_id, messages, now)


def replace_message(
    tx: Tx, blobs: Blobs, account_id: int, source: tuple[int, int], mailbox_id: int, message: NewMessage, now: int
) -> Appended:
    """Place a message and take away the one it replaces, (mailbox, UID) `source`: both or neither (RFC 8508).

    The old one goes first, so that a full account can still save a draft anew. Raises NoSuchMessage and what `append`
    raises.
    """
    source_id, uid = source
    if not expunge(tx, account_id, source_id, [(uid, uid)], now, only_deleted=False):
        raise NoSuchMessage
    return append_from_client(tx, blobs, account_id, mailbox_id, [message], now)


def _withdraw_sent_copy(tx: Tx, account_id: int, mailbox_id: int, message: NewMessage, now: int) -> None:
    header_id = message.incoming.digest.message_id
    if not header_id:
        return
    rows = tx.execute(
        """delete from sent_copy where account_id = :account_id and header_id = :header_id
            and mailbox_id = :mailbox_id and filed_at >= :oldest returning uid""",
        account_id=account_id,
        header_id=header_id,
        mailbox_id=mailbox_id,
        oldest=now - SENT_COPY_SECONDS,
    )
    if rows:
        uid = rows[0][0]
        expunge(tx, account_id, mailbox_id, [(uid, uid)], now, only_deleted=False)


def _mask(tx: Tx, account_id: int, message: NewMessage) -> int:
    if not message.keywords:
        return message.flags
    return message.flags | keyword_mask(tx, account_id, message.keywords, create=True)


def _insert_message(tx: Tx, account_id: int, message_id: int, message: NewMessage) -> None:
    digest = message.incoming.digest
    tx.execute(
        """insert into message (account_id, id, blob, prefix, octets, header_octets, internal_date, sent_date, sent_day,
            envelope, bodystructure, parts, fields, preview, open_end)
        values (:account_id, :id, :blob, :prefix, :octets, :header_octets, :internal_date, :sent_date, :sent_day,
            :envelope, :bodystructure, :parts, :fields, :preview, :open_end)""",
        account_id=account_id,
        id=message_id,
        blob=message.incoming.blob.digest,
        prefix=message.prefix,
        octets=message.octets,
        header_octets=digest.header_size,
        internal_date=message.internal_date,
        sent_date=digest.date,
        sent_day=digest.sent_day,
        envelope=digest.envelope,
        bodystructure=digest.bodystructure,
        parts=digest.parts,
        fields=digest.fields,
        preview=digest.preview,
        open_end=int(message.incoming.open_end),
    )
