"""Keys that name messages of an account: by what they are called, by their conversation, by a label."""

from collections.abc import Iterable
from typing import Final, assert_never

from mailhost.mailstore.answers import Answer, AnsweredKey, IdentityKey
from mailhost.mailstore.labelnames import SYSTEM_BOXES
from mailhost.mailstore.mailboxes import list_mailboxes
from mailhost.mailstore.messageids import MessageIds
from mailhost.mailstore.model import INBOX, Mailbox
from mailhost.protocols.imap.search import EmailIs, LabelIs, ThreadIs
from mailhost.storage.database import Tx

_EVERY_ID: Final = (1 << 63) - 1
_USES: Final = {
    "sent": "\\Sent",
    "draft": "\\Drafts",
    "drafts": "\\Drafts",
    "spam": "\\Junk",
    "trash": "\\Trash",
    "bin": "\\Trash",
    "important": "\\Important",
    "starred": "\\Flagged",
}
"""What a search calls the system's mailboxes, whatever their names are."""

_SYSTEM: Final = frozenset(box.special_use for box in SYSTEM_BOXES)
_WRITTEN_AS_DASH: Final = str.maketrans(dict.fromkeys('/ &(){}"|', "-"))


def identified(tx: Tx, account_id: int, keys: Iterable[IdentityKey]) -> dict[AnsweredKey, Answer]:
    """Which messages of the account each key names; the threads are complete."""
    return {
        key: Answer(MessageIds(_ids(tx, account_id, key)), _EVERY_ID, is_complete=True, is_exact=True) for key in keys
    }


def _ids(tx: Tx, account_id: int, key: IdentityKey) -> frozenset[int]:
    match key:
        case EmailIs(object_id):
            is_here = object_id.account_id in {None, account_id} and object_id.number <= _EVERY_ID
            return frozenset({object_id.number} if is_here else ())
        case ThreadIs(object_id):
            if object_id.account_id not in {None, account_id}:
                return frozenset()
            rows = tx.execute(
                "select message_id from thread where account_id = :account_id and thread_id = :thread_id",
                account_id=account_id,
                thread_id=min(object_id.number, _EVERY_ID),
            )
            return frozenset(message_id for (message_id,) in rows)
        case LabelIs(name):
            return frozenset().union(*(_inside(tx, account_id, box.id) for box in _labelled(tx, account_id, name)))
        case _:
            assert_never(key)


def _labelled(tx: Tx, account_id: int, name: str) -> list[Mailbox]:
    """The mailboxes that a label means; nested ones do not belong to those above them."""
    mailboxes = list_mailboxes(tx, account_id)
    if not name:
        return [box for box in mailboxes if box.special_use not in _SYSTEM and box.name != INBOX]
    if name in _USES:
        return [box for box in mailboxes if box.special_use == _USES[name]]
    return [box for box in mailboxes if label_in_search(box.name) == label_in_search(name)]


def label_in_search(name: str) -> str:
    """A mailbox name as X-GM-RAW has it: `work/Project X` is `work-project-x`, `R&D (old)` is `r-d--old-`."""
    return name.casefold().translate(_WRITTEN_AS_DASH)


def _inside(tx: Tx, account_id: int, mailbox_id: int) -> frozenset[int]:
    rows = tx.execute(
        "select message_id from placement where account_id = :account_id and mailbox_id = :mailbox_id",
        account_id=account_id,
        mailbox_id=mailbox_id,
    )
    return frozenset(message_id for (message_id,) in rows)
