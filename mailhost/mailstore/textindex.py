"""The search index in rows: which messages have which words, and the common fields as text. Derived from the store.

On SQLite it is a file of its own (FTS5), on PostgreSQL tables beside the others (tsvector, GIN) whose names begin with
`search_`. Words carry their account and the zone they stand in, so that looking for the beginning of a
word touches the words of one account only. Messages are taken in by rising id; `search_cursor` says how far.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mailhost.message.tokens import Query
from mailhost.storage.database import Tx

FORMAT: Final = 9
"""Raised with every change of what is indexed or how; an index of another format is made anew."""

INDEXED_FIELDS: Final = ("from", "to", "cc", "bcc", "subject")

BODY, HEADER, SHOWN = "t", "h", "v"
"""Zones: where in a message a word stands."""

_ID_BITS: Final = 40
_LOCK: Final = 0x73726368  # "srch"
_TOKENS_IN_ROW: Final = 4_000
"""Words in a tsvector: at 48 characters and four octets each below PostgreSQL's limit of 1 MiB."""
_PLACES: Final = 255
"""So often a word may stand in one; of more PostgreSQL forgets where."""
_PHRASE: Final = 64
"""So many words in a row always stand in one tsvector, too: each begins with the last of those before it."""

_LAST: Final = "\U0010ffff"  # behind every character that stands in a word
_MAX_VOCABULARY: Final = 50_000
_IDS_AT_ONCE: Final = 5_000

_TABLES: Final = ("search_text", "search_vocabulary", "search_field", "search_cursor", "search_format")
_COMMON: Final = (
    """create table search_field (account_id bigint not null, field text not null, message_id bigint not null,
        text text not null, primary key (account_id, field, message_id))""",
    "create table search_cursor (account_id bigint not null primary key, message_id bigint not null)",
    "create table search_format (format bigint not null primary key, store text not null)",
)
_SQLITE: Final = (
    "create virtual table search_text using fts5 (words, content='', contentless_delete=1, tokenize='ascii')",
    "create virtual table search_vocabulary using fts5vocab (search_text, row)",
)
_POSTGRES: Final = (
    """create table search_text (account_id bigint not null, message_id bigint not null, piece bigint not null,
        words tsvector not null, primary key (account_id, message_id, piece))""",
    "create index search_words on search_text using gin (words)",
    'create table search_vocabulary (term text collate "C" not null primary key)',
)


@dataclass(frozen=True, slots=True)
class Document:
    """What is indexed of one message. The texts of fields are as they are compared, a line for each."""

    message_id: int
    header: Sequence[str]
    shown: Sequence[str]  # what a reader sees of the header: the values of INDEXED_FIELDS
    body: Sequence[str]
    fields: Mapping[str, str]


def prepare(tx: Tx, store: str) -> None:
    """Make the index's tables; an index of another format, or of another store, is emptied."""
    if tx.engine == "postgres":
        tx.execute("select pg_advisory_xact_lock(:key)", key=_LOCK)
        there = tx.execute(
            "select 1 from pg_tables where schemaname = current_schema() and tablename = 'search_format'"
        )
    else:
        there = tx.execute("select 1 from sqlite_schema where type = 'table' and name = 'search_format'")
    if there and tx.execute("select * from search_format") == [(FORMAT, store)]:
        return
    for table in _TABLES:
        tx.execute(f"drop table if exists {table}")
    for statement in (*_COMMON, *(_SQLITE if tx.engine == "sqlite" else _POSTGRES)):
        tx.execute(
            statement if tx.engine == "postgres" else statement.replace("message_id))", "message_id)) without rowid")
        )
    tx.execute("insert into search_format (format, store) values (:format, :store)", format=FORMAT, store=store)


def cursor(tx: Tx, account_id: int) -> int:
    """Every message of the account up to this id is in the index."""
    rows = tx.execute("select message_id from search_cursor where account_id = :account_id", account_id=account_id)
    return int(rows[0][0]) if rows else 0


def cursors(tx: Tx) -> dict[int, int]:
    """The cursor of each account that has one."""
    return dict(tx.execute("select account_id, message_id from search_cursor"))


def add(tx: Tx, account_id: int, documents: Sequence[Document], after: int, until: int) -> int:
    """Take documents in and move the cursor from `after` to `until`, unless somebody else has moved it; returns it."""
    tx.execute(
        """insert into search_cursor (account_id, message_id) values (:account_id, 0)
        on conflict (account_id) do nothing""",
        account_id=account_id,
    )
    moved = tx.execute(
        """update search_cursor set message_id = :until where account_id = :account_id and message_id = :after
        returning 1""",
        account_id=account_id,
        after=after,
        until=until,
    )
    if not moved:
        return cursor(tx, account_id)
    for document in documents:
        _add_words(tx, account_id, document)
        tx.execute_many(
            """insert into search_field (account_id, field, message_id, text)
            values (:account_id, :field, :message_id, :text)""",
            [
                {"account_id": account_id, "field": field, "message_id": document.message_id, "text": storable(text)}
                for field, text in document.fields.items()
            ],
        )
    if tx.engine == "postgres":
        _add_vocabulary(tx, account_id, documents)
    return until


def forget(tx: Tx, account_id: int, message_ids: Iterable[int]) -> None:
    """Take messages out."""
    for message_id in message_ids:
        if tx.engine == "sqlite":
            tx.execute("delete from search_text where rowid = :id", id=account_id << _ID_BITS | message_id)
        else:
            tx.execute(
                "delete from search_text where account_id = :account_id and message_id = :id",
                account_id=account_id,
                id=message_id,
            )
        for field in INDEXED_FIELDS:
            tx.execute(
                "delete from search_field where account_id = :account_id and field = :field and message_id = :id",
                account_id=account_id,
                field=field,
                id=message_id,
            )


def clear(tx: Tx, account_id: int) -> None:
    """Take all of an account out, and begin with its first message again."""
    if tx.engine == "sqlite":
        first = account_id << _ID_BITS
        tx.execute(
            "delete from search_text where rowid between :first and :last",
            first=first,
            last=first + (1 << _ID_BITS) - 1,
        )
    else:
        tx.execute("delete from search_text where account_id = :account_id", account_id=account_id)
        for zone in (HEADER, BODY):
            key = _key(account_id, zone)
            tx.execute(
                "delete from search_vocabulary where term >= :first and term <= :last", first=key, last=key + _LAST
            )
    for table in ("search_field", "search_cursor"):
        tx.execute(f"delete from {table} where account_id = :account_id", account_id=account_id)


def indexed_ids(tx: Tx, account_id: int, after: int, limit: int) -> list[int]:
    """Messages that are in the index, ascending by id."""
    if tx.engine == "sqlite":
        first = account_id << _ID_BITS
        rows = tx.execute(
            "select rowid - :first from search_text where rowid > :after and rowid < :end order by rowid limit :limit",
            first=first,
            after=first + after,
            end=first + (1 << _ID_BITS),
            limit=limit,
        )
    else:
        rows = tx.execute(
            """select distinct message_id from search_text where account_id = :account_id and message_id > :after
            order by message_id limit :limit""",
            account_id=account_id,
            after=after,
            limit=limit,
        )
    return [message_id for (message_id,) in rows]


def find_text(tx: Tx, account_id: int, query: Query, zones: str) -> frozenset[int]:
    """Messages that have the tokens of a query that has some, in one of the zones: BODY, HEADER, SHOWN."""
    keys = [_key(account_id, zone) for zone in zones]
    if tx.engine == "sqlite":
        rows = tx.execute("select rowid from search_text where search_text match :match", match=_fts5(query, keys))
        mask = (1 << _ID_BITS) - 1
        return frozenset([message_id & mask for (message_id,) in rows])
    wanted = _tsqueries(query, keys)
    statement = " intersect ".join(
        f"select message_id from search_text where words @@ cast(:q{number} as tsquery)"
        for number in range(len(wanted))
    )
    rows = tx.execute(statement, **{f"q{number}": words for number, words in enumerate(wanted)})
    return frozenset([message_id for (message_id,) in rows])


def find_any(tx: Tx, account_id: int, tokens: Sequence[str], zones: str, *, is_prefix: bool) -> frozenset[int]:
    """Messages that have one of the tokens in one of the zones; `is_prefix`: or a longer one that begins so."""
    keys = [_key(account_id, zone) for zone in zones]
    if tx.engine == "sqlite":
        star = " *" if is_prefix else ""
        match = " OR ".join(f'"{key}{token}"{star}' for key in keys for token in tokens)
        rows = tx.execute("select rowid from search_text where search_text match :match", match=match)
        mask = (1 << _ID_BITS) - 1
        return frozenset([message_id & mask for (message_id,) in rows])
    star = ":*" if is_prefix else ""
    rows = tx.execute(
        "select message_id from search_text where words @@ cast(:query as tsquery)",
        query=" | ".join(f"'{key}{token}'{star}" for key in keys for token in tokens),
    )
    return frozenset([message_id for (message_id,) in rows])


def vocabulary(tx: Tx, account_id: int, letter: str, shortest: int, longest: int) -> set[str]:
    """Words of an account's mail that begin with a letter, by their length: those there are, in bounded number."""
    found: set[str] = set()
    for zone in (HEADER, BODY):
        key = _key(account_id, zone)
        rows = tx.execute(
            """select term from search_vocabulary
            where term >= :first and term <= :last and length(term) between :shortest and :longest limit :limit""",
            first=key + letter,
            last=key + letter + _LAST,
            shortest=len(key) + shortest,
            longest=len(key) + longest,
            limit=_MAX_VOCABULARY,
        )
        found.update(term[len(key) :] for (term,) in rows)
    return found


def field_texts(tx: Tx, account_id: int, field: str, ids: Sequence[int]) -> Iterator[tuple[int, str]]:
    """One of INDEXED_FIELDS of some messages, a line for each value, as it is compared."""
    chosen = "select value from json_each(:ids)" if tx.engine == "sqlite" else "select unnest(cast(:ids as bigint[]))"
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ",".join(map(str, ids[start : start + _IDS_AT_ONCE]))
        yield from tx.execute(
            f"""select message_id, text from search_field
            where account_id = :account_id and field = :field and message_id in ({chosen})""",
            account_id=account_id,
            field=field,
            ids=f"[{some}]" if tx.engine == "sqlite" else f"{{{some}}}",
        )


def find_field(tx: Tx, account_id: int, field: str, text: str) -> frozenset[int]:
    """Messages with the text, as it is compared, anywhere in one of INDEXED_FIELDS."""
    position = "instr" if tx.engine == "sqlite" else "strpos"
    rows = tx.execute(
        f"""select message_id from search_field
        where account_id = :account_id and field = :field and {position}(text, :text) > 0""",
        account_id=account_id,
        field=field,
        text=storable(text),
    )
    return frozenset([message_id for (message_id,) in rows])


def joined_fields(
    tx: Tx, account_id: int, field: str, after: int, up_to: int, limit: int, most_octets: int
) -> tuple[list[int], list[int], str, int]:
    """One of INDEXED_FIELDS of the next messages by id: their ids, the lengths in octets, all texts, by lines; and how
    far the index was then. The one with which the texts have `most_octets` is the last.

    Joined by the database, which takes a third of the time that rows do.
    """
    [(ids, lengths, text)] = tx.execute(
        """select string_agg(cast(message_id as text), ',' order by message_id),
            string_agg(cast(octet_length(text) as text), ',' order by message_id),
            string_agg(text, :line_end order by message_id)
        from (
            select message_id, text,
                sum(octet_length(text)) over (order by message_id) - octet_length(text) as octets_before
            from search_field
            where account_id = :account_id and field = :field and message_id > :after and message_id <= :up_to
            order by message_id limit :limit) as following
        where octets_before < :most_octets""",
        account_id=account_id,
        field=field,
        after=after,
        up_to=up_to,
        limit=limit,
        most_octets=most_octets,
        line_end="\n",
    )
    known_to = cursor(tx, account_id)
    if ids is None:
        return [], [], "", known_to
    return list(map(int, ids.split(","))), list(map(int, lengths.split(","))), text, known_to


def answers_exactly(query: Query, engine: str) -> bool:
    """Whether `find_text` finds nothing but matches: PostgreSQL knows the order of so many tokens."""
    return query.is_exact and (engine == "sqlite" or len(query.tokens) <= _PHRASE)


def storable(text: str) -> str:
    """The text without what a database cannot keep."""
    return (
        text if text.isascii() and "\0" not in text else text.encode(errors="replace").decode().replace("\0", "\ufffd")
    )


def _add_words(tx: Tx, account_id: int, document: Document) -> None:
    zones = ((HEADER, document.header), (SHOWN, document.shown), (BODY, document.body))
    words = [_key(account_id, zone) + token for zone, found in zones for token in found]
    if tx.engine == "sqlite":
        tx.execute(
            "insert into search_text (rowid, words) values (:id, :words)",
            id=account_id << _ID_BITS | document.message_id,
            words=" ".join(words),
        )
        return
    tx.execute_many(
        """insert into search_text (account_id, message_id, piece, words)
        values (:account_id, :message_id, :piece, cast(:words as tsvector))""",
        [
            {"account_id": account_id, "message_id": document.message_id, "piece": piece, "words": some}
            for piece, some in enumerate(_tsvectors(words))
        ],
    )


def _tsvectors(words: Sequence[str]) -> Iterator[str]:
    """Words with their places, in as many tsvectors as it takes; one without words where there are none."""
    start, end = 0, 0
    while True:
        places: dict[str, list[str]] = {}
        for end, word in enumerate(words[start : start + _TOKENS_IN_ROW], start + 1):
            found = places.setdefault(word, [])
            found.append(str(end - start))
            if len(found) == _PLACES:
                break
        yield " ".join(f"'{word}':{','.join(found)}" for word, found in places.items())
        if end == len(words):
            return
        start = end - _PHRASE + 1


def _add_vocabulary(tx: Tx, account_id: int, documents: Iterable[Document]) -> None:
    """Note the words that there are; SQLite's index tells them itself."""
    terms: set[str] = set()
    for document in documents:
        for zone, found in ((HEADER, document.header), (BODY, document.body)):
            key = _key(account_id, zone)
            terms.update(key + token for token in found)
    tx.execute(
        "insert into search_vocabulary (term) select unnest(cast(:terms as text[])) on conflict do nothing",
        terms="{" + ",".join(sorted(terms)) + "}",  # in order, so that two who add wait for each other in no circle
    )


def _key(account_id: int, zone: str) -> str:
    return f"{account_id:x}{zone}"  # no zone is a hexadecimal digit, so that no key begins another


def _fts5(query: Query, keys: Sequence[str]) -> str:
    star = " *" if query.is_prefix else ""
    return " OR ".join(f'"{" ".join(key + token for token in query.tokens)}"{star}' for key in keys)


def _tsqueries(query: Query, keys: Sequence[str]) -> list[str]:
    """One for each piece of the phrase that stands in one row of a message that has it."""
    words = [f"{token}'" for token in query.tokens]
    if query.is_prefix:
        words[-1] += ":*"
    pieces = [words[start : start + _PHRASE] for start in range(0, len(words), _PHRASE)]
    return [" | ".join(" <-> ".join(f"'{key}{word}" for word in piece) for key in keys) for piece in pieces]
