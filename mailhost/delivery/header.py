"""The header of a message passing through: looked at as a whole, rewritten where a rule asks for it, bounded."""

import re
from collections.abc import Callable
from typing import Final

from mailhost.delivery.model import MAX_HEADER, MAX_HOPS, HeaderTooLarge, MailLoop
from mailhost.message.mime import unfold, without_comments

_NEWLINE: Final = re.compile(rb"\r\n|\r|\n")
_RECEIVED: Final = re.compile(rb"(?im)^received[ \t]*:")
_RESULTS: Final = re.compile(rb"(?im)^authentication-results[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)\n?")


class HeaderGate:
    """Lets a message through piece by piece, its header block only once it is whole and rewritten.

    `rewrite` gets the field lines, each with its line end and without the empty line behind them, and returns what is
    to stand there; it may raise to refuse the message. With `mend`, bare newlines become CRLF before it looks, so that
    nothing can hide behind them.
    """

    def __init__(self, rewrite: Callable[[bytes], bytes], *, mend: bool = False) -> None:
        self._rewrite = rewrite
        self._mend = mend
        self._held: bytes | None = b""

    def feed(self, chunk: bytes) -> bytes:
        """What may go on. Raises HeaderTooLarge and what `rewrite` raises."""
        if self._held is None:
            return chunk
        start = max(0, len(self._held) - 3)  # the empty line may be cut
        held = self._held + chunk
        end = _header_end(held, start)
        if self._mend and not _is_clean(held if end is None else held[:end]):
            held = _mended(held)
            end = _header_end(held, 0)
        if (len(held) if end is None else end) > MAX_HEADER:
            raise HeaderTooLarge
        if end is None:
            self._held = held
            return b""
        self._held = None
        return self._rewrite(held[:end]) + held[end:]

    def finish(self) -> bytes:
        """What is left when the message ended within its header."""
        held, self._held = self._held, None
        if held is None:
            return b""
        if held and not held.endswith(b"\n"):
            held = held.removesuffix(b"\r") + b"\r\n"
        end = _header_end(held, 0)  # a last CR may just have become the empty line
        end = len(held) if end is None else end
        return self._rewrite(held[:end]) + held[end:]


def _header_end(held: bytes, start: int) -> int | None:
    """Where the empty line begins, looked for from `start` on; before it stand whole lines."""
    if held.startswith(b"\r\n"):
        return 0
    end = held.find(b"\r\n\r\n", start)
    return None if end < 0 else end + 2


def _is_clean(header: bytes) -> bool:
    return header.count(b"\r\n") == header.count(b"\n") == header.count(b"\r")


def _mended(held: bytes) -> bytes:
    """Every newline as CRLF; a CR at the very end may still get its LF."""
    tail = b"\r" if held.endswith(b"\r") else b""
    return _NEWLINE.sub(b"\r\n", held.removesuffix(tail)) + tail


def refuse_loop(header: bytes) -> None:
    """Raises MailLoop for a message that has been through more than MAX_HOPS servers."""
    if len(_RECEIVED.findall(header)) > MAX_HOPS:
        raise MailLoop


def without_our_results(header: bytes, host: str) -> bytes:
    """The header without Authentication-Results that claim to be ours: only we may speak in our name (RFC 8601 §5)."""
    if b"uthentication-results" not in header and b"uthentication-results" not in header.lower():
        return header
    ours = host.casefold().encode()

    def keep(field: re.Match[bytes]) -> bytes:
        words = without_comments(unfold(field[1])).split(b";", 1)[0].split()
        return b"" if words and words[0].strip(b'"').lower() == ours else field[0]

    return _RESULTS.sub(keep, header)
