"""Placing new messages into a mailbox (RFC 9051 §6.3.12, RFC 4315)."""

from collections.abc import Iterable, Sequence
from typing import Final

from mailhost.mailstore.account import Turn, admit, charge, take_turns
from mailhost.mailstore.expunge import expunge
from mailhost.mailstore.flags import keyword_mask
from mailhost.mailstore.labels import Labels
from mailhost.mailstore.mailboxes import find_special, load_mailbox
from mailhost.mailstore.model import Appended, Flag, NewMessage, NoSuchMessage
from mailhost.mailstore.placing import leave, place_one, stands, take_uids
from mailhost.mailstore.store import FlagChange, store_flags
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Tx

SENT_COPY_SECONDS = 86_400
ARRIVALS = "arrivals"
"""The topic of new messages in any account."""

# Plain numbers: `&` on members of an enum takes longer than all else that is done with a flag here.
_SEEN: Final = int(Flag.SEEN)
_FLAGGED: Final = int(Flag.FLAGGED)
_DELETED: Final = int(Flag.DELETED)


def append(
    tx: Tx,
    blobs: Blobs,
    account_id: int,
    mailbox_id: int,
    messages: Sequence[NewMessage],
    now: int,
    *,
    folds: bool = False,
) -> Appended:
    """Place messages at the end of a mailbox, all or none; in the gmail layout in All Mail, too.

    With `folds` set, a message that a gmail-layout account has already gets the label instead of a twin.
    Raises NoSuchMailbox, OverQuota, TooManyKeywords, MailboxFull.
    """
    octets = sum(message.octets for message in messages)
    turn, first_id = admit(tx, account_id, octets, len(messages))
    masks = _masks(tx, account_id, messages)
    tx.wake(ARRIVALS)
    if turn.is_gmail:
        arrivals = zip(range(first_id, first_id + len(messages)), masks, messages, strict=True)
        return _append_labelled(tx, blobs, turn, mailbox_id, arrivals, now, folds=folds)
    uid_validity, first_uid = take_uids(
        tx,
        account_id,
        mailbox_id,
        len(messages),
        modseq=turn.modseq,
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
            modseq=turn.modseq,
            flags=mask,
            now=now,
        )
    return Appended(uid_validity, range(first_uid, first_uid + len(messages)))


def _append_labelled(
    tx: Tx,
    blobs: Blobs,
    turn: Turn,
    mailbox_id: int,
    arrivals: Iterable[tuple[int, int, NewMessage]],
    now: int,
    *,
    folds: bool,
) -> Appended:
    """The gmail layout: (id, flags, message) each, under one label and in All Mail; \\Deleted is obeyed at once."""
    uid_validity = load_mailbox(tx, turn.account_id, mailbox_id).uid_validity
    labels = Labels(tx, turn, now)
    boxes = labels.boxes
    folds = folds and mailbox_id not in boxes.ends
    uids = []
    for message_id, mask, message in arrivals:
        flags = mask | _FLAGGED if mailbox_id == boxes.starred else mask
        twin = _find_twin(tx, turn, boxes.ends, message) if folds else None
        if twin is not None:
            charge(tx, turn.account_id, -message.octets, -1)
            uids.append(_label_twin(tx, turn, labels, mailbox_id, twin, now))
            change = FlagChange(set_flags=flags)
            store_flags(tx, turn.account_id, mailbox_id, [(uids[-1], uids[-1])], change, wants_rows=False, now=now)
            continue
        blobs.attach(tx, message.incoming.blob)
        _insert_message(tx, turn.account_id, message_id, message)
        uids.append(place_labelled(tx, turn, labels, mailbox_id, (message_id, flags, message.octets), now))
    return Appended(uid_validity, uids)


def place_labelled(tx: Tx, turn: Turn, labels: Labels, mailbox_id: int, message: tuple[int, int, int], now: int) -> int:
    """Place a message that stands nowhere yet, (id, flags, octets), under one label and in All Mail; its UID."""
    message_id, flags, octets = message
    boxes = labels.boxes
    flags = flags | _FLAGGED if mailbox_id == boxes.starred else flags
    uid = place_one(tx, turn, mailbox_id, message_id, flags, octets, now)
    if mailbox_id not in boxes.ends:
        views = {boxes.all_mail, boxes.starred} if flags & _FLAGGED else {boxes.all_mail}
        for each in sorted(views - {mailbox_id}):
            place_one(tx, turn, each, message_id, flags & ~_DELETED, octets, now)
    if turn.auto_expunge and flags & _DELETED:
        labels.expunge(mailbox_id, [(uid, message_id)])
    return uid


def _find_twin(tx: Tx, turn: Turn, ends: tuple[int, int], message: NewMessage) -> int | None:
    """A message with the same octets outside of Trash and Spam; what was trashed stays there."""
    digest = message.incoming.blob.digest
    prefix, behind = message.incoming.traced or (b"", digest)
    # `+ 0`: else SQLite, which counts no rows, walks through all of the account's.
    [(twin,)] = tx.execute(
        """select min(id) from message
        where account_id + 0 = :account_id and blob in (:blob, :behind)
            and prefix = case when blob = :blob then :no_prefix else :prefix end
            and exists (select 1 from placement where placement.account_id = :account_id and message_id = id
                and mailbox_id not in (:trash, :spam))""",
        account_id=turn.account_id,
        trash=ends[0],
        spam=ends[1],
        blob=digest,
        no_prefix=message.prefix,
        behind=behind,
        prefix=prefix,
    )
    return None if twin is None else int(twin)


def _label_twin(tx: Tx, turn: Turn, labels: Labels, mailbox_id: int, twin: int, now: int) -> int:
    """Give the message the label, under a new UID in any case: the client expects one."""
    if stands(tx, turn.account_id, mailbox_id, [twin]):
        [(flags, octets)] = tx.execute(
            """select flags, octets from placement
            join message on message.account_id = placement.account_id and message.id = message_id
            where placement.account_id = :account_id and mailbox_id = :mailbox_id and message_id = :twin""",
            account_id=turn.account_id,
            mailbox_id=mailbox_id,
            twin=twin,
        )
        leave(tx, turn, [twin], now, mailboxes=(mailbox_id,))
        return place_one(tx, turn, mailbox_id, twin, flags & ~_DELETED, octets, now)
    labels.add(mailbox_id, [twin])
    return stands(tx, turn.account_id, mailbox_id, [twin])[twin]


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
    return append(tx, blobs, account_id, mailbox_id, messages, now, folds=True)


def replace_message(
    tx: Tx, blobs: Blobs, account_id: int, source: tuple[int, int, int], mailbox_id: int, message: NewMessage, now: int
) -> Appended:
    """Place a message and take away the one it replaces, (account, mailbox, UID) `source`: both or neither (RFC 8508).

    The old one goes first, so that a full account can still save a draft anew. Raises NoSuchMessage and what `append`
    raises.
    """
    source_account, source_id, uid = source
    take_turns(tx, source_account, account_id)
    if not expunge(tx, source_account, source_id, [(uid, uid)], now, only_deleted=False, everywhere=True):
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
        expunge(tx, account_id, mailbox_id, [(uid, uid)], now, only_deleted=False, everywhere=True)


def _masks(tx: Tx, account_id: int, messages: Sequence[NewMessage]) -> list[int]:
    masks, promised = [], 0
    for message in messages:
        if message.keywords:
            masks.append(keyword_mask(tx, account_id, message.keywords, create=True, promised=promised) | message.flags)
            promised |= masks[-1]
        else:
            masks.append(message.flags)
    return masks


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
