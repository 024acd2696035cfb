"""What tells that two messages belong to one conversation: ids they share under one subject, or subject and people.

Both must fit, as in other mail services (RFC 8621 §3): whoever writes about something else by answering an old message
has begun a new conversation. A key is a hash, so that all of them are of one size and are looked up at once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from mailhost.message.subjects import BaseSubject, base_subject
from mailhost.message.threads import message_ids

CONVERSATION_FIELDS: Final = frozenset(
    {b"subject", b"message-id", b"in-reply-to", b"references", b"from", b"to", b"cc"}
)
MAX_REFERENCES: Final = 20
"""References that count: the first, which began it all, and the last."""
MAX_PEOPLE: Final = 50
"""More are an audience, and their mail is told apart by ids alone."""

# What mail programs write for Re: and Fwd: in other languages; RFC 5256 knows the English ones only.
_LEADERS: Final = (
    "antw|antwort|atb|aw|doorst|enc|ha|ilt|odp|pd|res|rif|rv|sv|tr|vb|vl|vs|wg|ynt"
    "|回复|答复|回覆|答覆|转发|轉寄|轉發|返信|転送"
)
_LEADER: Final = re.compile(rf"(?:re|fwd?|{_LEADERS})(?:\[\d+\]|\(\d+\))? ?[:：]\s*", re.IGNORECASE)
_ADDRESS: Final = re.compile(rb'[^\s<>,;:"()\[\]]+@[^\s<>,;:"()\[\]]+')


@dataclass(frozen=True, slots=True)
class ConversationKeys:
    """Keys of one message, 64 bits with a sign each.

    `named` are of its own id and those it refers to. `subject` is that of its subject and people, None when it has
    neither; it only counts for a message that is written as an answer.
    """

    named: tuple[int, ...]
    subject: int | None
    is_reply: bool


def conversation_keys(values: Mapping[bytes, bytes]) -> ConversationKeys:
    """The keys of a message by the unfolded values of its CONVERSATION_FIELDS."""
    subject = conversation_subject(values.get(b"subject", b""))
    about = subject.text.encode("utf-8", "replace")
    references = message_ids(values.get(b"references", b""))
    ids = message_ids(values.get(b"message-id", b""))[:1]
    ids += references[:1] + references[1:][1 - MAX_REFERENCES :] + message_ids(values.get(b"in-reply-to", b""))[:1]
    people = _people(values) if about else b""
    return ConversationKeys(
        tuple(dict.fromkeys(_key(b"id", name, about) for name in ids)),
        _key(b"subject", people, about) if people else None,
        subject.is_reply,
    )


def conversation_subject(value: bytes) -> BaseSubject:
    """The base of a raw Subject value (RFC 5256 §2.1), also without the leaders of other languages."""
    subject = base_subject(value)
    while found := _LEADER.match(subject.text):
        subject = BaseSubject(base_subject(subject.text[found.end() :].encode("utf-8", "replace")).text, is_reply=True)
    return subject


def _people(values: Mapping[bytes, bytes]) -> bytes:
    """Those who wrote and were written to, in one order; empty when there are none, or more than MAX_PEOPLE."""
    fields = b" ".join(values.get(name, b"") for name in (b"from", b"to", b"cc"))
    found = set(_ADDRESS.findall(fields.lower()))
    return b",".join(sorted(found)) if len(found) <= MAX_PEOPLE else b""


def _key(kind: bytes, what: bytes, about: bytes) -> int:
    digest = blake2b(b"%b\0%b\0%b" % (kind, what, about), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
