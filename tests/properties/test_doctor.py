"""Whatever a server, a document or a name server says, the doctor comes to an end and to a leaf."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from mailhost.doctor.catalogue import leaves
from mailhost.doctor.discovery.documents import NotThatDocument, read_autoconfig, read_autodiscover, read_pacc
from mailhost.doctor.masking import Mask
from mailhost.doctor.messages import meaning_of
from mailhost.doctor.names import Resolver
from mailhost.doctor.probe import Path, Probe
from mailhost.doctor.signin import Credentials, SignIn
from mailhost.doctor.targets import Encryption, Protocol, Target
from mailhost.doctor.world import Deadlines, World
from tests.doctor.zoo.world import AUTOCONFIG, AUTODISCOVER, PACC

SHORT = Deadlines(0.2, 0.05, 0.05, 0.1, 0.1, 0.05, 0.1)
WORDS = [
    b"* OK ready", b"+OK ready", b"220 x ESMTP", b"220-x", b"250-AUTH PLAIN", b"250 STARTTLS", b"* BYE", b"-ERR", b"",
    b"* CAPABILITY IMAP4rev1 AUTH=PLAIN STARTTLS", b"d1 OK", b"d2 OK", b"d3 NO", b"+ eyJ", b"334 !", b"421 no", b".",
    b"HTTP/1.1 400", b"\x16\x03\x01\x00\x05", b"\x15\x03\x03\x00\x02\x02\x28", b"535 5.7.8", b'* LIST () "/" x',
]  # fmt: skip
lines = st.lists(st.sampled_from(WORDS) | st.binary(max_size=12), max_size=8).map(b"\r\n".join)


@settings(max_examples=60)
@given(lines, st.sampled_from(Protocol), st.sampled_from(Encryption), st.booleans())
def test_any_server_leads_to_a_leaf_or_to_a_sign_in(
    said: bytes, protocol: Protocol, encryption: Encryption, hangs_up: bool
) -> None:
    ends: list[socket.socket] = []

    async def connect(_address: str, _port: int) -> socket.socket:
        near, far = socket.socketpair()
        ends.append(far)
        near.setblocking(False)
        far.sendall(said)
        if hangs_up:
            far.shutdown(socket.SHUT_WR)
        return near

    async def story() -> Path:
        world = World(Resolver(()), connect, None, SHORT)
        path = await Probe(world, Path(Target(protocol, "mail.example.test", 1, encryption), "192.0.2.1")).run()
        if path.finding is None:
            await SignIn(world, path, "a@example.test", None).run(Credentials("a@example.test", "secret"))
        return path

    try:
        path = asyncio.run(story())
    finally:
        for end in ends:
            end.close()
    assert path.finding is None or path.finding.leaf in leaves()
    if encryption is Encryption.TLS:
        assert path.finding is not None  # nobody here can shake hands


def mutated(document: bytes) -> st.SearchStrategy[bytes]:
    """The document with a piece cut out and another put in."""
    places = st.integers(0, len(document))
    pieces = st.sampled_from(
        [b"", b"<", b"&x;", b"99999999", b"<!DOCTYPE x>", b"{", b"\xff", b"-1", b"[" * 40]
    ) | st.binary(max_size=6)
    return st.builds(lambda a, b, piece: document[: min(a, b)] + piece + document[max(a, b) :], places, places, pieces)


@given(mutated(AUTOCONFIG.encode()) | mutated(AUTODISCOVER.encode()) | mutated(PACC))
def test_any_document_is_read_or_refused(data: bytes) -> None:
    for read in (lambda each: read_autoconfig(each, "a@example.test"), read_autodiscover, read_pacc):
        with suppress(NotThatDocument):
            for target in read(data).targets:
                assert 0 < target.port < 65536
                assert target.host.isascii()


@given(st.text(max_size=200))
def test_any_message_is_understood_or_not_and_masking_it_twice_changes_nothing(text: str) -> None:
    meaning = meaning_of(text)
    assert meaning is None or {*meaning.leaves} <= {*leaves()}
    masked = Mask(["a secret"])(f"{text} a secret {text}")
    assert "a secret" not in masked
    assert Mask(["a secret"])(masked) == masked


@given(st.text(max_size=80), st.sampled_from(["A", "MX", "SRV", "TXT"]))
def test_any_name_can_be_asked_for(name: str, kind: str) -> None:
    async def story() -> None:
        resolver = Resolver(())
        await resolver.query(name, kind)
        await resolver.close()

    asyncio.run(story())
