"""Compression: whole at every flush, bounded at every step, the same stream after a rest (RFC 4978)."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.protocols.imap.compression import MOST_AT_ONCE, Compression, CompressionBroken


@given(st.lists(st.tuples(st.binary(max_size=200), st.booleans()), max_size=8))
def test_each_answer_can_be_read_when_it_was_written(answers: list[tuple[bytes, bool]]) -> None:
    layer = Compression()
    peer = zlib.decompressobj(-15)
    for answer, rests in answers:
        assert peer.decompress(layer.deflate(answer)) == answer
        if rests:
            layer.rest()


@given(st.binary(max_size=500), st.integers(1, 9), st.integers(1, 50))
def test_what_a_client_sends_is_read_at_any_cut(octets: bytes, level: int, step: int) -> None:
    client = zlib.compressobj(level, zlib.DEFLATED, -15)
    sent = client.compress(octets) + client.flush(zlib.Z_SYNC_FLUSH)
    layer = Compression()
    read = b""
    for place in range(0, len(sent), step):
        layer.feed(sent[place : place + step])
        while piece := layer.take():
            read += piece
    assert read == octets


def test_a_bomb_is_given_back_in_pieces() -> None:
    client = zlib.compressobj(9, zlib.DEFLATED, -15)
    layer = Compression()
    layer.feed(client.compress(bytes(10_000_000)) + client.flush(zlib.Z_SYNC_FLUSH))
    sizes = []
    while piece := layer.take():
        sizes.append(len(piece))
    assert max(sizes) == MOST_AT_ONCE
    assert sum(sizes) == 10_000_000


@pytest.mark.parametrize("ending", [b"\xff\xff\xff", zlib.compress(b"x")[2:-4]])
def test_what_is_no_stream_is_broken(ending: bytes) -> None:
    layer = Compression()
    layer.feed(ending)
    with pytest.raises(CompressionBroken):
        layer.take()


def test_what_stands_behind_a_flush_is_inflated_only_when_it_is_asked_for() -> None:
    client = zlib.compressobj(6, zlib.DEFLATED, -15)
    layer = Compression()
    layer.feed(client.compress(b"a NOOP\r\n") + client.flush(zlib.Z_SYNC_FLUSH))
    layer.feed(client.compress(b"b UNAUTHENTICATE\r\n") + client.flush(zlib.Z_SYNC_FLUSH) + b"c LOGIN anna x\r\n")
    assert layer.take() == b"a NOOP\r\n"
    assert layer.take() == b"b UNAUTHENTICATE\r\n"
    assert layer.left() == b"c LOGIN anna x\r\n"
