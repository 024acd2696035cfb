"""IMAP URLs that name a message or a part of it, relative to this server (RFC 5092, RFC 4469 §3)."""

import re
from dataclasses import dataclass, replace
from typing import Final

from mailhost.protocols.imap.fetch import Partial, Section
from mailhost.protocols.imap.names import DELIMITER, canonical_name
from mailhost.protocols.imap.parsing.cursor import Cursor, Refusal
from mailhost.protocols.imap.parsing.messages import parse_section

_PATH: Final = re.compile(
    r"(?P<mailbox>[^;?#]*?)(?:;UIDVALIDITY=(?P<validity>[1-9][0-9]{0,9}))?/?;UID=(?P<uid>[1-9][0-9]{0,9})"
    r"(?:/?;SECTION=(?P<section>[^;?#/]*))?(?:/?;PARTIAL=(?P<start>[0-9]{1,10})(?:\.(?P<length>[1-9][0-9]{0,9}))?)?",
    re.IGNORECASE,
)
_QUOTED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_ALL: Final = 1 << 62


class InvalidUrl(ValueError):
    """The URL names no message here; the text says why."""


@dataclass(frozen=True, slots=True)
class MessageUrl:
    """A message in a mailbox, and which of its octets."""

    mailbox: str
    uid_validity: int | None
    uid: int
    section: Section


def parse_url(url: bytes, selected: str | None) -> MessageUrl:
    """`/Drafts;UIDVALIDITY=3/;UID=20/;SECTION=1.MIME/;PARTIAL=0.1024`, or `;UID=20` in the selected mailbox.

    Raises InvalidUrl.
    """
    try:
        text = url.decode("ascii")
    except UnicodeDecodeError as error:
        raise InvalidUrl("A URL is ASCII; other characters are written as %XX of their UTF-8.") from error
    if text.startswith("//") or "://" in text.partition("/;")[0]:
        raise InvalidUrl("Only URLs without scheme and server can be used here.")
    found = _PATH.fullmatch(text)
    if found is None:
        raise InvalidUrl("The URL is malformed, or names no message by its UID.")
    validity = found["validity"]
    return MessageUrl(
        _mailbox(found["mailbox"], selected),
        None if validity is None else int(validity),
        int(found["uid"]),
        _section(found["section"] or "", found["start"], found["length"]),
    )


def _mailbox(path: str, selected: str | None) -> str:
    """The mailbox a path names; without a slash before it, one beside the selected mailbox (RFC 3986 §5.2)."""
    try:
        name = _unquote(path).decode()
    except UnicodeDecodeError as error:
        raise InvalidUrl("The name of the mailbox is not UTF-8.") from error
    if not name:
        if selected is None:
            raise InvalidUrl("No mailbox is selected that the URL could be relative to.")
        return selected
    if path.startswith("/"):
        return canonical_name(name[1:].removesuffix(DELIMITER))
    above = "" if selected is None else selected.rpartition(DELIMITER)[0]
    return canonical_name((above + DELIMITER + name).removeprefix(DELIMITER).removesuffix(DELIMITER))


def _section(spec: str, start: str | None, length: str | None) -> Section:
    cursor = Cursor(_unquote(spec) + b"]")
    try:
        section = parse_section(cursor, sets_seen=False)
        cursor.end()
    except Refusal as error:
        raise InvalidUrl("The section in the URL is malformed.") from error
    if start is None:
        return section
    return replace(section, partial=Partial(int(start), _ALL if length is None else int(length)))


def _unquote(text: str) -> bytes:
    return _QUOTED.sub(lambda found: bytes((int(found[1], 16),)), text.encode())
