"""How an account shows its mail: classic folders, or labels as Gmail has them; and what its owner can set there."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from mailhost.mailstore.account import mailboxes_topic, raise_modseq
from mailhost.mailstore.labelnames import ROOT
from mailhost.mailstore.mailboxes import find_mailbox
from mailhost.mailstore.model import INBOX, BadMailboxName, Flag, Mailbox, NoSuchAccount
from mailhost.storage.database import Tx

MAX_FOLDER_LIMIT: Final = 1_000_000


class Layout(Enum):
    """The two ways to show an account's mail."""

    CLASSIC = "classic"
    """Folders: what is in none of them any more is removed."""
    GMAIL = "gmail"
    """Labels, with All Mail, Starred and Important as views."""


class OnExpunge(Enum):
    """What becomes of a message that is expunged from the last label IMAP shows; not asked where \\Deleted expunges."""

    ARCHIVE = "archive"
    TRASH = "trash"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """What the owner of a gmail-layout account decides about IMAP.

    `auto_expunge`: \\Deleted takes a label away at once; then `on_expunge` is not asked. `folder_limit`: a mailbox
    shows its newest so many messages, 0 for all.
    """

    auto_expunge: bool = True
    on_expunge: OnExpunge = OnExpunge.ARCHIVE
    folder_limit: int = 0


def layout_of(tx: Tx, account_id: int) -> Layout:
    """The account's layout. Raises NoSuchAccount."""
    rows = tx.execute(
        "select layout from mail_account where account_id = :account_id and state = 'live'", account_id=account_id
    )
    if not rows:
        raise NoSuchAccount
    return Layout(rows[0][0])


def label_settings(tx: Tx, account_id: int) -> LabelSettings:
    """What the account's owner has set. Raises NoSuchAccount."""
    rows = tx.execute(
        """select auto_expunge, on_expunge, folder_limit from mail_account
        where account_id = :account_id and state = 'live'""",
        account_id=account_id,
    )
    if not rows:
        raise NoSuchAccount
    [(auto_expunge, on_expunge, folder_limit)] = rows
    return LabelSettings(bool(auto_expunge), OnExpunge(on_expunge), folder_limit)


def settings_shown(tx: Tx, account_id: int) -> LabelSettings | None:
    """The settings where the account shows labels, None where it shows folders. Raises NoSuchAccount."""
    return label_settings(tx, account_id) if layout_of(tx, account_id) is Layout.GMAIL else None


def set_label_settings(tx: Tx, account_id: int, settings: LabelSettings) -> None:
    """Change what the owner has set; it counts from the next command on. Raises NoSuchAccount."""
    raise_modseq(tx, account_id)
    tx.execute(
        """update mail_account set auto_expunge = :auto_expunge, on_expunge = :on_expunge, folder_limit = :folder_limit
        where account_id = :account_id""",
        account_id=account_id,
        auto_expunge=int(settings.auto_expunge),
        on_expunge=settings.on_expunge.value,
        folder_limit=settings.folder_limit,
    )


def hidden_mailboxes(tx: Tx, account_id: int) -> set[str]:
    """The names that LIST leaves out in the gmail layout."""
    rows = tx.execute("select name from mailbox where account_id = :account_id and is_shown = 0", account_id=account_id)
    return {row[0] for row in rows}


def clip(tx: Tx, account_id: int, mailbox: Mailbox, limit: int) -> tuple[Mailbox, int]:
    """The mailbox as if only its newest `limit` messages were there (0: all), and the first UID of those."""
    if not 0 < limit < mailbox.messages:
        return mailbox, 1
    keys = {"account_id": account_id, "mailbox_id": mailbox.id}
    [(first_uid,)] = tx.execute(
        """select uid from placement where account_id = :account_id and mailbox_id = :mailbox_id
        order by uid desc limit 1 offset :before""",
        before=limit - 1,
        **keys,
    )
    [(unseen, deleted, octets)] = tx.execute(
        f"""select sum(1 - flags % 2), sum(flags / {int(Flag.DELETED)} % 2), sum(octets) from placement
        join message on message.account_id = placement.account_id and message.id = message_id
        where placement.account_id = :account_id and mailbox_id = :mailbox_id and uid >= :first_uid""",
        first_uid=first_uid,
        **keys,
    )
    return (
        replace(mailbox, messages=limit, unseen=int(unseen), deleted=int(deleted), octets=int(octets)),
        int(first_uid),
    )


def show_mailbox(tx: Tx, account_id: int, name: str, *, is_shown: bool) -> None:
    """Let LIST show a mailbox of the gmail layout, or leave it out; INBOX it always tells (RFC 9051 §6.3.9).

    Raises NoSuchAccount, NoSuchMailbox, BadMailboxName.
    """
    raise_modseq(tx, account_id)
    mailbox = find_mailbox(tx, account_id, name)
    if not is_shown and mailbox.name in (INBOX, ROOT):
        raise BadMailboxName(f"{mailbox.name} is always shown; hide another label.")
    tx.execute(
        "update mailbox set is_shown = :is_shown where account_id = :account_id and id = :id",
        account_id=account_id,
        id=mailbox.id,
        is_shown=int(is_shown),
    )
    tx.wake(mailboxes_topic(account_id))
