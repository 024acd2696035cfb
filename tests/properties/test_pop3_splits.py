"""Any split of the octets gives the same POP3 events, and no octets raise."""

from hypothesis import given
from hypothesis import strategies as st

from mailhost.protocols.pop3.commands import Auth, AuthResponse, Event, Pass
from mailhost.protocols.pop3.server import Pop3Connection

COMMANDS = [
    b"CAPA\r\n",
    b"USER ann@example.test\r\n",
    b"user \xff\r\n",
    b"PASS with blanks \r\n",
    b"AUTH\r\n",
    b"AUTH PLAIN AGFubgBz\r\n",
    b"*\r\n",
    b"STAT\n",
    b"LIST\r\n",
    b"LIST 1\r\n",
    b"UIDL 99999999999\r\n",
    b"TOP 1 0\r\n",
    b"TOP 1\r\n",
    b"RETR one\r\n",
    b"DELE 1\r\n",
    b"RSET now\r\n",
    b"QUIT\r\n",
    b"EHLO client\r\n",
    b"GET / HTTP/1.1\r\n",
    b"x" * 600 + b"\r\n",
    b"x" * 13000,
    b"\r",
    b"\n",
]


def events_of(pieces: list[bytes]) -> list[Event]:
    connection = Pop3Connection()
    out = []
    for piece in pieces:
        connection.receive_data(piece)
        while (event := connection.next_event()) is not None:
            out.append(event)
            match event:
                case Auth(mechanism=str()):
                    connection.auth_started()
                case AuthResponse():
                    connection.auth_ended()
                case Pass():
                    connection.login_succeeded()
                case _:
                    pass
    return out


@given(parts=st.lists(st.sampled_from(COMMANDS) | st.binary(max_size=20), max_size=20), data=st.data())
def test_any_split_gives_the_same_events(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    expected = events_of([whole])
    assert events_of(pieces) == expected
    if len(whole) < 2000:
        assert events_of([whole[i : i + 1] for i in range(len(whole))]) == expected
