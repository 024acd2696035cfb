"""The client core: replies read, commands written."""

import pytest

from mailhost.protocols.smtp.addresses import Address
from mailhost.protocols.smtp.client import Garbage, Reply, SmtpReplies, auth_plain, mail_from, rcpt_to
from mailhost.protocols.smtp.events import Body


def read(octets: bytes) -> list[Reply | Garbage]:
    core = SmtpReplies()
    core.receive_data(octets)
    out = []
    while (event := core.next_event()) is not None:
        out.append(event)
    return out


def test_replies_of_one_and_of_several_lines() -> None:
    assert read(b"220 hello\r\n250-a\r\n250-SIZE 100\r\n250 pipelining\r\n354\r\n") == [
        Reply(220, ("hello",)),
        Reply(250, ("a", "SIZE 100", "pipelining")),
        Reply(354, ("",)),
    ]


def test_keywords_and_status() -> None:
    [reply] = read(b"250-host\r\n250-SIZE 100\r\n250 pipelining\r\n")
    assert isinstance(reply, Reply)
    assert reply.keywords == {"SIZE": "100", "PIPELINING": ""}
    [reply] = read(b"550-5.1.1 No such user.\r\n550 5.1.1 Try another.\r\n")
    assert isinstance(reply, Reply)
    assert (reply.status, reply.text) == ("5.1.1", "No such user. Try another.")
    assert Reply(421, ("bye",)).status == "4.0.0"


@pytest.mark.parametrize("octets", [b"hello\r\n", b"250-a\r\n251 b\r\n", b"x" * 5000, b"250-a\r\n" * 200, b"199 x\r\n"])
def test_what_is_no_reply(octets: bytes) -> None:
    assert isinstance(read(octets)[0], Garbage)


def test_commands() -> None:
    sender = Address("ann b", "example.test")
    known = {"SIZE": "", "8BITMIME": ""}
    assert (
        mail_from(sender, known, size=5, body=Body.EIGHT_BIT, utf8=True)
        == b'MAIL FROM:<"ann b"@example.test> SIZE=5 BODY=8BITMIME SMTPUTF8\r\n'
    )
    assert mail_from(None, {}, size=5, body=Body.SEVEN_BIT, utf8=False) == b"MAIL FROM:<>\r\n"
    assert rcpt_to(Address("bob", "example.test")) == b"RCPT TO:<bob@example.test>\r\n"
    assert auth_plain("u", "p") == b"AUTH PLAIN AHUAcA==\r\n"
