"""Copies that folders can hold and labels cannot: parted on the way to labels, joined on the way back."""

from mailhost.mailstore.account import Turn
from mailhost.mailstore.model import Flag
from mailhost.mailstore.placing import COPIED, Ids, among, by_message, of_messages
from mailhost.storage.database import Tx, Value


def misplaced_twins(tx: Tx, account_id: int, ends: tuple[int, int], limit: int) -> Ids:
    """Messages that stand twice in a mailbox, or in Trash or Spam (`ends`) and elsewhere too."""
    rows = tx.execute(
        """select message_id from placement where account_id = :account_id group by message_id
        having count(*) > 1 and (count(*) > count(distinct mailbox_id)
            or max(case when mailbox_id in (:trash, :spam) then 1 else 0 end) = 1)
        order by message_id limit :limit""",
        account_id=account_id,
        trash=ends[0],
        spam=ends[1],
        limit=limit,
    )
    return [row[0] for row in rows]


def split_twins(tx: Tx, turn: Turn, ends: tuple[int, int], ids: Ids) -> None:
    """Make a message of its own of each placement that labels cannot show beside the others of its message."""
    table, condition, value = of_messages(tx, ids)
    twins = f"""select mailbox_id, uid, message_id, row_number() over (order by mailbox_id, uid) as number from (
            select mailbox_id, uid, message_id,
                row_number() over (partition by message_id, mailbox_id order by uid) as copy,
                max(case when mailbox_id not in (:trash, :spam) then 1 else 0 end)
                    over (partition by message_id) as is_labelled,
                max(case when mailbox_id = :trash then 1 else 0 end) over (partition by message_id) as is_trashed
            from {table} where account_id = :account_id and {condition}) as placed
        where copy > 1 or (mailbox_id in (:trash, :spam) and is_labelled = 1)
            or (mailbox_id = :spam and is_trashed = 1)"""
    keys: dict[str, Value] = {"account_id": turn.account_id, "trash": ends[0], "spam": ends[1], **value}
    [(count,)] = tx.execute(f"select count(*) from ({twins}) as twins", **keys)
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
        join message on message.account_id = :account_id and message.id = message_id""",
        **keys,
    )
    tx.execute(
        f"""insert into message ({COPIED}, account_id, id, twin_of)
        select {COPIED}, :account_id, :before_first + number, coalesce(twin_of, id) from ({twins}) as twins
        join message on message.account_id = :account_id and message.id = message_id""",
        before_first=before_first,
        **keys,
    )
    tx.execute(
        f"""update placement set message_id = :before_first + number from ({twins}) as twins
        where placement.account_id = :account_id and placement.mailbox_id = twins.mailbox_id
            and placement.uid = twins.uid""",
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


_ALIKE = f"""twin_of is not null and removed_at is null
    and (select min(flags & {~int(Flag.DELETED)}) from {{placement}}
        where placement.account_id = message.account_id and message_id = message.id)
    = (select min(flags & {~int(Flag.DELETED)}) from {{placement}}
        where placement.account_id = message.account_id and message_id = twin_of)"""


def alike_twins(tx: Tx, account_id: int, limit: int) -> Ids:
    """What was parted and is still alike: the same flags, and both of them there."""
    rows = tx.execute(
        f"""select id from message
        where account_id = :account_id and {_ALIKE.format(placement=by_message(tx))} order by id limit :limit""",
        account_id=account_id,
        limit=limit,
    )
    return [row[0] for row in rows]


def join_twins(tx: Tx, turn: Turn, ids: Ids) -> None:
    """Undo `split_twins` for those of the messages that are still alike."""
    placement = by_message(tx)
    condition, value = among(tx, ids, "message.id", "ids")
    rows = tx.execute(
        f"""select id, octets from message
        where account_id = :account_id and {condition} and {_ALIKE.format(placement=placement)}""",
        account_id=turn.account_id,
        **value,
    )
    octets = {row[0]: row[1] for row in rows}
    if not octets:
        return
    condition, value = among(tx, octets, "message_id", "ids")
    for table in (placement, "tombstone"):
        tx.execute(
            f"""update {table} set message_id = (select twin_of from message
                where message.account_id = :account_id and message.id = message_id)
            where account_id = :account_id and {condition}""",
            account_id=turn.account_id,
            **value,
        )
    for table, column in (("thread", "message_id"), ("message", "id")):
        inside, value = among(tx, octets, column, "ids")
        tx.execute(
            f"delete from {table} where account_id = :account_id and {inside}",
            account_id=turn.account_id,
            **value,
        )
    tx.execute(
        """update mail_account set used_messages = used_messages - :count, used_octets = used_octets - :octets
        where account_id = :account_id""",
        account_id=turn.account_id,
        count=len(octets),
        octets=sum(octets.values()),
    )
