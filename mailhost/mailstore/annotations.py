"""Annotations: what clients note beside mailboxes and the server, for themselves or for all who see them (RFC 5464)."""

from collections.abc import Mapping
from typing import Final

from mailhost.errors import MailhostError
from mailhost.mailstore.account import EVERYBODY, raise_modseq
from mailhost.mailstore.mailboxes import mailbox_topic
from mailhost.storage.database import Tx

SERVER: Final = 0
"""The mailbox that stands for the server; an account's /private entries about it are the account's."""
NO_ACCOUNT: Final = 0
"""Holds what a domain's administrator says of the server to all its accounts, with the domain's id as mailbox."""

MAX_VALUE: Final = 65_536
MAX_ENTRIES: Final = 100
"""Of one mailbox, shared or of one reader."""
MAX_OCTETS: Final = 16 * 1024**2
"""Of all values in an account."""
MAX_OCTETS_OF_OTHERS: Final = 1024**2
"""Of the values that one reader keeps beside another's mailboxes: they count against their owner."""


class AnnotationTooLarge(MailhostError):
    """A value is longer than `MAX_VALUE`."""


class TooManyAnnotations(MailhostError):
    """There are as many entries as there can be, or as many octets in their values."""


def annotations(tx: Tx, account_id: int, mailbox_id: int, reader_id: int) -> dict[str, bytes]:
    """The entries of a mailbox that a reader sees: the shared ones and its own, by name."""
    rows = tx.execute(
        """select entry, value from annotation
        where account_id = :account_id and mailbox_id = :mailbox_id and reader_id in (:reader_id, 0)
            and value is not null order by entry""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        reader_id=reader_id,
    )
    return {entry: bytes(value) for entry, value in rows}


def changed_entries(tx: Tx, account_id: int, mailbox_id: int, reader_id: int, since: int) -> list[str]:
    """The entries a reader sees that changed or went after a modseq of the mailbox."""
    rows = tx.execute(
        """select entry from annotation
        where account_id = :account_id and mailbox_id = :mailbox_id and reader_id in (:reader_id, 0)
            and modseq > :since order by entry""",
        account_id=account_id,
        mailbox_id=mailbox_id,
        reader_id=reader_id,
        since=since,
    )
    return [row[0] for row in rows]


def server_topic(account_id: int, domain_id: int) -> str:
    """Woken when entries of the server change: an account's own, or with NO_ACCOUNT those of a domain."""
    return f"server:{account_id}:{domain_id}"


def server_entries(tx: Tx, account_id: int, domain_id: int) -> dict[str, int]:
    """Each entry of the server that was ever set for an account or its domain, and how often."""
    rows = tx.execute(
        """select entry, modseq from annotation
        where (account_id = :account_id and mailbox_id = :server and reader_id = :account_id)
            or (account_id = :no_account and mailbox_id = :domain_id and reader_id = :everybody) order by entry""",
        account_id=account_id,
        server=SERVER,
        no_account=NO_ACCOUNT,
        domain_id=domain_id,
        everybody=EVERYBODY,
    )
    return dict(rows)


def annotate_mailbox(
    tx: Tx, account_id: int, mailbox_id: int, reader_id: int, values: Mapping[str, bytes | None]
) -> tuple[int, int]:
    """Set entries of a mailbox, or remove those with None; all or none.

    Returns the mailbox's HIGHESTMODSEQ before and after: other sessions hear of it as of any change.
    Raises NoSuchAccount, AnnotationTooLarge, TooManyAnnotations.
    """
    modseq = raise_modseq(tx, account_id)
    _set(tx, account_id, mailbox_id, reader_id, values, modseq)
    rows = tx.execute(
        "select highest_modseq from mailbox where account_id = :account_id and id = :id",
        account_id=account_id,
        id=mailbox_id,
    )
    tx.execute(
        "update mailbox set highest_modseq = :modseq where account_id = :account_id and id = :id",
        account_id=account_id,
        id=mailbox_id,
        modseq=modseq,
    )
    tx.wake(mailbox_topic(account_id, mailbox_id))
    return rows[0][0], modseq


def annotate_server(
    tx: Tx, account_id: int, domain_id: int, reader_id: int, values: Mapping[str, bytes | None]
) -> None:
    """Set entries of the server: with NO_ACCOUNT the shared ones of a domain, else an account's own with SERVER.

    Raises AnnotationTooLarge, TooManyAnnotations.
    """
    _set(tx, account_id, domain_id, reader_id, values, None)
    tx.wake(server_topic(account_id, domain_id))


def _set(
    tx: Tx, account_id: int, mailbox_id: int, reader_id: int, values: Mapping[str, bytes | None], modseq: int | None
) -> None:
    """`modseq` is None for entries of the server, which count how often they were set."""
    for entry, value in values.items():
        if value is not None and len(value) > MAX_VALUE:
            raise AnnotationTooLarge
        tx.execute(
            """insert into annotation (account_id, mailbox_id, reader_id, entry, value, modseq)
            values (:account_id, :mailbox_id, :reader_id, :entry, :value, coalesce(cast(:modseq as bigint), 1))
            on conflict (account_id, mailbox_id, reader_id, entry)
            do update set value = :value, modseq = coalesce(cast(:modseq as bigint), annotation.modseq + 1)""",
            account_id=account_id,
            mailbox_id=mailbox_id,
            reader_id=EVERYBODY if entry.startswith("/shared") else reader_id,
            entry=entry,
            value=value,
            modseq=modseq,
        )
    _check_room(tx, account_id, mailbox_id, reader_id)


def _check_room(tx: Tx, account_id: int, mailbox_id: int, reader_id: int) -> None:
    """Removed entries are remembered, so that sessions hear of it; they count, and go when there are too many."""
    for reader in {EVERYBODY, reader_id}:
        keys = {"account_id": account_id, "mailbox_id": mailbox_id, "reader_id": reader}
        [(live, removed)] = tx.execute(
            """select count(value), count(*) - count(value) from annotation
            where account_id = :account_id and mailbox_id = :mailbox_id and reader_id = :reader_id""",
            **keys,
        )
        if live > MAX_ENTRIES:
            raise TooManyAnnotations
        if removed > MAX_ENTRIES:
            tx.execute(
                """delete from annotation where account_id = :account_id and mailbox_id = :mailbox_id
                    and reader_id = :reader_id and value is null""",
                **keys,
            )
    [(octets, own)] = tx.execute(
        """select cast(coalesce(sum(length(value)), 0) as bigint),
            cast(coalesce(sum(case when reader_id = :reader_id then length(value) else 0 end), 0) as bigint)
        from annotation where account_id = :account_id""",
        account_id=account_id,
        reader_id=reader_id,
    )
    if octets > MAX_OCTETS or (reader_id not in {account_id, EVERYBODY} and own > MAX_OCTETS_OF_OTHERS):
        raise TooManyAnnotations
