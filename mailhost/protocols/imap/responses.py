"""What the server says, as bytes ready to send (RFC 9051 §7)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from mailhost.message.threads import Node
from mailhost.protocols.imap.commands import Search, Sort, StatusItem
from mailhost.protocols.imap.fetch import Window
from mailhost.protocols.imap.names import DELIMITER, OTHER_USERS, encode_name
from mailhost.protocols.imap.rights import ALL_RIGHTS, Right, rights_text
from mailhost.protocols.imap.search import ReturnOption
from mailhost.protocols.imap.sets import format_numbers, format_ranges

Status = Literal["OK", "NO", "BAD", "BYE", "PREAUTH"]

_RANGES_IN_LINE: Final = 300
_QUOTABLE: Final = re.compile(rb"[^\x00\r\n\x7f-\xff]{0,1000}")
_UNSAFE_TEXT: Final = re.compile(r"[^ -~]+")


def tagged(tag: bytes, status: Status, text: str, code: str | None = None) -> bytes:
    """The answer that ends a command: `a1 OK [CODE] text`."""
    shown = f"{status} {text}" if code is None else f"{status} [{code}] {text}"
    if not (shown.isascii() and shown.isprintable()):
        shown = _UNSAFE_TEXT.sub("?", shown)
    return b"%s %s\r\n" % (tag, shown.encode())


def untagged(status: Status, text: str, code: str | None = None) -> bytes:
    """News about the conversation: `* OK [CODE] text`."""
    return tagged(b"*", status, text, code)


def in_progress(tag: bytes, done: int | None, goal: int | None) -> bytes:
    """`* OK [INPROGRESS ("a1" 175 1000)] …`; None where a number is not known (RFC 9585 §4)."""
    numbers = " ".join("NIL" if number is None else str(number) for number in (done, goal or None))
    return untagged("OK", "Still working.", f"INPROGRESS ({quoted(tag).decode()} {numbers})")


def continuation(text: bytes) -> bytes:
    """`+ text`: the client may go on."""
    return b"+ %s\r\n" % text


def quoted(text: bytes) -> bytes:
    """A quoted string; the octets must be printable, or UTF-8 once UTF8=ACCEPT is enabled."""
    if b"\\" in text or b'"' in text:
        text = text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"%s"' % text


def string(text: bytes) -> bytes:
    """A quoted string, or a literal where the octets cannot be quoted."""
    return quoted(text) if _QUOTABLE.fullmatch(text) else b"{%d}\r\n%s" % (len(text), text)


def announced(label: bytes, size: int, *, is_piece: bool, is_binary: bool = False) -> bytes:
    """`BODY[1] {size}`, behind which the octets come.

    An empty piece is `""` and all there is, for iOS Mail waits behind `{0}`. A section that is empty is `{0}`, which is
    all that curl reads.
    """
    if is_piece and not size:
        return label + b' ""'
    return (b"%b ~{%d}\r\n" if is_binary else b"%b {%d}\r\n") % (label, size)


def mailbox(name: str, *, utf8: bool) -> bytes:
    """A mailbox name, always quoted as most servers do, for clients that split at blanks."""
    return quoted(encode_name(name, utf8=utf8))


def flag_list(flags: Iterable[str]) -> bytes:
    """`(\\Seen $label1)`."""
    return b"(%s)" % " ".join(flags).encode("ascii")


def capability(names: Iterable[str]) -> bytes:
    """`* CAPABILITY …`."""
    return b"* CAPABILITY %s\r\n" % " ".join(names).encode()


def enabled(names: Iterable[str]) -> bytes:
    """`* ENABLED …`, with nothing behind it when nothing was enabled."""
    return b"* ENABLED%s\r\n" % "".join(" " + name for name in names).encode()


def server_id(fields: Mapping[str, str]) -> bytes:
    """`* ID ("name" "Mailhost" …)`."""
    return b"* ID (%s)\r\n" % b" ".join(
        string(word.encode("ascii", "replace")) for pair in fields.items() for word in pair
    )


def namespace() -> bytes:
    """One's own mailboxes, and those of others that one may use (RFC 2342)."""
    delimiter = DELIMITER.encode()
    return b'* NAMESPACE (("" "%s")) (("%s%s" "%s")) NIL\r\n' % (delimiter, OTHER_USERS.encode(), delimiter, delimiter)


def acl(name: str, entries: Iterable[tuple[str, Right]], *, utf8: bool) -> bytes:
    """`* ACL "INBOX" "anna@example.org" lrs`: who may do what (RFC 4314 §3.6)."""
    pieces = [mailbox(name, utf8=utf8)]
    for identifier, rights in entries:
        pieces += [string(identifier.encode()), _rights(rights)]
    return b"* ACL %s\r\n" % b" ".join(pieces)


def list_rights(name: str, identifier: str, always: Right, *, utf8: bool) -> bytes:
    """`* LISTRIGHTS "INBOX" "otto@example.org" "" l r s …`: what one always has, then what can be granted singly."""
    possible = b"".join(b" %b" % letter.encode() for letter in rights_text(ALL_RIGHTS & ~always))
    pieces = (mailbox(name, utf8=utf8), string(identifier.encode()), _rights(always))
    return b"* LISTRIGHTS %b%b\r\n" % (b" ".join(pieces), possible)


def my_rights(name: str, rights: Right, *, utf8: bool) -> bytes:
    """`* MYRIGHTS "INBOX" lrs`."""
    return b"* MYRIGHTS %b %b\r\n" % (mailbox(name, utf8=utf8), _rights(rights))


def metadata(name: str, values: Mapping[str, bytes | None], *, utf8: bool) -> bytes:
    """`* METADATA "INBOX" (/shared/comment "ours")`; NIL for an entry that is not there (RFC 5464 §4.4.1)."""
    pieces = [b"%b %b" % (entry.encode(), _value(value)) for entry, value in values.items()]
    return b"* METADATA %b (%b)\r\n" % (mailbox(name, utf8=utf8), b" ".join(pieces))


def metadata_changed(name: str, entries: Sequence[str], *, utf8: bool) -> bytes:
    """`* METADATA "INBOX" /shared/comment`: these entries have other values now, nobody asked (RFC 5464 §4.4.2)."""
    return b"* METADATA %b %b\r\n" % (mailbox(name, utf8=utf8), " ".join(entries).encode()) if entries else b""


def _value(value: bytes | None) -> bytes:
    if value is None:
        return b"NIL"
    return b"~{%d}\r\n%b" % (len(value), value) if b"\0" in value else string(value)


def _rights(rights: Right) -> bytes:
    return rights_text(rights).encode() or b'""'


def exists(count: int) -> bytes:
    """`* 23 EXISTS`."""
    return b"* %d EXISTS\r\n" % count


def expunge(number: int) -> bytes:
    """`* 4 EXPUNGE`."""
    return b"* %d EXPUNGE\r\n" % number


def vanished(uids: Sequence[tuple[int, int]], *, earlier: bool = False) -> bytes:
    """`* VANISHED 3,5:9`, in as many lines as keep each one short; nothing for no UID (RFC 7162 §3.2.10)."""
    start = b"* VANISHED (EARLIER) " if earlier else b"* VANISHED "
    lines = []
    for place in range(0, len(uids), _RANGES_IN_LINE):
        piece = uids[place : place + _RANGES_IN_LINE]
        lines.append(start + b"%b\r\n" % format_ranges(piece))
    return b"".join(lines)


def flags_defined(flags: Iterable[str]) -> bytes:
    """`* FLAGS (…)`: the flags that are in use in the mailbox."""
    return b"* FLAGS %s\r\n" % flag_list(flags)


def list_line(
    attributes: Iterable[str],
    name: str,
    *,
    utf8: bool,
    command: str = "LIST",
    child_info: Sequence[str] = (),
    old_name: str | None = None,
) -> bytes:
    """`* LIST (\\HasNoChildren) "/" "name"`; `child_info` are selection options a child met (RFC 5258 §3.5).

    `old_name` is what the mailbox was called until now (RFC 9051 §6.3.9.7).
    """
    extended = b""
    if child_info:
        extended = b' ("CHILDINFO" (%s))' % b" ".join(quoted(option.encode()) for option in child_info)
    if old_name is not None:
        extended = b' ("OLDNAME" (%b))' % mailbox(old_name, utf8=utf8)
    return b'* %s (%s) "%s" %s%s\r\n' % (
        command.encode(),
        " ".join(attributes).encode(),
        DELIMITER.encode(),
        mailbox(name, utf8=utf8),
        extended,
    )


def root_line(command: str = "LIST") -> bytes:
    """The answer to a LIST of the empty pattern: which delimiter names have (RFC 9051 §6.3.9)."""
    return b'* %s (\\Noselect) "%s" ""\r\n' % (command.encode(), DELIMITER.encode())


def status(name: str, values: Mapping[StatusItem, int | str], *, utf8: bool) -> bytes:
    """`* STATUS "name" (MESSAGES 3 …)`."""
    items = " ".join(f"{item.value} {value}" for item, value in values.items())
    return b"* STATUS %s (%s)\r\n" % (mailbox(name, utf8=utf8), items.encode())


def quota(root: str, resources: Mapping[str, tuple[int, int]]) -> bytes:
    """`* QUOTA "" (STORAGE 5 1024 MESSAGE 3 100)`: each resource with what is used of it and its limit (RFC 9208)."""
    words = " ".join(f"{name} {used} {limit}" for name, (used, limit) in resources.items())
    return b"* QUOTA %s (%s)\r\n" % (string(root.encode()), words.encode())


def quota_root(name: str, roots: Iterable[str], *, utf8: bool) -> bytes:
    """`* QUOTAROOT "INBOX" ""`."""
    pieces = [mailbox(name, utf8=utf8), *(string(root.encode()) for root in roots)]
    return b"* QUOTAROOT %s\r\n" % b" ".join(pieces)


def search(numbers: Iterable[int], modseq: int | None, *, name: bytes = b"SEARCH") -> bytes:
    """`* SEARCH 2 5 (MODSEQ 917)`; `modseq` is the highest among the messages found, None when it was not asked.

    `name` is SORT where the numbers are in an order asked for (RFC 5256).
    """
    found = "".join(f" {number}" for number in numbers)
    if modseq is not None and found:
        found += f" (MODSEQ {modseq})"
    return b"* %b%b\r\n" % (name, found.encode())


def search_text(found: bytes, *, name: bytes = b"SEARCH") -> bytes:
    """The same of numbers that are text already, each behind a blank."""
    return b"* %b%b\r\n" % (name, found)


def thread(roots: Sequence[Node]) -> bytes:
    """`* THREAD (2)(3 6 (4 23)(44 7 96))`: replies behind what they answer, several in parentheses (RFC 5256 §5)."""
    pieces = [b"* THREAD "] if roots else [b"* THREAD"]
    waiting: list[bytes | Node] = []

    def wait(nodes: Sequence[Node]) -> None:
        for node in reversed(nodes):
            waiting.extend((b")", node, b"("))

    wait(roots)
    while waiting:
        node = waiting.pop()
        if isinstance(node, bytes):
            pieces.append(node)
            continue
        gap = b""
        while True:
            if node.message is not None:
                pieces.append(b"%b%d" % (gap, node.message.number))
                gap = b" "
            if len(node.children) != 1:
                break
            [node] = node.children
        if node.children:
            pieces.append(gap)
            wait(node.children)
    return b"".join(pieces) + b"\r\n"


def esearch_update(command: Search | Sort, item: bytes, pairs: Sequence[tuple[int, Sequence[int]]]) -> bytes:
    """`* ESEARCH (TAG "a1") UID ADDTO (0 7:9)`: places in a result and what comes or goes there (RFC 5267 §4.3)."""
    if not pairs:
        return b""
    changes = b" ".join(b"%d %b" % (place, format_numbers(numbers)) for place, numbers in pairs)
    uid = b" UID" if command.by_uid else b""
    return b"* ESEARCH (TAG %b)%b %b (%b)\r\n" % (quoted(command.tag), uid, item, changes)


@dataclass(frozen=True, slots=True)
class SearchedMailbox:
    """Where something was found (RFC 7377 §2.1)."""

    name: str
    uid_validity: int
    utf8: bool


def esearch(
    tag: bytes,
    numbers: Sequence[int],
    wanted: frozenset[ReturnOption],
    *,
    by_uid: bool,
    modseq: int | None,
    window: Window | None = None,
    source: SearchedMailbox | None = None,
    relevancy: Sequence[int] | None = None,
) -> bytes:
    """`* ESEARCH (TAG "a1") UID MIN 2 COUNT 8 ALL 2,5:11 MODSEQ 917`; `numbers` are in the order found (RFC 4731).

    `relevancy` is the score of each, told of those in PARTIAL where that is asked (RFC 6203 §4).
    """
    where = b""
    if source is not None:
        where = b" MAILBOX %b UIDVALIDITY %d" % (mailbox(source.name, utf8=source.utf8), source.uid_validity)
    pieces = [b"* ESEARCH (TAG %b%b)" % (quoted(tag), where)]
    if by_uid:
        pieces.append(b"UID")
    if numbers and ReturnOption.MIN in wanted:
        pieces.append(b"MIN %d" % numbers[0])
    if numbers and ReturnOption.MAX in wanted:
        pieces.append(b"MAX %d" % numbers[-1])
    if ReturnOption.COUNT in wanted:
        pieces.append(b"COUNT %d" % len(numbers))
    if numbers and ReturnOption.ALL in wanted:
        pieces.append(b"ALL " + format_numbers(numbers))
    if window is not None:
        sign = b"-" if window.from_newest else b""
        part = format_numbers(numbers[window.of(len(numbers))]) or b"NIL"
        pieces.append(b"PARTIAL (%b%d:%b%d %b)" % (sign, window.ends[0], sign, window.ends[1], part))
    if numbers and modseq is not None:
        pieces.append(b"MODSEQ %d" % modseq)
    if numbers and relevancy is not None:
        told = relevancy if window is None else relevancy[window.of(len(numbers))]
        pieces.append(b"RELEVANCY (%b)" % b" ".join(b"%d" % score for score in told))
    return b" ".join(pieces) + b"\r\n"
