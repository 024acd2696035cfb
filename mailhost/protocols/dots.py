"""The dot at the start of a line: how SMTP's DATA and POP3's multi-line answers end (RFC 5321 §4.5.2, RFC 1939 §3).

Both directions search for whole sequences and never walk line by line.
"""

from __future__ import annotations

from typing import Final

_END: Final = b"\r\n.\r\n"
_HELD: Final = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")  # the ways the end, or a stuffed dot, can be cut, longest first


class DotDecoder:
    """Takes the stuffing off received data and finds its end, which is CR LF . CR LF and nothing else.

    Ends such as LF . LF, which other servers accept, are how one message is smuggled inside another; here they are
    content.
    """

    __slots__ = ("_held", "_started")

    def __init__(self) -> None:
        self._held = b"\r\n"  # stands for the line end of the command before, so that a first line `.` is the end
        self._started = False

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """The content in `data`, unstuffed, and once the end was found the octets behind it, else None.

        A few octets may be held back until it is clear what they are.
        """
        rest = None
        raw = self._held + data if self._held else data
        end = raw.find(_END)
        if end >= 0:
            rest = raw[end + len(_END) :]
            raw = raw[: end + 2]
        else:
            self._held = next((tail for tail in _HELD if raw.endswith(tail)), b"")
            if self._held:
                raw = raw[: -len(self._held)]
        content = raw.replace(b"\r\n.", b"\r\n")
        if content and not self._started:
            self._started = True
            content = content[2:]
        return content, rest


class DotEncoder:
    """Puts the stuffing on data to be sent, and the end behind it."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = b"\r\n"

    def feed(self, data: bytes) -> bytes:
        """The octets to send for the next piece of content."""
        if not data:
            return b""
        joined = self._last + data
        held = len(self._last)
        self._last = joined[-2:]
        return joined.replace(b"\r\n.", b"\r\n..")[held:]

    def finish(self) -> bytes:
        """The end; with a line end before it when the content has none."""
        return b".\r\n" if self._last == b"\r\n" else _END


class ContentCheck:
    """Finds what no message may hold, in pieces cut anywhere: NUL, and a CR or LF that is not part of CR LF.

    The latter only with `newlines`: where bare newlines are mended later, nobody needs to count them here.
    """

    __slots__ = ("_newlines", "_pending_cr", "bare_newline", "ends_with_newline", "nul")

    def __init__(self, *, newlines: bool = True) -> None:
        self._newlines = newlines
        self._pending_cr = False
        self.bare_newline = False
        self.nul = False
        self.ends_with_newline = True
        """Whether the content so far is empty or ends with LF."""

    def feed(self, data: bytes) -> None:
        """Look at the next piece of content."""
        if not data:
            return
        if b"\0" in data:
            self.nul = True
        self.ends_with_newline = data.endswith(b"\n")
        if not self._newlines:
            return
        if self._pending_cr:
            data = b"\r" + data
        self._pending_cr = data.endswith(b"\r")
        pairs = data.count(b"\r\n")
        if data.count(b"\n") != pairs or data.count(b"\r") - self._pending_cr != pairs:
            self.bare_newline = True

    def finish(self) -> None:
        """The content is over: a CR still waiting for its LF stands alone."""
        if self._pending_cr:
            self.bare_newline = True
