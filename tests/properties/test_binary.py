"""Octets of any value survive being given a transfer encoding; what needs none is not touched (RFC 3516 §4.4)."""

import asyncio
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.binary import LineEnds, with_safe_encodings
from mailhost.message.mime import parse_content
from mailhost.message.scan import Part, Scanner
from mailhost.message.sections import Range
from mailhost.message.transfer import decoder_for

octets = st.binary(max_size=300).filter(lambda data: b"--x" not in data) | st.just(b"two\r\nlines")
headers = st.sampled_from(
    [
        b"\r\n",
        b"Content-Type: image/png\r\n\r\n",
        b"Content-Transfer-Encoding: binary\r\n\r\n",
        b"A: b\r\ncontent-transfer-encoding:\r\n 8bit (c)\r\nC: d\r\n\r\n",
    ]
)
parts = st.lists(st.tuples(headers, octets), min_size=1, max_size=4)
TOP = b"Content-Type: multipart/mixed; boundary=x\r\nContent-Transfer-Encoding: binary\r\n\r\n"


def rewrite(message: bytes, step: int) -> bytes:
    scanner = Scanner()
    scanner.feed(message)

    async def stream(place: Range) -> AsyncIterator[bytes]:
        for start in range(place.start, place.start + place.length, step):
            yield message[start : min(start + step, place.start + place.length)]

    async def joined() -> bytes:
        return b"".join([piece async for piece in with_safe_encodings(scanner.finish(), len(message), stream)])

    return asyncio.run(joined())


def leaves(message: bytes) -> list[tuple[Part, bytes]]:
    """Each leaf with its body decoded."""
    scanner = Scanner()
    scanner.feed(message)
    found = []
    waiting = [scanner.finish()]
    while waiting:
        part = waiting.pop()
        waiting += reversed(part.children)
        if not part.children:
            decoder = decoder_for(part.content.encoding)
            assert decoder
            found.append((part, decoder.feed(message[part.body_start : part.body_end]) + decoder.finish()))
    return found


def is_whole(data: bytes, step: int) -> bool:
    ends = LineEnds()
    for start in range(0, len(data), step):
        ends.feed(data[start : start + step])
    return ends.finish()


@given(parts, st.sampled_from([1, 7, 57, 1000]))
def test_every_part_says_what_it_said(given_parts: list[tuple[bytes, bytes]], step: int) -> None:
    message = TOP + b"".join(b"--x\r\n" + header + body + b"\r\n" for header, body in given_parts) + b"--x--\r\n"
    before, after = leaves(message), leaves(rewrite(message, step))
    assert [body for _, body in after] == [body for _, body in before]
    for (old, body), (new, _) in zip(before, after, strict=True):
        needs = b"\0" in body or (old.content.encoding == b"binary" and not is_whole(body, 1000))
        assert (new.content.encoding == b"base64") == needs
        assert new.content._replace(encoding=b"") == old.content._replace(encoding=b"")
    if not any(b"\0" in body for _, body in before):
        assert b"\0" not in rewrite(message, step)


@given(octets, headers)
def test_a_message_of_one_part(body: bytes, header: bytes) -> None:
    rewritten = rewrite(header + body, 50)
    [(part, decoded)] = leaves(rewritten)
    assert decoded == body
    assert b"\0" not in rewritten
    if part.content.encoding != b"base64":
        assert rewritten == header + body
    assert parse_content(rewritten[: part.body_start], in_digest=False).encoding == part.content.encoding


@given(st.text("\r\na", max_size=12), st.integers(1, 4))
def test_line_ends_are_told_at_any_split(text: str, step: int) -> None:
    data = text.encode()
    lone = data.replace(b"\r\n", b"")
    assert is_whole(data, step) == (b"\r" not in lone and b"\n" not in lone)
