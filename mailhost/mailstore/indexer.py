"""Keeps the search index behind the store, in small steps and with patience, and asks it on behalf of SEARCH.

Nothing waits for the index but a search: it catches up with its account first, and what cannot be caught up with at
once, as when the index is being made anew, is looked at message by message.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from mailhost import observe
from mailhost.mailstore import textindex
from mailhost.mailstore.answers import Answer, AnsweredKey, TextKey
from mailhost.mailstore.append import ARRIVALS
from mailhost.mailstore.fieldtexts import FieldTexts
from mailhost.mailstore.matching import MAX_CONTENT
from mailhost.mailstore.messageids import NO_SCORES, MessageIds, Scores
from mailhost.mailstore.resembling import find_resembling
from mailhost.mailstore.textindex import BODY, HEADER, INDEXED_FIELDS, SHOWN, Document
from mailhost.mailstore.thinking import think
from mailhost.message.headers import unpack_fields
from mailhost.message.text import body_texts, compared, field_values, searched_header
from mailhost.message.tokens import normalise, parse_query, parse_words, tokens
from mailhost.protocols.imap.search import BodyContains, HasWords, HeaderContains, Resembles, TextContains, Where
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Row, Tx, open_database
from mailhost.storage.errors import (
    BlobDamaged,
    BlobMissing,
    StorageError,
    StorageFull,
    StorageUnavailable,
    StorageUnreadable,
)
from mailhost.storage.renewals import Renewals
from mailhost.storage.sql import store_identity
from mailhost.storage.sqlite_connection import SqliteOptions

log = observe.logger()

INDEX_FILE: Final = "search.db"
CATCH_UP: Final = 1_000
"""Messages a search waits for; with more to do it looks at those that are missing itself."""

_BATCH: Final = 64
_BATCH_OCTETS: Final = 4 * 1024 * 1024
_DEBOUNCE: Final = 1.0
_LOOK_EVERY: Final = 60.0
_TIDY_PAGE: Final = 10_000
_ZONES: Final = {Where.ANYWHERE: BODY + SHOWN, Where.FILE_NAME: BODY}
"""Where words are looked up; any single field is part of what is shown of the header."""
_OPTIONS: Final = SqliteOptions(readers=2, cache_kib=8 * 1024, checkpoint_pages=2_000)


class TextIndex:
    """The index beside one store. Made by `open_index`."""

    def __init__(self, database: Database, blobs: Blobs, path: Path | None) -> None:
        self._database = database
        self._blobs = blobs
        self._path = path  # of the index's own file; None where it stands in the store's database
        self._index = database
        self._fields = FieldTexts()
        self._locks: dict[int, asyncio.Lock] = {}
        self._renewal = asyncio.Lock()
        self._renewals: Renewals | None = None  # of the file, by any process
        self._opened = 0, 0  # the files that we have open
        self._woken = asyncio.Event()

    async def open(self) -> None:
        """Open the index; one that is damaged or not of this version is thrown away and begun anew."""
        if self._path is None:
            await self._index.write(textindex.prepare, await self._database.write(store_identity))
            return
        self._renewals = Renewals(self._path.with_name(self._path.name + "-renewals"))
        async with self._renewals.turn():
            try:
                await self._open_file(self._path)
            except StorageError as error:
                if not _is_broken(error):
                    raise
                await self._make_anew(self._path, str(error))

    async def close(self) -> None:
        """Let go of the index's own file."""
        if self._renewals is not None:
            self._renewals.close()
        if self._index is not self._database:
            await self._index.close()

    async def answers(self, account_id: int, keys: Iterable[TextKey]) -> dict[AnsweredKey, Answer]:
        """What the index says of those keys that it can tell of; of the others a look at the messages must."""
        askable = [key for key in keys if _is_askable(key)]
        if not askable:
            return {}
        try:
            index = await self._present()
            try:
                return await self._answers(index, account_id, askable)
            except StorageError as error:
                if not _is_broken(error):
                    raise
                await self._begin_anew(index, str(error))
        except StorageError as error:  # no room, say; a search can do without
            log.warning("index.unavailable", reason=str(error))
        return {}

    async def _answers(self, index: Database, account_id: int, keys: Sequence[TextKey]) -> dict[AnsweredKey, Answer]:
        up_to, is_complete = await self._catch_up(account_id)
        found: dict[AnsweredKey, Answer] = {}
        for key in keys:
            if isinstance(key, HeaderContains):
                ids = await self._fields.find(index, account_id, key.name, compared(key.text), up_to)
                if ids is not None:
                    found[key] = Answer(ids, up_to, is_complete=is_complete, is_exact=True)
        for key in keys:
            if key not in found:  # one after the other, for there may be a thousand, and others search, too
                found[key] = await index.read(_find, account_id, key, up_to, is_complete=is_complete)
        return found

    async def run(self) -> None:
        """Follow the store until cancelled."""
        watch = self._database.watch(ARRIVALS, self._woken.set)
        try:
            while True:
                self._woken.clear()
                index = await self._present()
                try:
                    await self._follow()
                except StorageError as error:
                    if not _is_broken(error):
                        raise
                    await self._begin_anew(index, str(error))
                try:
                    await asyncio.wait_for(self._woken.wait(), _LOOK_EVERY)
                except TimeoutError:
                    continue
                await asyncio.sleep(_DEBOUNCE)  # so that a burst is indexed in few batches
        finally:
            watch.close()

    async def rebuild(self, account_id: int) -> None:
        """Index an account anew, from its first message."""
        index = await self._present()
        try:
            await index.write(textindex.clear, account_id)
        except StorageError as error:
            if not _is_broken(error):
                raise
            await self._begin_anew(index, str(error))
        self._fields.forget(account_id)
        while await self._advance(account_id):
            pass

    async def tidy(self) -> None:
        """Take out what is no longer in the store: accounts removed, messages erased."""
        known = dict(await self._database.read(_newest_ids))
        for account_id in await self._index.read(textindex.cursors):
            if account_id not in known:
                await self._index.write_relaxed(textindex.clear, account_id)
                self._fields.forget(account_id)
                continue
            after = 0
            while ids := await self._index.read(textindex.indexed_ids, account_id, after, _TIDY_PAGE):
                there = await self._database.read(_existing, account_id, ids[0], ids[-1])
                gone = [message_id for message_id in ids if message_id not in there]
                for start in range(0, len(gone), _BATCH):
                    await self._index.write_relaxed(textindex.forget, account_id, gone[start : start + _BATCH])
                after = ids[-1]

    # Steps

    async def _follow(self) -> None:
        """Index what is missing, one batch of each account after the other, leaving most of the time to others."""
        known = await self._index.read(textindex.cursors)
        newest = await self._database.read(_newest_ids)
        behind = [account_id for account_id, message_id in newest if known.get(account_id, 0) != message_id]
        while behind:
            still_behind = []
            for account_id in behind:
                self._woken.clear()
                started = time.monotonic()
                if await self._advance(account_id):
                    still_behind.append(account_id)
                # While mail arrives, it has nineteen twentieths of the time; else the index takes half of it.
                await asyncio.sleep((time.monotonic() - started) * (19 if self._woken.is_set() else 1))
            if self._woken.is_set():
                return  # other accounts may have got mail: look anew
            behind = still_behind

    async def _catch_up(self, account_id: int) -> tuple[int, bool]:
        """How far the index is, after catching up if that can be done at once, and whether that is all of it."""
        async with self._lock(account_id):
            up_to, newest = await self._state(account_id)
            while up_to < newest <= up_to + CATCH_UP:
                up_to = await self._step(account_id, up_to, newest)
            if up_to < newest:
                self._woken.set()
            return up_to, up_to >= newest

    async def _advance(self, account_id: int) -> bool:
        """Index one batch; whether there is more."""
        async with self._lock(account_id):
            up_to, newest = await self._state(account_id)
            if up_to < newest:
                up_to = await self._step(account_id, up_to, newest)
            return up_to < newest

    def _lock(self, account_id: int) -> asyncio.Lock:
        return self._locks.setdefault(account_id, asyncio.Lock())

    async def _state(self, account_id: int) -> tuple[int, int]:
        """How far the index is and the store is. The index is asked first: others may move both meanwhile."""
        up_to = await self._index.point(textindex.cursor, account_id)
        newest = await self._database.point(_newest_id, account_id)
        if up_to > newest:  # the store is older than its index: a copy of before was put in its place
            await self._index.write(textindex.clear, account_id)
            self._fields.forget(account_id)
            up_to = 0
        return up_to, newest

    async def _step(self, account_id: int, after: int, newest: int) -> int:
        """Index the messages that follow `after`; returns how far the index is then, at least `newest` at the end."""
        rows = await self._database.read(_next_messages, account_id, after)
        taken = _bounded(rows)
        contents = [await self._content(row) for row in taken]
        documents = await think(_documents, taken, contents)
        is_last = len(taken) == len(rows) < _BATCH
        until: int = max(newest, *(row[0] for row in taken), 0) if is_last else taken[-1][0]
        return await self._index.write_relaxed(textindex.add, account_id, documents, after, until)

    async def _content(self, row: Row) -> bytes:
        try:
            return await self._blobs.read(row[1], 0, MAX_CONTENT)
        except (BlobMissing, BlobDamaged) as error:
            log.warning("index.unreadable", message=row[0], reason=str(error))
            return b""

    # The file

    async def _present(self) -> Database:
        """The index as all processes have it: begun anew where the file was made anew, or taken away."""
        if self._renewals is not None and self._path is not None:
            if self._renewals.by_others():
                await self._begin_anew(self._index, "another process has made it anew")
            elif _files(self._path) != self._opened:
                await self._begin_anew(self._index, "somebody has taken it away")
        return self._index

    async def _open_file(self, path: Path) -> None:
        # Schema step 0: the file has no migrations, as it is never brought forward but made anew.
        index = await open_database(f"sqlite:///{path}", sqlite=_OPTIONS, schema=0)
        try:
            await index.write(textindex.prepare, await self._database.write(store_identity))
        except BaseException:
            await index.close()
            raise
        self._index = index
        self._opened = _files(path)

    async def _begin_anew(self, failed: Database, reason: str) -> None:
        """Throw the file away, unless another process has; what is in it can be made again from the store."""
        async with self._renewal:
            if self._path is None or self._renewals is None or self._index is not failed:
                return  # somebody else has done it
            await failed.close()
            async with self._renewals.turn() as is_ours:
                if is_ours:
                    await self._make_anew(self._path, reason)
                else:
                    await self._open_file(self._path)
            self._fields.forget()
            self._woken.set()

    async def _make_anew(self, path: Path, reason: str) -> None:
        log.warning("index.discarded", reason=reason)
        for ending in ("", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        await self._open_file(path)
        if self._renewals is not None:
            self._renewals.count()


@asynccontextmanager
async def open_index(database: Database, blobs: Blobs, data: Path) -> AsyncIterator[TextIndex]:
    """The index of the store; on SQLite a file in the data folder."""
    index = TextIndex(database, blobs, data / INDEX_FILE if database.engine == "sqlite" else None)
    await index.open()
    try:
        yield index
    finally:
        await index.close()


async def index_backlog(database: Database, data: Path) -> dict[int, int]:
    """Accounts of which the index lacks more than a search catches up with → how many messages it lacks at most.

    The index is only looked at, from beside the server. Raises StorageError when it cannot be read.
    """
    known: dict[int, int] = {}
    if database.engine != "sqlite":
        known = await database.read(textindex.cursors)
    elif (data / INDEX_FILE).exists():  # else it is begun at the next start
        index = await open_database(f"sqlite:///{data / INDEX_FILE}", sqlite=_OPTIONS, schema=0)
        try:
            known = await index.read(textindex.cursors)
        finally:
            await index.close()
    missing = {account_id: newest - known.get(account_id, 0) for account_id, newest in await database.read(_newest_ids)}
    return {account_id: count for account_id, count in missing.items() if count > CATCH_UP}


def _is_broken(error: StorageError) -> bool:
    """Whether the index must be made anew; else it has no room or no time at the moment."""
    return isinstance(error, StorageUnreadable) or not isinstance(error, StorageFull | StorageUnavailable)


def _files(path: Path) -> tuple[int, int]:
    """What tells the file, and the log beside it, from others of their names; zeros where one is missing or emptied."""
    try:
        file, log_beside = path.stat(), path.with_name(path.name + "-wal").stat()
    except FileNotFoundError:
        return 0, 0
    return (file.st_ino, log_beside.st_ino) if file.st_size else (0, 0)


def _is_askable(key: TextKey) -> bool:
    match key:
        case HeaderContains(name, text):
            return name in INDEXED_FIELDS and "\n" not in text
        case BodyContains(text) | TextContains(text):
            return bool(parse_query(text).tokens)
        case HasWords(_, text):
            return bool(parse_words(text).tokens)
        case Resembles():
            return True


def _find(tx: Tx, account_id: int, key: TextKey, up_to: int, *, is_complete: bool) -> Answer:
    """The messages that a key names, up to the id `up_to`; to less where the index was begun anew meanwhile."""
    known_to = min(up_to, textindex.cursor(tx, account_id))
    is_exact = True
    scores = NO_SCORES
    match key:
        case Resembles():
            found = find_resembling(tx, account_id, key)
            ids: Collection[int] = found
            scores = Scores(found)
        case HeaderContains(name, text):
            ids = textindex.find_field(tx, account_id, name, compared(text))
        case BodyContains(text) | TextContains(text):
            query = parse_query(text)
            is_exact = textindex.answers_exactly(query, tx.engine)
            zones = BODY + HEADER if isinstance(key, TextContains) else BODY
            ids = textindex.find_text(tx, account_id, query, zones)
        case HasWords(where, text):
            query = parse_words(text)
            is_exact = where is Where.ANYWHERE and textindex.answers_exactly(query, tx.engine)
            ids = textindex.find_text(tx, account_id, query, _ZONES.get(where, SHOWN))
    return Answer(
        MessageIds(ids), known_to, is_complete=is_complete and known_to == up_to, is_exact=is_exact, scores=scores
    )


def _newest_id(tx: Tx, account_id: int) -> int:
    rows = tx.execute(
        "select next_message_id - 1 from mail_account where account_id = :account_id", account_id=account_id
    )
    return int(rows[0][0]) if rows else 0


def _newest_ids(tx: Tx) -> list[Row]:
    return tx.execute("select account_id, next_message_id - 1 from mail_account order by account_id")


def _next_messages(tx: Tx, account_id: int, after: int) -> list[Row]:
    return tx.execute(
        """select id, blob, prefix, header_octets, octets, fields from message
        where account_id = :account_id and id > :after order by id limit :limit""",
        account_id=account_id,
        after=after,
        limit=_BATCH,
    )


def _existing(tx: Tx, account_id: int, first: int, last: int) -> set[int]:
    rows = tx.execute(
        "select id from message where account_id = :account_id and id between :first and :last",
        account_id=account_id,
        first=first,
        last=last,
    )
    return {message_id for (message_id,) in rows}


def _bounded(rows: list[Row]) -> list[Row]:
    """The first rows whose contents together are not too large; at least one."""
    octets = 0
    for count, row in enumerate(rows):
        octets += row[4]
        if count and octets > _BATCH_OCTETS:
            return rows[:count]
    return rows


def _documents(rows: Sequence[Row], contents: Sequence[bytes]) -> list[Document]:
    return [_document(row, content) for row, content in zip(rows, contents, strict=True)]


def _document(row: Row, content: bytes) -> Document:
    message_id, _, prefix, header_octets, _, fields = row
    header = searched_header(prefix + content[:header_octets])
    named: dict[str, list[str]] = {}
    for name, value in field_values(unpack_fields(fields)):
        if name in INDEXED_FIELDS:
            named.setdefault(name, []).append(value)
    return Document(
        message_id,
        [token for line in header for token in tokens(normalise(line))],
        [token for values in named.values() for value in values for token in tokens(normalise(value))],
        [token for text in body_texts(content) for token in tokens(normalise(text))],
        {name: "\n".join(values) for name, values in named.items()},
    )
