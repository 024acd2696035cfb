"""Threads: the RFC's rules on small mailboxes, and what holds for any."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.subjects import BaseSubject, base_subject
from mailhost.message.threads import Node, Threaded, by_references, by_subject, message_ids


def message(number: int, subject: str = "", references: str = "", message_id: str | None = None) -> Threaded:
    return Threaded(
        number,
        number,
        base_subject(subject.encode()),
        (message_id or f"m{number}").encode(),
        tuple(references.encode().split()),
    )


def shape(nodes: list[Node]) -> list[object]:
    """Numbers and lists of replies: [1, [2, [3]]] is 1 answered by 2 answered by 3."""
    shown: list[object] = []
    for node in nodes:
        shown.append(node.message.number if node.message else None)
        if node.children:
            shown.append(shape(node.children))
    return shown


def numbered(number: int, message_id: str, *references: str) -> Threaded:
    ids = tuple(reference.encode() for reference in references)
    return Threaded(number, number, BaseSubject("", False), message_id.encode(), ids)


@pytest.mark.parametrize("kind", ["of messages that are not there", "deep, and joined thousands of times", "denied"])
def test_hostile_references_cost_no_more_than_others(kind: str) -> None:
    count = 20_000
    if kind == "of messages that are not there":
        messages = [numbered(each, f"m{each}", f"p{each}", f"p{each + 1}") for each in range(count)]
    else:
        messages = [numbered(each, f"m{each}", f"m{each - 1}") for each in range(count)]
        for each in range(count):
            messages.append(numbered(count + 2 * each, f"c{each}", f"r{each}"))
            messages.append(numbered(count + 2 * each + 1, f"r{each}", f"m{count - 1}"))
    if kind == "denied":
        messages = [numbered(each, f"x{each}", "p", f"y{each}") for each in range(2 * count)]
        messages += [numbered(2 * count + each, f"y{each}") for each in reversed(range(2 * count))]
    started = process_time()
    assert len(by_references(messages)) == (1 if kind != "denied" else 2 * count)
    assert process_time() - started < 1.5  # each message walked past all others


def test_replies_stand_below_what_they_answer() -> None:
    assert shape(by_references([message(1), message(2, "", "m1"), message(3, "", "m1 m2"), message(4)])) == [
        1,
        [2, [3]],
        4,
    ]


def test_a_message_that_is_not_there_holds_its_replies_together() -> None:
    assert shape(by_references([message(1, "a", "gone"), message(2, "b", "gone")])) == [None, [1, 2]]
    assert shape(by_references([message(1, "a", "gone")])) == [1]
    assert shape(by_references([message(1), message(2, "", "m1 gone"), message(3, "", "m1 gone")])) == [1, [2, 3]]


def test_threads_of_one_subject_are_joined() -> None:
    assert shape(by_references([message(1, "x"), message(2, "Re: x")])) == [1, [2]]
    assert shape(by_references([message(1, "Re: x"), message(2, "x")])) == [2, [1]]
    assert shape(by_references([message(1, "x"), message(2, "x")])) == [None, [1, 2]]
    assert shape(by_references([message(1, "x"), message(2, "x"), message(3, "x")])) == [None, [1, 2, 3]]
    both = [message(1, "x", "g"), message(2, "x", "g"), message(3, "x", "h"), message(4, "x", "h")]
    assert shape(by_references(both)) == [None, [1, 2, 3, 4]]
    assert shape(by_references([message(1), message(2)])) == [1, 2]


def test_circles_and_doubles_are_broken() -> None:
    assert shape(by_references([message(1, "", "m2"), message(2, "", "m1")])) == [2, [1]]
    assert shape(by_references([message(1, "", "m1")])) == [1]
    assert shape(by_references([message(1), message(2, message_id="m1"), message(3, "", "m1")])) == [1, [3], 2]


def test_a_chain_as_long_as_a_mailbox() -> None:
    chain = [message(number, "", f"m{number - 1}") for number in range(1, 20_000)]
    for messages in (chain, chain[::-1]):
        nodes = by_references(messages)
        depth = 0
        while nodes:
            [node] = nodes
            nodes, depth = node.children, depth + 1
        assert depth == 19_999


def test_ordered_subject() -> None:
    messages = [message(1, "b"), message(2, "a"), message(3, "Re: b"), message(4, "b")]
    assert shape(by_subject(messages)) == [1, [3, 4], 2]


def test_ids_are_found_between_other_words() -> None:
    assert message_ids(b' <"a"@b>(x)<c@d> rosa@example.org <') == [b"a@b", b"c@d"]


IDS = st.sampled_from([b"a", b"b", b"c", b"d", b"e"])


@given(
    st.lists(
        st.tuples(
            st.integers(0, 9),
            st.none() | IDS,
            st.lists(IDS, max_size=4),
            st.sampled_from(["", "x", "y"]),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_every_message_stands_in_one_place(drawn) -> None:
    messages = [
        Threaded(number, date, BaseSubject(subject, is_reply), message_id, tuple(references))
        for number, (date, message_id, references, subject, is_reply) in enumerate(drawn, 1)
    ]
    for threads in (by_references(messages), by_subject(messages)):
        numbers: list[int] = []
        stack = list(threads)
        orders = [node.order for node in threads]
        assert orders == sorted(orders)
        while stack:
            node = stack.pop()
            if node.message is not None:
                numbers.append(node.message.number)
            else:
                assert len(node.children) > 1
            orders = [child.order for child in node.children]
            assert orders == sorted(orders)
            stack += node.children
        assert sorted(numbers) == list(range(1, len(messages) + 1))
