"""What must hold for every account in the gmail layout between two transactions, looked up in the rows themselves."""

from collections import defaultdict

from mailhost import mailstore
from mailhost.mailstore import Flag, Layout, switching
from mailhost.mailstore.emptying import empty_more
from mailhost.mailstore.knowing import KnownMailboxes
from mailhost.mailstore.labels import find_boxes
from mailhost.mailstore.mailboxes import list_mailboxes
from mailhost.mailstore.model import MAX_UID
from mailhost.mailstore.rows import live_rows
from mailhost.storage.database import Database, Tx

Placements = dict[int, dict[int, tuple[int, int]]]
"""Message → mailbox → (uid, flags)."""


def set_layout(tx: Tx, account: int, layout: Layout, now: int) -> None:
    """What `switch_layout` does in many transactions, in one."""
    switching.ask_layout(tx, account, layout)
    while (stage := switching.look(tx, account)) is not None:
        if stage.is_emptying:
            empty_more(tx, account, now)
        elif stage.ids:
            switching.step(tx, account, stage, stage.ids, now)
        else:
            assert switching.end_stage(tx, account, stage)


def placements_of(tx: Tx, account: int) -> Placements:
    """Every placement; a message that stands twice in a mailbox fails here."""
    found: Placements = defaultdict(dict)
    for mailbox, uid, message, flags in tx.execute(
        "select mailbox_id, uid, message_id, flags from placement where account_id = :account", account=account
    ):
        assert mailbox not in found[message], f"message {message} stands twice in mailbox {mailbox}"
        found[message][mailbox] = (uid, flags)
    return found


def check_labels(tx: Tx, account: int) -> None:
    """Raise AssertionError unless all that the gmail layout promises is true of the account's rows."""
    assert mailstore.layout_of(tx, account) is Layout.GMAIL
    boxes = find_boxes(tx, account)
    found = placements_of(tx, account)
    for message, places in found.items():
        flags = {each & ~Flag.DELETED for _, each in places.values()}
        assert len(flags) == 1, f"message {message} has the flags {flags}"
        if boxes.trash in places or boxes.spam in places:
            assert len(places) == 1, f"message {message} is in Trash or Spam and elsewhere: {places}"
            continue
        assert boxes.all_mail in places, f"message {message} is not in All Mail: {places}"
        is_starred = bool(flags.pop() & Flag.FLAGGED)
        assert is_starred == (boxes.starred in places), f"message {message}: star and Starred differ"
    if mailstore.label_settings(tx, account).auto_expunge:
        assert not any(flags & Flag.DELETED for places in found.values() for _, flags in places.values())
    check_counters(tx, account)


def check_counters(tx: Tx, account: int) -> None:
    """Counters, usage and UIDs agree with the rows, in any layout."""
    for mailbox in mailstore.list_mailboxes(tx, account):
        columns = ("uid", "message_id", "flags", "octets", "modseq")
        rows = mailstore.live_rows(tx, account, mailbox.id, 1, 2**32, columns, 10_000)
        assert mailbox.messages == len(rows), mailbox
        assert mailbox.unseen == sum(not row[2] & Flag.SEEN for row in rows), mailbox
        assert mailbox.deleted == sum(bool(row[2] & Flag.DELETED) for row in rows), mailbox
        assert mailbox.octets == sum(row[3] for row in rows), mailbox
        assert all(row[0] < mailbox.uid_next and row[4] <= mailbox.highest_modseq for row in rows), mailbox
        assert mailbox.is_selectable or not rows
        gone = tx.execute(
            "select uid from tombstone where account_id = :account and mailbox_id = :mailbox",
            account=account,
            mailbox=mailbox.id,
        )
        assert not {row[0] for row in rows} & {row[0] for row in gone}, mailbox
    [(live, octets)] = tx.execute(
        """select count(*), cast(coalesce(sum(octets), 0) as bigint) from message
        where account_id = :account and removed_at is null""",
        account=account,
    )
    [(placed,)] = tx.execute(
        "select count(distinct message_id) from placement where account_id = :account", account=account
    )
    usage = mailstore.usage(tx, account)
    assert (usage.used_messages, usage.used_octets, placed) == (live, octets, live)


Moment = dict[int, tuple[int, int, dict[int, int]]]
"""Mailbox → (modseq, UIDNEXT, uid → flags)."""


def moment(tx: Tx, account: int) -> Moment:
    """What a session on each mailbox knows now."""
    return {
        box.id: (
            box.highest_modseq,
            box.uid_next,
            dict(mailstore.live_rows(tx, account, box.id, 1, 2**32, ("uid", "flags"), 10_000)),
        )
        for box in mailstore.list_mailboxes(tx, account)
        if box.is_selectable
    }


def check_told(tx: Tx, account: int, before: Moment) -> None:
    """`changes` tells whoever knew the mailboxes as they were before exactly what is different now."""
    for mailbox_id, (_, _, now) in moment(tx, account).items():
        if mailbox_id not in before:
            continue
        modseq, uid_next, old = before[mailbox_id]
        news = mailstore.changes(tx, account, mailbox_id, modseq, uid_next)
        assert news.vanished == [uid for uid in old if uid not in now]
        assert news.arrived == [uid for uid in now if uid >= uid_next]
        told = {uid: flags for uid, _, flags in news.flags}
        assert told.items() >= {uid: now[uid] for uid in old if uid in now and old[uid] != now[uid]}.items()
        assert all(now[uid] == flags for uid, flags in told.items())
        assert all(modseq < changed <= news.highest_modseq for _, changed, _ in news.flags)


async def check_known(database: Database, known: KnownMailboxes, account: int) -> None:
    """Raise AssertionError unless a process that followed the account knows every mailbox as its rows have it."""
    for mailbox in await database.read(list_mailboxes, account):
        if mailbox.is_selectable:
            columns = await known.present(account, mailbox.id)
            assert columns is not None
            rows = await database.read(live_rows, account, mailbox.id, 1, MAX_UID, ("uid", "flags", "modseq"), MAX_UID)
            assert list(zip(columns.uids, columns.flags, columns.modseqs, strict=True)) == rows
