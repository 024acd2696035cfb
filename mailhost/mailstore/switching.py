"""From one layout to the other: mailboxes change their names, views come and go, and no mail is lost on the way.

Mailboxes that both layouts have keep their rows, and with them UIDs and UIDVALIDITY. What classic allows and labels do
not, a second copy in one mailbox or one in Trash beside others, becomes a message of its own, and is joined again on
the way back. What no folder would show is in Archive there.

What has to be done for each message goes in steps, before the layout changes or after it, so that others write between:

- to labels: copies are parted (still folders); names change; All Mail and Starred are filled (already labels);
- to folders: All Mail and Starred lose what other labels show; names change; copies are joined.

The account's row says where it is going. Whoever finds that goes on, and to go back is to go on in the other direction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mailhost.mailstore.account import Turn, mailboxes_topic, take_turn
from mailhost.mailstore.emptying import empty_more
from mailhost.mailstore.labelnames import ALL_MAIL, ELSEWHERE, ROOT, SYSTEM_BOXES, SystemBox, is_system
from mailhost.mailstore.labels import Labels, find_boxes
from mailhost.mailstore.layout import Layout
from mailhost.mailstore.mailboxes import insert_mailbox, mailbox_topic
from mailhost.mailstore.model import DELIMITER, Flag
from mailhost.mailstore.placing import BESIDE, Ids, among, enter, leave, of_messages
from mailhost.mailstore.twins import alike_twins, join_twins, misplaced_twins, split_twins
from mailhost.storage.database import Database, Tx

STEP: Final = 500
"""Messages at a time: about 10 ms."""

_SEEN_AT_ONCE: Final = 100_000
_TRIES: Final = 5
_ARCHIVE: Final = "\\Archive"
_BY_NAME: Final = frozenset({"\\Sent", "\\Drafts", "\\Junk", "\\Trash"})
"""Whose classic name is enough: an owner who made one of them anew did not say what it is for."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a switch stands: the layout shown and the one wanted, as of a modseq, and what is to be done before more.

    `ids` are the messages that still want a step; `is_emptying`: what is being deleted must not look like a home.
    """

    shown: Layout
    wanted: Layout
    modseq: int
    is_emptying: bool
    ids: Ids


async def switch_layout(database: Database, account_id: int, layout: Layout, now: int) -> None:
    """Show the account's mail in another way, in steps; nothing happens where it is shown so already.

    Raises NoSuchAccount.
    """
    await database.write(ask_layout, account_id, layout)
    await finish_switch(database, account_id, now)


async def finish_switch(database: Database, account_id: int, now: int) -> None:
    """Go on with what `ask_layout` began, to its end, whoever did the steps so far. Raises NoSuchAccount."""
    tries = 0
    while (stage := await database.read(look, account_id)) is not None:
        if stage.is_emptying:
            await database.write(empty_more, account_id, now)
        elif stage.ids:
            for start in range(0, len(stage.ids), STEP):
                await database.write(step, account_id, stage, stage.ids[start : start + STEP], now)
        elif not await database.write(end_stage, account_id, stage):
            tries += 1
            if tries >= _TRIES:  # somebody writes all the time: look and do it under the lock
                await database.write(_end_at_once, account_id, now)


def ask_layout(tx: Tx, account_id: int, layout: Layout) -> None:
    """Note which layout the account is to show. Raises NoSuchAccount."""
    turn = take_turn(tx, account_id)
    if turn.layout != layout.value or turn.switching:
        _note_wanted(tx, account_id, layout.value)


def switching_accounts(tx: Tx) -> list[int]:
    """The accounts that are on their way to another layout."""
    return [
        row[0] for row in tx.execute("select account_id from mail_account where switching <> '' and state = 'live'")
    ]


def look(tx: Tx, account_id: int) -> Stage | None:
    """What is to be done next, None when nothing is."""
    rows = tx.execute(
        """select layout, switching, modseq from mail_account
        where account_id = :account_id and state = 'live' and switching <> ''""",
        account_id=account_id,
    )
    if not rows:
        return None
    [(shown, wanted, modseq)] = rows
    if tx.execute("select 1 from emptying where account_id = :account_id limit 1", account_id=account_id):
        return Stage(Layout(shown), Layout(wanted), modseq, is_emptying=True, ids=())
    find, _ = _WORKS[Layout(shown), Layout(wanted)]
    return Stage(Layout(shown), Layout(wanted), modseq, is_emptying=False, ids=find(tx, account_id, _SEEN_AT_ONCE))


def step(tx: Tx, account_id: int, stage: Stage, ids: Ids, now: int) -> None:
    """Do what the stage wants for some messages; nothing where the account is in another stage by now."""
    turn = take_turn(tx, account_id)
    if (turn.layout, turn.switching) == (stage.shown.value, stage.wanted.value):
        _, do = _WORKS[stage.shown, stage.wanted]
        do(tx, turn, ids, now)


def end_stage(tx: Tx, account_id: int, stage: Stage) -> bool:
    """Go over to the next stage when nothing has happened in the account since `stage` found no more to do."""
    turn = take_turn(tx, account_id)
    if (turn.modseq, turn.switching) != (stage.modseq + 1, stage.wanted.value):
        return False
    if stage.shown is stage.wanted:
        _note_wanted(tx, account_id, "")
        return True
    tx.execute(
        "update mail_account set layout = :layout where account_id = :account_id",
        account_id=account_id,
        layout=stage.wanted.value,
    )
    if stage.wanted is Layout.GMAIL:
        _to_labels(tx, turn)
    else:
        _to_folders(tx, turn)
    tx.wake(mailboxes_topic(account_id))
    return True


def _end_at_once(tx: Tx, account_id: int, now: int) -> None:
    """All that is left of the present stage."""
    while (stage := look(tx, account_id)) is not None:
        if stage.is_emptying:
            empty_more(tx, account_id, now)
        elif stage.ids:
            for start in range(0, len(stage.ids), STEP):
                step(tx, account_id, stage, stage.ids[start : start + STEP], now)
        elif end_stage(tx, account_id, stage):
            return


def _note_wanted(tx: Tx, account_id: int, wanted: str) -> None:
    tx.execute(
        "update mail_account set switching = :wanted where account_id = :account_id",
        account_id=account_id,
        wanted=wanted,
    )


def _ends(tx: Tx, account_id: int) -> tuple[int, int]:
    """What will be Trash and Spam; 0 where there is none yet."""
    found = {box.special_use: _find_folder(tx, account_id, box) or 0 for box in SYSTEM_BOXES}
    return found["\\Trash"], found["\\Junk"]


def _misplaced(tx: Tx, account_id: int, limit: int) -> Ids:
    return misplaced_twins(tx, account_id, _ends(tx, account_id), limit)


def _split(tx: Tx, turn: Turn, ids: Ids, _now: int) -> None:
    split_twins(tx, turn, _ends(tx, turn.account_id), ids)


def _join(tx: Tx, turn: Turn, ids: Ids, _now: int) -> None:
    join_twins(tx, turn, ids)


def _missing_in_views(tx: Tx, account_id: int, limit: int) -> Ids:
    """Messages outside of Trash and Spam that All Mail or Starred should show and does not."""
    boxes = find_boxes(tx, account_id)
    rows = tx.execute(
        f"""select message_id from placement where account_id = :account_id group by message_id
        having max(case when mailbox_id in (:trash, :spam) then 1 else 0 end) = 0
            and (max(case when mailbox_id = :all_mail then 1 else 0 end) = 0
                or max(flags & {int(Flag.FLAGGED)}) <> 0
                    and max(case when mailbox_id = :starred then 1 else 0 end) = 0)
        order by message_id limit :limit""",
        account_id=account_id,
        trash=boxes.trash,
        spam=boxes.spam,
        all_mail=boxes.all_mail,
        starred=boxes.starred,
        limit=limit,
    )
    return [row[0] for row in rows]


def _fill_views(tx: Tx, turn: Turn, ids: Ids, now: int) -> None:
    labels = Labels(tx, turn, now)
    table, condition, value = of_messages(tx, ids)
    inside, boxes = among(tx, labels.boxes.ends, BESIDE, "mailboxes")
    ended = tx.execute(
        f"select message_id from {table} where account_id = :account_id and {condition} and {inside}",
        account_id=turn.account_id,
        **value,
        **boxes,
    )
    ids = sorted(set(ids) - {row[0] for row in ended})
    enter(tx, turn, labels.boxes.all_mail, ids, now)
    labels.follow_stars(ids)


def _left_in_views(tx: Tx, account_id: int, limit: int) -> Ids:
    """Messages in Starred, and those in All Mail that another mailbox shows too."""
    boxes = find_boxes(tx, account_id)
    rows = tx.execute(
        """select message_id from placement where account_id = :account_id group by message_id
        having max(case when mailbox_id = :starred then 1 else 0 end) = 1
            or (max(case when mailbox_id = :all_mail then 1 else 0 end) = 1 and count(*) > 1)
        order by message_id limit :limit""",
        account_id=account_id,
        all_mail=boxes.all_mail,
        starred=boxes.starred,
        limit=limit,
    )
    return [row[0] for row in rows]


def _empty_views(tx: Tx, turn: Turn, ids: Ids, now: int) -> None:
    boxes = find_boxes(tx, turn.account_id)
    leave(tx, turn, ids, now, mailboxes=(boxes.starred,))
    table, condition, value = of_messages(tx, ids)
    homed = tx.execute(
        f"""select distinct message_id from {table}
        where account_id = :account_id and {condition} and mailbox_id <> :all_mail""",
        account_id=turn.account_id,
        all_mail=boxes.all_mail,
        **value,
    )
    if homed:
        leave(tx, turn, [row[0] for row in homed], now, mailboxes=(boxes.all_mail,))


_WORKS: Final[
    dict[tuple[Layout, Layout], tuple[Callable[[Tx, int, int], Ids], Callable[[Tx, Turn, Ids, int], None]]]
] = {
    (Layout.CLASSIC, Layout.GMAIL): (_misplaced, _split),
    (Layout.GMAIL, Layout.GMAIL): (_missing_in_views, _fill_views),
    (Layout.GMAIL, Layout.CLASSIC): (_left_in_views, _empty_views),
    (Layout.CLASSIC, Layout.CLASSIC): (alike_twins, _join),
}
"""By the layout shown and the one wanted: which messages (account, at most so many) want a step, and the step."""


def _to_labels(tx: Tx, turn: Turn) -> None:
    _vacate(tx, turn, ROOT)
    insert_mailbox(tx, turn.account_id, ROOT, "", turn.modseq, is_selectable=False)
    for box in SYSTEM_BOXES:
        mailbox_id = _find_folder(tx, turn.account_id, box)
        if mailbox_id is None:
            insert_mailbox(tx, turn.account_id, box.gmail, box.special_use, turn.modseq, is_selectable=True)
            _subscribe(tx, turn, box.gmail)
        else:
            _rename(tx, turn, mailbox_id, box.gmail, box.special_use)
    _give_back_names(tx, turn, Layout.GMAIL)
    _drop_bare_names(tx, turn)
    _make_missing_parents(tx, turn)


def _find_folder(tx: Tx, account_id: int, box: SystemBox) -> int | None:
    """The mailbox that the gmail layout will call `box.gmail`. Archive is a label, unless it was All Mail before."""
    if box.gmail == ALL_MAIL:
        rows = tx.execute(
            "select id from mailbox where account_id = :account_id and other_name = :gmail",
            account_id=account_id,
            gmail=box.gmail,
        )
    else:
        rows = tx.execute(
            """select id from mailbox where account_id = :account_id and is_selectable = 1 and special_use in ('', :use)
                and (special_use = :use or name = :name)
            order by special_use desc limit 1""",
            account_id=account_id,
            use=box.special_use,
            name=box.classic if box.special_use in _BY_NAME else "",
        )
    return int(rows[0][0]) if rows else None


def _to_folders(tx: Tx, turn: Turn) -> None:
    _drop(tx, turn, find_boxes(tx, turn.account_id).starred)
    for box in SYSTEM_BOXES:
        if box.classic:
            _make_folder(tx, turn, box)
    _give_back_names(tx, turn, Layout.CLASSIC)
    _drop_bare_names(tx, turn)
    _make_missing_parents(tx, turn)


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
            f"delete from {table} where account_id = :account_id and {column} = :id",
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
