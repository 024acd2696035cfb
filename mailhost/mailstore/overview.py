"""What takes the space in an account, and how its owner makes room: a message into the Trash, the Trash emptied.

Every question here costs a bounded number of rows: counters that are kept anyway, and an index over large messages.
"""

from dataclasses import dataclass
from typing import Final

from mailhost.mailstore.account import take_turn, usage
from mailhost.mailstore.copy import move
from mailhost.mailstore.expunge import expunge
from mailhost.mailstore.labels import Labels, labels_of
from mailhost.mailstore.mailboxes import find_special, list_mailboxes
from mailhost.mailstore.model import RETENTION_SECONDS, Mailbox, NoSuchMessage, Usage
from mailhost.mailstore.retention import removed_messages
from mailhost.message.encoded import decode_header
from mailhost.message.headers import first_values, parse_fields, unpack_fields
from mailhost.storage.database import Row, Tx

LARGE: Final = 100_000
"""Octets from which a message is large: those the index `message_large` holds."""
SIZES: Final = (10_000_000, 1_000_000, LARGE)
"""The classes of large messages: at least so many octets, and less than the one before."""
_TRASH: Final = "\\Trash"
_HEADING: Final = frozenset((b"from", b"subject"))
_CLIPPED: Final = 200  # characters of a subject or a sender


@dataclass(frozen=True, slots=True)
class Kind:
    """The messages of `at_least` octets that are in no larger class: how many, and their octets."""

    at_least: int
    messages: int
    octets: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What an account stores. Mailboxes that share a message count it each; kinds, the largest first, count it once."""

    usage: Usage
    mailboxes: list[Mailbox]
    kinds: list[Kind]


@dataclass(frozen=True, slots=True)
class Listed:
    """A message in a list. `at` is its INTERNALDATE, or when it was removed; `mailboxes` are names, none if removed."""

    id: int
    at: int
    octets: int
    sender: str
    subject: str
    mailboxes: tuple[str, ...] = ()


def overview(tx: Tx, account_id: int) -> Overview:
    """What takes the space, and how much there is. Raises NoSuchAccount."""
    used = usage(tx, account_id)
    kinds: list[Kind] = []
    below = 1 << 62
    for at_least in SIZES:
        [(count, octets)] = tx.execute(
            f"""select count(*), cast(coalesce(sum(octets), 0) as bigint) from message
            where account_id = :account_id and octets >= {LARGE} and removed_at is null
                and octets >= :at_least and octets < :below""",
            account_id=account_id,
            at_least=at_least,
            below=below,
        )
        kinds.append(Kind(at_least, count, octets))
        below = at_least
    rest = Kind(0, used.used_messages - sum(k.messages for k in kinds), used.used_octets - sum(k.octets for k in kinds))
    return Overview(used, list_mailboxes(tx, account_id), [*kinds, rest])


def largest_messages(tx: Tx, account_id: int, *, at_most: int = 25) -> list[Listed]:
    """The largest messages of `LARGE` octets or more, the largest first, with the mailboxes they are in."""
    rows = tx.execute(
        f"""select id, internal_date, octets, fields from message
        where account_id = :account_id and octets >= {LARGE} and removed_at is null
        order by octets desc limit :at_most""",
        account_id=account_id,
        at_most=at_most,
    )
    if not rows:
        return []
    names = {box.id: box.name for box in list_mailboxes(tx, account_id)}
    placed = labels_of(tx, account_id, [row[0] for row in rows])
    return [_listed(row, tuple(names[each] for each in placed.get(row[0], ()) if each in names)) for row in rows]


def undeletable(tx: Tx, account_id: int, now: int, *, at_most: int = 100) -> list[Listed]:
    """The messages removed lately that can still be put back, the last removed first."""
    return [_listed(row) for row in removed_messages(tx, account_id, now - RETENTION_SECONDS, at_most)]


def _listed(row: Row, mailboxes: tuple[str, ...] = ()) -> Listed:
    message_id, at, octets, fields = row
    sender, subject = heading(fields)
    return Listed(message_id, at, octets, sender, subject, mailboxes)


def heading(fields: bytes) -> tuple[str, str]:
    """Sender and subject of a message, decoded, safe to show and clipped, from its column `fields`."""
    values = first_values(parse_fields(unpack_fields(fields)), _HEADING)
    sender, subject = (decode_header(values.get(name, b""))[:_CLIPPED] for name in (b"from", b"subject"))
    return _plain(sender), _plain(subject)


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text).strip()


def discard(tx: Tx, account_id: int, message_id: int, now: int) -> bool:
    """Put a message into the Trash, out of every other mailbox; one that is there already is removed.

    Whether it is removed now; then it can be put back for 30 days. Raises NoSuchMessage, NoSuchAccount.
    """
    turn = take_turn(tx, account_id)
    trash = find_special(tx, account_id, _TRASH)
    places = tx.execute(
        """select mailbox_id, uid from placement where account_id = :account_id and message_id = :message_id
        order by mailbox_id, uid""",
        account_id=account_id,
        message_id=message_id,
    )
    if not places:
        raise NoSuchMessage
    is_there = any(mailbox_id == trash.id for mailbox_id, _ in places)
    if turn.is_gmail:
        labels = Labels(tx, turn, now)
        if is_there:
            labels.erase(trash.id, [message_id])
        else:
            labels.add(trash.id, [message_id])
        return is_there
    if not is_there:
        mailbox_id, uid = places.pop(0)
        move(tx, account_id, mailbox_id, trash.id, [(uid, uid)], now)
    for mailbox_id, uid in places:
        expunge(tx, account_id, mailbox_id, [(uid, uid)], now, only_deleted=False)
    return is_there
