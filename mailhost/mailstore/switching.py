"""From one layout to the other: mailboxes change their names, views come and go, and no mail is lost on the way.

Mailboxes that both layouts have keep their rows, and with them UIDs and UIDVALIDITY. What classic allows and labels do
not, a second copy in one mailbox or one in Trash beside others, becomes a message of its own, and is joined again on
the way back. What no folder would show is in Archive there.
"""

from collections.abc import Iterable
from typing import Final

from mailhost.mailstore.account import Turn, mailboxes_topic, take_turn
from mailhost.mailstore.emptying import empty_more
from mailhost.mailstore.labelnames import ALL_MAIL, ELSEWHERE, ROOT, SYSTEM_BOXES, SystemBox, is_system
from mailhost.mailstore.labels import Labels, find_boxes
from mailhost.mailstore.layout import Layout
from mailhost.mailstore.mailboxes import insert_mailbox, mailbox_topic
from mailhost.mailstore.model import DELIMITER, Flag
from mailhost.mailstore.placing import COPIED, among, by_message, enter, leave
from mailhost.storage.database import Tx

_AT_ONCE: Final = 5_000
_ARCHIVE: Final = "\\Archive"
_BY_NAME: Final = frozenset({"\\Sent", "\\Drafts", "\\Junk", "\\Trash"})
"""Whose classic name is enough: an owner who made one of them anew did not say what it is for."""


def set_layout(tx: Tx, account_id: int, layout: Layout, now: int) -> None:
    """Show the account's mail in another way; nothing happens where it is shown so already. Raises NoSuchAccount.

    One transaction, of about 20 µs a message.
    """
    while empty_more(tx, account_id, now):
        pass  # what is being deleted must not look like a home
    turn = take_turn(tx, account_id)
    if turn.layout == layout.value:
        return
    while empty_more(tx, account_id, now):  # by the rules of the layout it was begun in
        pass
    tx.execute(
        "update mail_account set layout = :layout where account_id = :account_id",
        account_id=account_id,
        layout=layout.value,
    )
    if layout is Layout.GMAIL:
        _to_labels(tx, turn, now)
    else:
        _to_folders(tx, turn, now)
    tx.wake(mailboxes_topic(account_id))


def _to_labels(tx: Tx, turn: Turn, now: int) -> None:
    _vacate(tx, turn, ROOT)
    insert_mailbox(tx, turn.account_id, ROOT, "", turn.modseq, is_selectable=False)
    for box in SYSTEM_BOXES:
        mailbox_id = _find_folder(tx, turn, box)
        if mailbox_id is None:
            insert_mailbox(tx, turn.account_id, box.gmail, box.special_use, turn.modseq, is_selectable=True)
            _subscribe(tx, turn, box.gmail)
        else:
            _rename(tx, turn, mailbox_id, box.gmail, box.special_use)
    _give_back_names(tx, turn, Layout.GMAIL)
    _drop_bare_names(tx, turn)
    _make_missing_parents(tx, turn)
    boxes = find_boxes(tx, turn.account_id)
    _split_twins(tx, turn, boxes.trash, boxes.spam)
    labels = Labels(tx, turn, now)
    rows = tx.execute(
        """select distinct message_id from placement
        where account_id = :account_id and mailbox_id <> :trash and mailbox_id <> :spam order by message_id""",
        account_id=turn.account_id,
        trash=boxes.trash,
        spam=boxes.spam,
    )
    for ids in _pieces(row[0] for row in rows):
        enter(tx, turn, boxes.all_mail, ids, now)
        labels.follow_stars(ids)


def _find_folder(tx: Tx, turn: Turn, box: SystemBox) -> int | None:
    """The mailbox that the gmail layout will call `box.gmail`. Archive is a label, unless it was All Mail before."""
    if box.gmail == ALL_MAIL:
        rows = tx.execute(
            "select id from mailbox where account_id = :account_id and other_name = :gmail",
            account_id=turn.account_id,
            gmail=box.gmail,
        )
    else:
        rows = tx.execute(
            """select id from mailbox where account_id = :account_id and is_selectable = 1 and special_use in ('', :use)
                and (special_use = :use or name = :name)
            order by special_use desc limit 1""",
            account_id=turn.account_id,
            use=box.special_use,
            name=box.classic if box.special_use in _BY_NAME else "",
        )
    return int(rows[0][0]) if rows else None


def _to_folders(tx: Tx, turn: Turn, now: int) -> None:
    boxes = find_boxes(tx, turn.account_id)
    homed = tx.execute(
        """select message_id from placement as here where account_id = :account_id and mailbox_id = :all_mail
            and exists (select 1 from placement as other
                where other.account_id = here.account_id and other.message_id = here.message_id
                and other.mailbox_id <> :all_mail and other.mailbox_id <> :starred)
        order by message_id""",
        account_id=turn.account_id,
        all_mail=boxes.all_mail,
        starred=boxes.starred,
    )
    for ids in _pieces(row[0] for row in homed):
        leave(tx, turn, ids, now, mailboxes=(boxes.all_mail,))
    starred = tx.execute(
        "select message_id from placement where account_id = :account_id and mailbox_id = :starred",
        account_id=turn.account_id,
        starred=boxes.starred,
    )
    for ids in _pieces(row[0] for row in starred):
        leave(tx, turn, ids, now, mailboxes=(boxes.starred,))
    _drop(tx, turn, boxes.starred)
    for box in SYSTEM_BOXES:
        if box.classic:
            _make_folder(tx, turn, box)
    _give_back_names(tx, turn, Layout.CLASSIC)
    _drop_bare_names(tx, turn)
    _make_missing_parents(tx, turn)
    _join_twins(tx, turn)


def _make_folder(tx: Tx, turn: Turn, box: SystemBox) -> None:
    """Give a system mailbox its classic name again; where classic has no use for it and it is empty, it goes."""
    [(mailbox_id, messages, other_name)] = tx.execute(
        """select id, messages, other_name from mailbox
        where account_id = :account_id and special_use = :use and name = :gmail""",
        account_id=turn.account_id,
        use=box.special_use,
        gmail=box.gmail,
    )
    use, name = box.special_use, other_name or box.classic
    if box.gmail == ALL_MAIL:
        has_archive = tx.execute(
            "select 1 from mailbox where account_id = :account_id and (special_use = :use or name = :name)",
            account_id=turn.account_id,
            use=_ARCHIVE,
            name=box.classic,
        )
        use = "" if has_archive else _ARCHIVE
        name = "All Mail" if has_archive else box.classic
        if has_archive and not messages:
            _drop(tx, turn, mailbox_id)
            return
    if box.special_use == "\\Important" and not messages:
        _drop(tx, turn, mailbox_id)
        return
    _rename(tx, turn, mailbox_id, name, use)


def _rename(tx: Tx, turn: Turn, mailbox_id: int, name: str, special_use: str) -> None:
    """Another name for the other layout; the one it had is remembered, and a subscription goes along."""
    _vacate(tx, turn, name)
    [(old,)] = tx.execute(
        "select name from mailbox where account_id = :account_id and id = :id",
        account_id=turn.account_id,
        id=mailbox_id,
    )
    tx.execute(
        """update mailbox set name = :name, other_name = :old, special_use = :use
        where account_id = :account_id and id = :id""",
        account_id=turn.account_id,
        id=mailbox_id,
        name=name,
        old=old,
        use=special_use,
    )
    _move_subscription(tx, turn, old, name)


def _vacate(tx: Tx, turn: Turn, name: str) -> None:
    """Make room for a system mailbox: whoever has the name moves elsewhere until the account is shown as before."""
    rows = tx.execute(
        "select id, is_selectable from mailbox where account_id = :account_id and name = :name",
        account_id=turn.account_id,
        name=name,
    )
    if not rows:
        return
    [(mailbox_id, is_selectable)] = rows
    if not is_selectable:
        _delete_row(tx, turn, mailbox_id)
        return
    elsewhere = f"{ELSEWHERE}{DELIMITER}{name}"
    _vacate(tx, turn, elsewhere)
    tx.execute(
        "update mailbox set name = :elsewhere, other_name = :name where account_id = :account_id and id = :id",
        account_id=turn.account_id,
        id=mailbox_id,
        elsewhere=elsewhere,
        name=name,
    )
    _move_subscription(tx, turn, name, elsewhere)


def _give_back_names(tx: Tx, turn: Turn, layout: Layout) -> None:
    """Mailboxes that had to go elsewhere for the other layout get their names again, where no mailbox has them."""
    displaced = tx.execute(
        """select id, other_name, name from mailbox
        where account_id = :account_id and substr(name, 1, 7) = :elsewhere and other_name <> '' order by other_name""",
        account_id=turn.account_id,
        elsewhere=f"{ELSEWHERE}{DELIMITER}",
    )
    for mailbox_id, name, elsewhere in displaced:
        taken = tx.execute(
            "select id, is_selectable from mailbox where account_id = :account_id and name = :name",
            account_id=turn.account_id,
            name=name,
        )
        if (layout is Layout.GMAIL and is_system(name)) or (taken and taken[0][1]):
            continue
        if taken:
            _delete_row(tx, turn, taken[0][0])
        tx.execute(
            "update mailbox set name = :name, other_name = '' where account_id = :account_id and id = :id",
            account_id=turn.account_id,
            id=mailbox_id,
            name=name,
        )
        _move_subscription(tx, turn, elsewhere, name)


def _make_missing_parents(tx: Tx, turn: Turn) -> None:
    names = _names(tx, turn)
    for name in sorted(names):
        levels = name.split(DELIMITER)
        for depth in range(1, len(levels)):
            parent = DELIMITER.join(levels[:depth])
            if parent not in names:
                names.add(parent)
                insert_mailbox(tx, turn.account_id, parent, "", turn.modseq, is_selectable=False)


def _drop_bare_names(tx: Tx, turn: Turn) -> None:
    """[Gmail] and [IMAP] go with what was below them."""
    names = _names(tx, turn)
    for name in sorted(names, reverse=True):
        is_ours = name.partition(DELIMITER)[0] in (ROOT, ELSEWHERE)
        if is_ours and not any(each.startswith(name + DELIMITER) for each in names):
            removed = tx.execute(
                """delete from mailbox where account_id = :account_id and name = :name and is_selectable = 0
                returning id""",
                account_id=turn.account_id,
                name=name,
            )
            if removed:
                names.remove(name)


def _names(tx: Tx, turn: Turn) -> set[str]:
    rows = tx.execute("select name from mailbox where account_id = :account_id", account_id=turn.account_id)
    return {row[0] for row in rows}


def _drop(tx: Tx, turn: Turn, mailbox_id: int) -> None:
    [(name,)] = tx.execute(
        "select name from mailbox where account_id = :account_id and id = :id",
        account_id=turn.account_id,
        id=mailbox_id,
    )
    _unsubscribe(tx, turn, name)
    _delete_row(tx, turn, mailbox_id)
    tx.wake(mailbox_topic(turn.account_id, mailbox_id))


def _delete_row(tx: Tx, turn: Turn, mailbox_id: int) -> None:
    for table, column in (("flag_change", "mailbox_id"), ("mailbox", "id")):
        tx.execute(
            f"delete from {table} where account_id = :account_id and {column} = :id",  # noqa: S608
            account_id=turn.account_id,
            id=mailbox_id,
        )


def _move_subscription(tx: Tx, turn: Turn, old: str, new: str) -> None:
    if _unsubscribe(tx, turn, old):
        _subscribe(tx, turn, new)


def _subscribe(tx: Tx, turn: Turn, name: str) -> None:
    tx.execute(
        """insert into subscription (account_id, name) values (:account_id, :name)
        on conflict (account_id, name) do nothing""",
        account_id=turn.account_id,
        name=name,
    )


def _unsubscribe(tx: Tx, turn: Turn, name: str) -> bool:
    return bool(
        tx.execute(
            "delete from subscription where account_id = :account_id and name = :name returning 1",
            account_id=turn.account_id,
            name=name,
        )
    )


def _split_twins(tx: Tx, turn: Turn, trash: int, spam: int) -> None:
    """Make a message of its own of each placement that labels cannot show beside the others of its message."""
    twins = """select mailbox_id, uid, message_id, row_number() over (order by mailbox_id, uid) as number from (
            select mailbox_id, uid, message_id,
                row_number() over (partition by message_id, mailbox_id order by uid) as copy,
                max(case when mailbox_id not in (:trash, :spam) then 1 else 0 end)
                    over (partition by message_id) as is_labelled,
                max(case when mailbox_id = :trash then 1 else 0 end) over (partition by message_id) as is_trashed
            from placement where account_id = :account_id) as placed
        where copy > 1 or (mailbox_id in (:trash, :spam) and is_labelled = 1)
            or (mailbox_id = :spam and is_trashed = 1)"""
    keys = {"account_id": turn.account_id, "trash": trash, "spam": spam}
    [(count,)] = tx.execute(f"select count(*) from ({twins}) as twins", **keys)  # noqa: S608
    if not count:
        return
    [(before_first,)] = tx.execute(
        """update mail_account set next_message_id = next_message_id + :count where account_id = :account_id
        returning next_message_id - :count - 1""",
        account_id=turn.account_id,
        count=count,
    )
    [(octets,)] = tx.execute(
        f"""select cast(sum(octets) as bigint) from ({twins}) as twins
        join message on message.account_id = :account_id and message.id = message_id""",  # noqa: S608
        **keys,
    )
    tx.execute(
        f"""insert into message ({COPIED}, account_id, id, twin_of)
        select {COPIED}, :account_id, :before_first + number, coalesce(twin_of, id) from ({twins}) as twins
        join message on message.account_id = :account_id and message.id = message_id""",  # noqa: S608
        before_first=before_first,
        **keys,
    )
    tx.execute(
        f"""update placement set message_id = :before_first + number from ({twins}) as twins
        where placement.account_id = :account_id and placement.mailbox_id = twins.mailbox_id
            and placement.uid = twins.uid""",  # noqa: S608
        before_first=before_first,
        **keys,
    )
    tx.execute(
        """update mail_account set used_messages = used_messages + :count, used_octets = used_octets + :octets
        where account_id = :account_id""",
        account_id=turn.account_id,
        count=count,
        octets=octets,
    )


def _join_twins(tx: Tx, turn: Turn) -> None:
    """Undo `_split_twins` for all that are still alike: the same flags, and both of them there."""
    placement = by_message(tx)
    rows = tx.execute(
        f"""select message.id, message.octets from message
        where account_id = :account_id and twin_of is not null and removed_at is null
            and (select min(flags & {~int(Flag.DELETED)}) from {placement}
                where placement.account_id = message.account_id and message_id = message.id)
            = (select min(flags & {~int(Flag.DELETED)}) from {placement}
                where placement.account_id = message.account_id and message_id = twin_of)""",  # noqa: S608
        account_id=turn.account_id,
    )
    octets = {row[0]: row[1] for row in rows}
    for ids in _pieces(octets):
        condition, value = among(tx, ids, "message_id", "ids")
        for table in (placement, "tombstone"):
            tx.execute(
                f"""update {table} set message_id = (select twin_of from message
                    where message.account_id = :account_id and message.id = message_id)
                where account_id = :account_id and {condition}""",  # noqa: S608
                account_id=turn.account_id,
                **value,
            )
        for table, column in (("thread", "message_id"), ("message", "id")):
            inside, value = among(tx, ids, column, "ids")
            tx.execute(
                f"delete from {table} where account_id = :account_id and {inside}",  # noqa: S608
                account_id=turn.account_id,
                **value,
            )
        tx.execute(
            """update mail_account set used_messages = used_messages - :count, used_octets = used_octets - :octets
            where account_id = :account_id""",
            account_id=turn.account_id,
            count=len(ids),
            octets=sum(octets[each] for each in ids),
        )


def _pieces(ids: Iterable[int]) -> Iterable[list[int]]:
    piece: list[int] = []
    for each in ids:
        piece.append(each)
        if len(piece) == _AT_ONCE:
            yield piece
            piece = []
    if piece:
        yield piece
