"""What a subject is about: without Re:, Fwd: and the like, for sorting and threads (RFC 5256 §2.1)."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from mailhost.message.casemap import casemap
from mailhost.message.encoded import decode_header
from mailhost.message.mime import unfold

_BLANKS: Final = re.compile(r"[ \t\r\n]+")
_TRAILER: Final = re.compile(r"(?: |\(fwd\))+\Z", re.IGNORECASE)
_BLOB: Final = r"\[[^\[\]]*+\] ?"
_LEADER: Final = re.compile(rf" |(?:{_BLOB})*(?:re|fwd?) ?(?:{_BLOB})?:", re.IGNORECASE)
_LABEL: Final = re.compile(rf"{_BLOB}(?=.)", re.DOTALL)
# Most subjects: printable ASCII words, nothing before them but `Re: `, no brackets and no encoded words. Atomic groups,
# for `(...)*+` loses its place in Python before 3.11.5 where the last turn fails half way.
_PLAIN: Final = re.compile(
    rb" ?((?>(?:(?:re|fwd?): )*))(?!re[ :]|fwd?[ :])((?>[!-Z^-~]+(?: [!-Z^-~]+)*))(?<!\(fwd\))\r?\n?", re.IGNORECASE
)
_MAX_SUBJECT: Final = 2_000
"""Characters that are looked at; more would only make comparing slow."""


class BaseSubject(NamedTuple):
    """The text compared, and whether something that marks a reply or a forwarded message was taken off it."""

    text: str
    is_reply: bool


def base_subject(value: bytes) -> BaseSubject:
    """The base of a raw Subject value. Threads share subjects, so one of usual length is remembered."""
    return _remembered(value) if len(value) < _MAX_SUBJECT else _base_subject(value)


@lru_cache(maxsize=4096)
def _remembered(value: bytes) -> BaseSubject:
    plain = _PLAIN.fullmatch(value) if b"=?" not in value else None
    if plain is not None:
        return BaseSubject(casemap(plain[2].decode("ascii")), bool(plain[1]))
    return _base_subject(value)


def _base_subject(value: bytes) -> BaseSubject:
    text = _BLANKS.sub(" ", decode_header(unfold(value))[:_MAX_SUBJECT])
    is_reply = False
    while True:
        whole = _TRAILER.sub("", text)
        is_reply = is_reply or len(whole) < len(text.rstrip(" "))
        text, was_reply = _without_leaders(whole)
        is_reply = is_reply or was_reply
        if not (text[:5].lower() == "[fwd:" and text.endswith("]")):
            return BaseSubject(casemap(text), is_reply)
        text, is_reply = text[5:-1], True


def _without_leaders(text: str) -> tuple[str, bool]:
    """Without `Re:` and `[label]` before it; a label stays when nothing would be left."""
    is_reply = False
    place = 0
    while True:
        if leader := _LEADER.match(text, place):
            is_reply = is_reply or leader[0] != " "
        else:
            leader = _LABEL.match(text, place)
            if leader is None:
                return text[place:], is_reply
        place = leader.end()
