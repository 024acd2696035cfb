"""What conversations are recognised by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.conversation import (
    CONVERSATION_FIELDS,
    MAX_PEOPLE,
    MAX_REFERENCES,
    conversation_keys,
    conversation_subject,
)


def keys(**fields: str):
    return conversation_keys({name.replace("_", "-").encode(): value.encode() for name, value in fields.items()})


@pytest.mark.parametrize(
    ("subject", "base", "is_reply"),
    [
        ("Lunch", "lunch", False),
        ("AW: Lunch", "lunch", True),
        ("Re: AW: WG[2]: [all] Re: Lunch", "lunch", True),
        ("回复：午饭", "午饭", True),
        ("Awful: lunch", "awful: lunch", False),
        ("SV:", "", True),
    ],
)
def test_leaders_in_other_languages_are_taken_off(subject: str, base: str, is_reply: bool) -> None:
    found = conversation_subject(subject.encode())
    assert (found.text.lower(), found.is_reply) == (base, is_reply)


def test_an_answer_shares_a_key_with_what_it_answers_while_the_subject_is_the_same() -> None:
    first = keys(subject="Lunch", message_id="<1@x>")
    assert set(first.named) <= set(keys(subject="Re: Lunch", message_id="<2@x>", references="<1@x>").named)
    assert set(first.named) <= set(keys(subject="RE: lunch", message_id="<2@x>", in_reply_to='<"1"@x>').named)
    assert not set(first.named) & set(keys(subject="Dinner", message_id="<2@x>", references="<1@x>").named)


def test_the_same_people_share_a_key_whoever_writes() -> None:
    first = keys(subject="Lunch", **{"from": "Rosa <rosa@a.test>", "to": "anna@b.test, Otto <OTTO@b.test>"})
    back = keys(subject="Re: Lunch", **{"from": "anna@b.test", "to": "rosa@a.test", "cc": "otto@b.test"})
    assert first.subject == back.subject is not None
    assert not first.is_reply
    assert back.is_reply
    assert keys(subject="Lunch", **{"from": "rosa@a.test", "to": "anna@b.test"}).subject != first.subject
    assert keys(subject="", **{"from": "rosa@a.test"}).subject is None
    assert keys(subject="Lunch").subject is None
    crowd = ", ".join(f"p{number}@a.test" for number in range(MAX_PEOPLE + 1))
    assert keys(subject="Lunch", to=crowd).subject is None


def test_the_first_and_the_last_references_count() -> None:
    chain = [f"<{number}@x>" for number in range(100)]
    named = keys(subject="x", references=" ".join(chain), message_id="<new@x>", in_reply_to="<100@x>").named
    assert len(named) == MAX_REFERENCES + 2
    for kept in (chain[0], *chain[-5:]):
        assert set(keys(subject="x", message_id=kept).named) <= set(named)
    assert not set(keys(subject="x", message_id=chain[5]).named) & set(named)


@given(st.dictionaries(st.sampled_from(sorted(CONVERSATION_FIELDS)), st.binary(max_size=200)))
def test_any_octets_have_keys_of_64_bits(values: dict[bytes, bytes]) -> None:
    found = conversation_keys(values)
    for key in (*found.named, found.subject or 0):
        assert -(1 << 63) <= key < 1 << 63
