"""The table of IMAP capabilities is whole: it knows what is announced, and no gap is without a reason."""

from tests.house.imap import ABSENT, OURS, REGISTERED, announced


def test_what_is_announced_is_registered_or_known_as_our_own() -> None:
    assert "IMAP4rev2" in announced()
    assert announced() <= REGISTERED.keys() | OURS.keys()


def test_each_capability_is_there_or_has_one_sentence_that_says_why_not() -> None:
    assert ABSENT.keys() == REGISTERED.keys() - announced()
    assert all(reason.endswith(".") and reason.count(". ") == 0 for reason in ABSENT.values())
