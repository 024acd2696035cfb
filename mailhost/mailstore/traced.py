"""Messages that begin with the fields we put in front of what we deliver: read and appended, they are known again."""

import hashlib
import re
from typing import Final, NamedTuple

_MAX_OCTETS: Final = 8 * 1024
_START: Final = b"Return-Path: <"
_REST: Final = rb"[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*"
_TRACE: Final = re.compile(rb"Return-Path: <%bDelivered-To: %bReceived: %b(?![ \t])" % (_REST, _REST, _REST))


class Traced(NamedTuple):
    """A message as if we had delivered it: the fields in front, and the SHA-256 of the content behind them."""

    prefix: bytes
    digest: bytes


class TraceWatch:
    """Looks on while a message comes in; of most messages the first octets tell that nothing is to be hashed."""

    def __init__(self) -> None:
        self._head: bytes | None = b""
        self._prefix = b""
        self._hash = hashlib.sha256()

    def feed(self, chunk: bytes) -> None:
        """Take the next octets."""
        if self._prefix:
            self._hash.update(chunk)
        elif self._head is not None:
            self._look(self._head + chunk)

    def finish(self) -> Traced | None:
        """What was found, once the message is whole."""
        return Traced(self._prefix, self._hash.digest()) if self._prefix else None

    def _look(self, head: bytes) -> None:
        found = _TRACE.match(head)
        if found is not None and found.end() < len(head):  # else the last field may go on
            self._prefix, self._head = found[0], None
            self._hash.update(head[found.end() :])
        else:
            may_come = len(head) <= _MAX_OCTETS and head[: len(_START)] == _START[: len(head)]
            self._head = head if may_come else None
