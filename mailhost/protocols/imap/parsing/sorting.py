"""SORT and THREAD (RFC 5256 §4, RFC 5267 §3, RFC 5957, RFC 6203 §6)."""

from typing import Final

from mailhost.protocols.imap.commands import Sort, Thread
from mailhost.protocols.imap.parsing.cursor import Cursor, Refusal
from mailhost.protocols.imap.parsing.searching import read_codec, read_keys, read_returns
from mailhost.protocols.imap.sorting import Algorithm, Criterion, SortKey

_KEYS: Final = {key.value: key for key in SortKey}
_ALGORITHMS: Final = {algorithm.value: algorithm for algorithm in Algorithm}


def parse_sort(cursor: Cursor, tag: bytes) -> Sort:
    """SORT [RETURN (options)] (criteria) charset keys."""
    return _parse_sort(cursor, tag, by_uid=False)


def parse_uid_sort(cursor: Cursor, tag: bytes) -> Sort:
    """UID SORT, as SORT."""
    return _parse_sort(cursor, tag, by_uid=True)


def _parse_sort(cursor: Cursor, tag: bytes, *, by_uid: bool) -> Sort:
    cursor.space()
    returns, window, update = read_returns(cursor)
    criteria = _criteria(cursor)
    cursor.space()
    codec = read_codec(cursor, returns)
    cursor.space()
    by_relevancy = any(criterion.key is SortKey.RELEVANCY for criterion in criteria)
    key = read_keys(cursor, codec, returns, needs_fuzzy=by_relevancy)
    return Sort(tag, by_uid, criteria, key, returns, window, update)


def _criteria(cursor: Cursor) -> tuple[Criterion, ...]:
    cursor.expect(b"(")
    criteria: dict[SortKey, Criterion] = {}
    while True:
        word = cursor.word()
        is_reverse = word == b"REVERSE"
        if is_reverse:
            cursor.space()
            word = cursor.word()
        key = _KEYS.get(word)
        if key is None:
            raise Refusal("There is no such sort key.")
        criteria.setdefault(key, Criterion(key, is_reverse))  # named again, it decides nothing more
        if cursor.skip(b")"):
            return tuple(criteria.values())
        cursor.space()


def parse_thread(cursor: Cursor, tag: bytes) -> Thread:
    """THREAD algorithm charset keys."""
    return _parse_thread(cursor, tag, by_uid=False)


def parse_uid_thread(cursor: Cursor, tag: bytes) -> Thread:
    """UID THREAD, as THREAD."""
    return _parse_thread(cursor, tag, by_uid=True)


def _parse_thread(cursor: Cursor, tag: bytes, *, by_uid: bool) -> Thread:
    cursor.space()
    algorithm = _ALGORITHMS.get(cursor.word())
    if algorithm is None:
        raise Refusal(f"THREAD knows {b' and '.join(_ALGORITHMS).decode()}.")
    cursor.space()
    codec = read_codec(cursor)
    cursor.space()
    return Thread(tag, by_uid, algorithm, read_keys(cursor, codec))
