"""How well the messages found are what was searched for, where the search is fuzzy (RFC 6203 §4)."""

from collections.abc import Sequence

from mailhost.mailstore.matching import MAX_CONTENT, Candidate
from mailhost.mailstore.search import SCAN_COLUMNS, Scope
from mailhost.mailstore.thinking import think
from mailhost.protocols.imap.search import Resembles, SearchKey, leaves, relevancy
from mailhost.servers.imap.sort import read_rows
from mailhost.servers.imap.view import MailboxView
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Row
from mailhost.storage.errors import BlobDamaged, BlobMissing


async def relevancies(
    database: Database, blobs: Blobs, view: MailboxView, key: SearchKey, scope: Scope, uids: Sequence[int]
) -> dict[int, int]:
    """UID → 1 to 100, for the ascending UIDs that are there. What the index does not know yet is looked at again."""
    asked = [leaf for leaf in leaves(key) if isinstance(leaf, Resembles)]
    answers = [scope.answers.get(leaf) for leaf in asked]
    if all(answer is not None and answer.is_complete for answer in answers):
        return await _by_index(database, view, key, scope, uids)
    scores: dict[int, int] = {}
    for rows in await read_rows(database, view, list(uids), SCAN_COLUMNS, list):
        for row in rows:
            scores[row[0]] = await _by_looking(blobs, key, Candidate(row, scope), asked)
    return scores


async def _by_index(
    database: Database, view: MailboxView, key: SearchKey, scope: Scope, uids: Sequence[int]
) -> dict[int, int]:
    def score(message_id: int) -> int:
        return relevancy(key, lambda leaf: scope.answers[leaf].scores.of(message_id))

    def read(rows: list[Row]) -> dict[int, int]:
        return {uid: score(message_id) for uid, message_id in rows}

    pieces = await read_rows(database, view, list(uids), ("uid", "message_id"), read)
    return {uid: score for piece in pieces for uid, score in piece.items()}


async def _by_looking(blobs: Blobs, key: SearchKey, candidate: Candidate, asked: Sequence[Resembles]) -> int:
    if any(candidate.score(leaf) is None for leaf in asked):
        try:
            candidate.read(await blobs.read(candidate.digest, 0, MAX_CONTENT))
        except (BlobDamaged, BlobMissing):
            candidate.read(b"")
    return await think(relevancy, key, lambda leaf: candidate.score(leaf) or 0)
