"""Conversations: each message gets its thread once and for good (RFC 8474 §5.2), behind the deliveries.

A thread has the id of its first message. Messages are looked at by rising id, so it makes no difference when that is
done: before an answer that names threads, and now and then. A message belongs to the oldest thread that knows one of
its keys; what it is known by is left behind for those that follow.
"""

from typing import Final

from mailhost.mailstore.account import raise_modseq
from mailhost.message.conversation import CONVERSATION_FIELDS, ConversationKeys, conversation_keys
from mailhost.message.headers import first_values, parse_fields, unpack_fields
from mailhost.storage.database import Database, Row, Tx

SUBJECT_SECONDS: Final = 30 * 86_400
"""An answer that names no message we know belongs to what the same people wrote under its subject this long ago."""
_BATCH: Final = 100
_KEYS_AT_ONCE: Final = 500
_TIDY_PAGE: Final = 2_000


async def complete_threads(database: Database, account_id: int) -> None:
    """Give every message of the account its thread: before an answer that names threads. Raises NoSuchAccount."""
    while await database.point(_is_behind, account_id):
        await database.write(_thread_some, account_id)


def _is_behind(tx: Tx, account_id: int) -> bool:
    rows = tx.execute(
        """select 1 from mail_account
        where account_id = :account_id and threaded_to < next_message_id - 1 and state = 'live'""",
        account_id=account_id,
    )
    return bool(rows)


def _thread_some(tx: Tx, account_id: int) -> None:
    """The oldest messages that have no thread, a batch of them."""
    raise_modseq(tx, account_id)
    [(done, newest)] = tx.execute(
        "select threaded_to, next_message_id - 1 from mail_account where account_id = :account_id",
        account_id=account_id,
    )
    rows = tx.execute(
        """select id, internal_date, fields, twin_of, thread_id from message
        left join thread on thread.account_id = message.account_id and thread.message_id = twin_of
        where message.account_id = :account_id and id > :done order by id limit :limit""",
        account_id=account_id,
        done=done,
        limit=_BATCH,
    )
    threads = _threads(tx, account_id, rows)
    tx.execute_many(
        "insert into thread (account_id, message_id, thread_id) values (:account_id, :message_id, :thread_id)",
        [
            {"account_id": account_id, "message_id": message_id, "thread_id": thread_id}
            for message_id, thread_id in threads.items()
        ],
    )
    tx.execute(
        "update mail_account set threaded_to = :threaded_to where account_id = :account_id",
        account_id=account_id,
        threaded_to=rows[-1][0] if len(rows) == _BATCH else newest,
    )


def _threads(tx: Tx, account_id: int, rows: list[Row]) -> dict[int, int]:
    """Message id → thread id for (id, INTERNALDATE, fields, the message it was parted from by a change of layout, and
    that one's thread id, where it has one yet); what the messages are known by is learnt.
    """
    read = [(*row[:2], _keys(row[2]), *row[3:]) for row in rows]
    known = _Known(tx, account_id, {key for _, _, keys, *_ in read for key in (*keys.named, keys.subject)} - {None})
    threads: dict[int, int] = {}
    for message_id, dated, keys, twin, thread_id in read:
        # A client that saw both in one mailbox was told one thread, and has the same UIDs now.
        threads[message_id] = thread_id or threads.get(twin) or known.place(message_id, dated, keys)
    known.save()
    return threads


def _keys(fields: bytes) -> ConversationKeys:
    return conversation_keys(first_values(parse_fields(unpack_fields(fields)), CONVERSATION_FIELDS))


class _Known:
    """What is known by which key, for one batch: (thread id, date) of those that are there and those to be learnt."""

    def __init__(self, tx: Tx, account_id: int, keys: "set[int | None]") -> None:
        self._tx = tx
        self._account_id = account_id
        self._new: set[int] = set()
        self._places: dict[int | None, tuple[int, int]] = {}
        wanted = list(keys)
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            piece = {f"k{number}": key for number, key in enumerate(wanted[start : start + _KEYS_AT_ONCE])}
            names = ", ".join(f":k{number}" for number in range(len(piece)))
            rows = tx.execute(
                f"""select key, thread_id, dated from thread_key
                where account_id = :account_id and key in ({names})""",
                account_id=account_id,
                **piece,
            )
            self._places.update((key, (thread_id, dated)) for key, thread_id, dated in rows)

    def place(self, message_id: int, dated: int, keys: ConversationKeys) -> int:
        """The thread of the next message."""
        threads = [self._places[key][0] for key in keys.named if key in self._places]
        if not threads and keys.is_reply and keys.subject in self._places:
            thread_id, last = self._places[keys.subject]
            if abs(dated - last) <= SUBJECT_SECONDS:
                threads = [thread_id]
        thread_id = min(threads, default=message_id)
        for key in keys.named:
            if key not in self._places:
                self._learn(key, thread_id, dated)
        if keys.subject is not None:
            self._learn(keys.subject, thread_id, dated)
        return thread_id

    def _learn(self, key: int, thread_id: int, dated: int) -> None:
        self._new.add(key)
        self._places[key] = (thread_id, dated)

    def save(self) -> None:
        """Write what was learnt."""
        self._tx.execute_many(
            """insert into thread_key (account_id, key, thread_id, dated)
            values (:account_id, :key, :thread_id, :dated)
            on conflict (account_id, key) do update set thread_id = excluded.thread_id, dated = excluded.dated""",
            [
                {"account_id": self._account_id, "key": key, "thread_id": thread_id, "dated": dated}
                for key in self._new
                for thread_id, dated in (self._places[key],)
            ],
        )


async def tidy_threads(database: Database, account_id: int) -> None:
    """Forget what conversations were known by of which no message is left."""
    after = -(1 << 63)
    while (last := await database.read(_end_of_page, account_id, after)) is not None:
        await database.write_relaxed(_forget_lost, account_id, after, last)
        after = last


def _end_of_page(tx: Tx, account_id: int, after: int) -> int | None:
    [(last,)] = tx.execute(
        """select max(key) from (select key from thread_key
            where account_id = :account_id and key > :after order by key limit :limit) as page""",
        account_id=account_id,
        after=after,
        limit=_TIDY_PAGE,
    )
    return None if last is None else int(last)


def _forget_lost(tx: Tx, account_id: int, after: int, last: int) -> None:
    raise_modseq(tx, account_id)
    tx.execute(
        """delete from thread_key where account_id = :account_id and key > :after and key <= :last
            and not exists (select 1 from thread where thread.account_id = thread_key.account_id
                and thread.thread_id = thread_key.thread_id)""",
        account_id=account_id,
        after=after,
        last=last,
    )
