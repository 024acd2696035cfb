"""Flags and keywords: names on one side, bits of `placement.flags` on the other (RFC 9051 §2.3.2).

Keywords are numbered per account. A bit that no message carries any more is given to the next new keyword when all
are taken, so an account has at most 57 keywords at a time and forgets none that is in use.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from mailhost.mailstore.model import FIRST_KEYWORD_BIT, LAST_KEYWORD_BIT, SYSTEM_FLAGS, TooManyKeywords
from mailhost.storage.database import Tx

LOOKED_THROUGH: Final = 50_000
"""Placements and tombstones that a new keyword may look through for one that nobody carries."""

Keywords = tuple[tuple[int, str], ...]
"""(bit, name) in the order of bits: an account's keywords."""


def load_keywords(tx: Tx, account_id: int) -> Keywords:
    """The account's keywords."""
    rows = tx.execute(
        "select bit, name from keyword where account_id = :account_id order by bit", account_id=account_id
    )
    return tuple((int(bit), str(name)) for bit, name in rows)


def system_mask(flags: Iterable[str]) -> int:
    """The bits of system flags given in canonical case."""
    mask = 0
    for flag in flags:
        mask |= SYSTEM_FLAGS[flag]
    return mask


def keyword_mask(tx: Tx, account_id: int, names: Iterable[str], *, create: bool, promised: int = 0) -> int:
    """The bits of keywords, compared without regard to case; unknown ones are made or left out.

    `promised` are the bits of others that no message carries yet but will before the transaction ends.
    Raises TooManyKeywords. The account's modseq was raised before when `create` is set.
    """
    mask = 0
    known: dict[str, int] | None = None
    for name in names:
        if known is None:
            known = {keyword.lower(): bit for bit, keyword in load_keywords(tx, account_id)}
        bit = known.get(name.lower())
        if bit is None and create:
            bit = _take_bit(tx, account_id, set(known.values()), name, mask | promised)
            known = {keyword: one for keyword, one in known.items() if one != bit} | {name.lower(): bit}
        if bit is not None:
            mask |= 1 << bit
    return mask


def has_keywords(mask: int) -> bool:
    """Whether any bit of the mask is a keyword's. What it is called must be looked up: bits are given out again."""
    return mask >> FIRST_KEYWORD_BIT != 0


@lru_cache(maxsize=4096)
def flag_text(mask: int, keywords: Keywords) -> bytes:
    """The flags of a mask as they stand between the parentheses of FLAGS."""
    names = [name for name, bit in SYSTEM_FLAGS.items() if mask & bit]
    names += [name for bit, name in keywords if mask >> bit & 1]
    return " ".join(names).encode("ascii")


def _take_bit(tx: Tx, account_id: int, taken: set[int], name: str, promised: int) -> int:
    free = next((bit for bit in range(FIRST_KEYWORD_BIT, LAST_KEYWORD_BIT + 1) if bit not in taken), None)
    if free is None:
        free = _unused_bit(tx, account_id, promised)
        tx.execute("delete from keyword where account_id = :account_id and bit = :bit", account_id=account_id, bit=free)
    tx.execute(
        "insert into keyword (account_id, bit, name) values (:account_id, :bit, :name)",
        account_id=account_id,
        bit=free,
        name=name,
    )
    return free


def _unused_bit(tx: Tx, account_id: int, promised: int) -> int:
    """Looked for in passing only where that is quick; in larger accounts maintenance does it (keywords.py)."""
    # What the owner can still undo keeps its keywords too.
    rows = tx.execute(
        """select flags, count(*) from (
            select flags from placement where account_id = :account_id
            union all
            select flags from tombstone where account_id = :account_id
            limit :most
        ) as marked group by flags""",
        account_id=account_id,
        most=LOOKED_THROUGH,
    )
    if sum(count for _, count in rows) == LOOKED_THROUGH:
        raise TooManyKeywords
    used = promised
    for mask, _ in rows:
        used |= mask
    for bit in range(FIRST_KEYWORD_BIT, LAST_KEYWORD_BIT + 1):
        if not used >> bit & 1:
            return bit
    raise TooManyKeywords
