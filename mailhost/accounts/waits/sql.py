"""Wrong secrets and waits as rows; a source is a user name from a network, or a network as a whole. Times are Unix."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailhost.storage.database import Tx


@dataclass(frozen=True, slots=True)
class Wait:
    """What one source got wrong: how many different secrets, when the last one, and until when it waits."""

    wrong: int
    last_at: float
    until_at: float


def find_waits(tx: Tx, sources: Sequence[str]) -> list[Wait | None]:
    """The waits of some sources, in their order."""
    found: list[Wait | None] = []
    for source in sources:
        rows = tx.execute("select wrong, last_at, until_at from sign_in_wait where source = :source", source=source)
        found.append(Wait(*rows[0]) if rows else None)
    return found


def count_secret(tx: Tx, source: str, mark: bytes, now: float) -> int:
    """Note a wrong secret of a source; how many times it has come by now."""
    [(times,)] = tx.execute(
        """insert into wrong_secret (source, mark, times, at) values (:source, :mark, 1, :now)
        on conflict (source, mark) do update set times = wrong_secret.times + 1, at = excluded.at returning times""",
        source=source,
        mark=mark,
        now=now,
    )
    return int(times)


def count_wrong(tx: Tx, source: str, now: float) -> int:
    """Count one more different wrong secret of a source; how many they are."""
    [(wrong,)] = tx.execute(
        """insert into sign_in_wait (source, wrong, last_at, until_at) values (:source, 1, :now, 0)
        on conflict (source) do update set wrong = sign_in_wait.wrong + 1, last_at = excluded.last_at
        returning wrong""",
        source=source,
        now=now,
    )
    return int(wrong)


def let_wait(tx: Tx, source: str, until: float) -> None:
    """Have a source wait."""
    tx.execute("update sign_in_wait set until_at = :until where source = :source", source=source, until=until)


def forget_source(tx: Tx, source: str) -> None:
    """Begin anew with a source."""
    tx.execute("delete from sign_in_wait where source = :source", source=source)
    tx.execute("delete from wrong_secret where source = :source", source=source)


def forget_waits(tx: Tx, before: float, now: float) -> None:
    """Forget every source and secret of which nothing was heard since a time, unless the source still waits."""
    tx.execute("delete from sign_in_wait where last_at < :before and until_at < :now", before=before, now=now)
    tx.execute("delete from wrong_secret where at < :before", before=before)


def names_tried(tx: Tx, network_source: str, since: float) -> int:
    """How many different pairs of name and secret a network got wrong since a time; 100 stand for more."""
    [(pairs,)] = tx.execute(
        """select count(*) from (
            select 1 from wrong_secret where source = :source and at > :since limit 100) as found""",
        source=network_source,
        since=since,
    )
    return int(pairs)
