"""Answering TCP itself at once, where the peer waits for nothing else."""

import socket
from typing import Final

from mailhost.network.stream import Stream

_QUICK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)  # Linux has it


def acknowledge(stream: Stream) -> None:
    """Acknowledge now what has come, when the rest of it is waited for.

    Programs that write a piece at a time hold back the next until then (RFC 896), and a kernel that hopes for an
    answer to send along lets them wait 40 ms: for each APPEND of imaplib's.
    """
    if _QUICK is not None and stream.is_open:
        stream.socket.setsockopt(socket.IPPROTO_TCP, _QUICK, 1)
