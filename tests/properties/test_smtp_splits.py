"""Any split of the octets gives the same events, and no octets raise: SMTP, LMTP and the client's replies."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.protocols.dots import DotDecoder, DotEncoder
from mailhost.protocols.smtp.client import SmtpReplies
from mailhost.protocols.smtp.events import (
    Auth,
    AuthResponse,
    Chunk,
    ChunkEnd,
    Data,
    Event,
    Hello,
    Mail,
    MessageEnd,
    Mistake,
    Rcpt,
)
from mailhost.protocols.smtp.server import SmtpConnection

COMMANDS = [
    b"EHLO client.example\r\n",
    b"LHLO client.example\n",
    b"HELO \r\n",
    b"MAIL FROM:<ann@example.test> SIZE=100\r\n",
    b"MAIL FROM:<>\r\n",
    b"RCPT TO:<bob@example.test>\r\n",
    b"DATA\r\n",
    b"From: ann\r\n\r\n.dot\r\n..\r\nbody\r\n.\r\n",
    b"\n.\n",
    b".\r\n",
    b"\r\n.\r\n",
    b"\r",
    b"\n",
    b".",
    b"\0",
    b"BDAT 7\r\nFrom: a",
    b"BDAT 4 LAST\r\nend\r",
    b"BDAT 0 LAST\r\n",
    b"BDAT x\r\n",
    b"AUTH PLAIN\r\n",
    b"*\r\n",
    b"RSET\r\n",
    b"QUIT\r\n",
    b"GET / HTTP/1.1\r\n",
    b"x" * 90,
    b"x" * 13000 + b"\r\n",
    b"\xff\xfe\r\n",
]


@dataclass
class Content:
    """Chunks joined, since a split may cut them anywhere."""

    octets: bytes = b""


def accept(connection: SmtpConnection, event: Event) -> None:
    """An owner that accepts everything."""
    match event:
        case Hello():
            connection.hello_accepted()
        case Mail():
            connection.mail_accepted(event)
        case Rcpt():
            connection.rcpt_accepted()
        case Data():
            connection.data_started()
        case Auth():
            connection.auth_started()
        case AuthResponse():
            connection.auth_ended()
        case _:
            pass


def events_of(pieces: list[bytes], *, lmtp: bool) -> list[Event | Content]:
    connection = SmtpConnection(max_size=120, lmtp=lmtp)
    out: list[Event | Content] = []
    for piece in pieces:
        connection.receive_data(piece)
        while (event := connection.next_event()) is not None:
            if isinstance(event, Chunk):
                if not out or not isinstance(out[-1], Content):
                    out.append(Content())
                assert isinstance(out[-1], Content)
                out[-1].octets += event.content
                continue
            doomed = (isinstance(event, ChunkEnd | MessageEnd) and event.defect) or isinstance(event, Mistake)
            if doomed and out and isinstance(out[-1], Content):
                out.pop()  # how much of a doomed message came out before the defect showed depends on the split
            out.append(event)
            accept(connection, event)
    if out and isinstance(out[-1], Content):
        out.pop()  # the octets at the end may still be held back
    return out


def cut(whole: bytes, data: st.DataObject) -> list[bytes]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    return [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


@pytest.mark.parametrize("lmtp", [False, True])
@given(parts=st.lists(st.sampled_from(COMMANDS) | st.binary(max_size=30), max_size=25), data=st.data())
def test_any_split_gives_the_same_events(lmtp: bool, parts: list[bytes], data: st.DataObject) -> None:
    start = b"LHLO c\r\n" if lmtp else b"EHLO c\r\n"
    envelope = b"MAIL FROM:<>\r\nRCPT TO:<b@example.test>\r\n"
    whole = data.draw(st.sampled_from([b"", start, start + envelope, start + envelope + b"DATA\r\n"])) + b"".join(parts)
    expected = events_of([whole], lmtp=lmtp)
    assert events_of(cut(whole, data), lmtp=lmtp) == expected
    if len(whole) < 2000:
        assert events_of([whole[i : i + 1] for i in range(len(whole))], lmtp=lmtp) == expected


LINES = st.lists(st.sampled_from([b".", b"..", b"", b"text", b".x", b"\r", b"\n", b"\n.\n", b"\r."]), max_size=12)


@given(lines=LINES, data=st.data())
def test_the_dots_of_any_content_survive_the_way(lines: list[bytes], data: st.DataObject) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    encoder = DotEncoder()
    wire = b"".join(encoder.feed(piece) for piece in cut(content, data)) + encoder.finish()
    decoder = DotDecoder()
    received, rest = b"", None
    for piece in cut(wire + b"QUIT\r\n", data):
        if rest is not None:
            rest += piece
            continue
        out, rest = decoder.feed(piece)
        received += out
    assert (received, rest) == (content, b"QUIT\r\n")


REPLIES = [
    b"250 ok\r\n",
    b"250-a\r\n",
    b"250-2.1.0 b\n",
    b"354\r\n",
    b"421 4.7.0 bye\r\n",
    b"9\r\n",
    b"x" * 5000,
    b"\n",
]


@given(parts=st.lists(st.sampled_from(REPLIES) | st.binary(max_size=20), max_size=20), data=st.data())
def test_any_split_gives_the_same_replies(parts: list[bytes], data: st.DataObject) -> None:
    def replies(pieces: list[bytes]) -> list[object]:
        core, out = SmtpReplies(), []
        for piece in pieces:
            core.receive_data(piece)
            while (event := core.next_event()) is not None:
                out.append(event)
        return out

    whole = b"".join(parts)
    assert replies([whole]) == replies(cut(whole, data))
