"""How STORE, COPY and MOVE are cut into steps."""

from mailhost.servers.imap.numbers import NumberMap
from mailhost.servers.imap.store import split_ranges


def test_steps_count_messages_and_not_the_uids_between_them() -> None:
    assert list(split_ranges([(1, 5_000_000)], NumberMap([1, 5_000_000]), 2)) == [[(1, 5_000_000)]]
    assert list(split_ranges([(2, 9), (20, 30)], NumberMap([1, 3, 5, 40]), 2)) == [[(3, 5)]]
    many = NumberMap(range(1, 22))
    assert list(split_ranges([(1, 1), (3, len(many))], many, 10)) == [
        [(1, 1), (3, 11)],
        [(12, len(many))],
    ]
