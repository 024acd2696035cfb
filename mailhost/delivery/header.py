"""The header of a message passing through: looked at as a whole, rewritten where a rule asks for it, bounded."""

import re
from collections.abc import Callable
from typing import Final

from mailhost.delivery.model import MAX_HEADER, MAX_HOPS, HeaderTooLarge, MailLoop
from mailhost.message.mime import unfold, without_comments

_END: Final = re.compile(rb"(?:\A|\n)\r?\n")
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
        if self._mend:
            held = _mended(held)
            start = 0
        end = _END.search(held, start)
        if end is None:
            if len(held) > MAX_HEADER:
                raise HeaderTooLarge
            self._held = held
            return b""
        self._held = None
        cut = end.start() + 1 if held[end.start() : end.start() + 1] == b"\n" and end.end() - end.start() > 1 else 0
        if cut > MAX_HEADER:
            raise HeaderTooLarge
        return self._rewrite(held[:cut]) + held[cut:]

    def finish(self) -> bytes:
        """What is left when the message ended within its header."""
        held, self._held = self._held, None
        if held is None:
            return b""
        if held and not held.endswith(b"\n"):
            held = held.removesuffix(b"\r") + b"\r\n"
        return self._rewrite(held)


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
