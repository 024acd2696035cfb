"""Each mechanism, with and without an initial response, and what clients get wrong."""

from base64 import b64encode

import pytest

from mailhost.protocols.sasl import Cancelled, Challenge, Credentials, Exchange, Malformed


def b64(text: str) -> bytes:
    return b64encode(text.encode())


def test_plain_with_an_initial_response() -> None:
    step = Exchange("PLAIN").begin(b64("\0ann@example.test\0sécret"))
    assert step == Credentials("PLAIN", "ann@example.test", "sécret")
    assert "sécret" not in repr(step)


def test_plain_in_two_steps() -> None:
    exchange = Exchange("PLAIN")
    assert exchange.begin() == Challenge(b"")
    assert exchange.respond(b64("Ann@example.test\0ann@example.test\0s")) == Credentials(
        "PLAIN", "ann@example.test", "s"
    )


def test_login_asks_twice() -> None:
    exchange = Exchange("LOGIN")
    assert exchange.begin() == Challenge(b"VXNlcm5hbWU6")
    assert exchange.respond(b64("ann@example.test")) == Challenge(b"UGFzc3dvcmQ6")
    assert exchange.respond(b64("s")) == Credentials("LOGIN", "ann@example.test", "s")


def test_login_takes_the_user_name_as_initial_response() -> None:
    exchange = Exchange("LOGIN")
    assert exchange.begin(b64("ann")) == Challenge(b"UGFzc3dvcmQ6")
    assert exchange.respond(b"") == Credentials("LOGIN", "ann", "")


def test_an_equals_sign_is_an_empty_initial_response() -> None:
    assert Exchange("LOGIN").begin(b"=") == Challenge(b"UGFzc3dvcmQ6")
    assert isinstance(Exchange("PLAIN").begin(b"="), Malformed)


def test_a_star_cancels() -> None:
    exchange = Exchange("PLAIN")
    exchange.begin()
    assert exchange.respond(b"*") == Cancelled()


@pytest.mark.parametrize(
    "response",
    [
        b"not base64!",
        b"YQ",
        "é".encode(),
        b64encode(b"\0ann\0\xff"),
        b64("ann\0secret"),
        b64("\0ann\0sec\0ret"),
        b64("boss@example.test\0ann@example.test\0s"),
    ],
)
def test_what_does_not_fit_is_malformed(response: bytes) -> None:
    exchange = Exchange("PLAIN")
    exchange.begin()
    assert isinstance(exchange.respond(response), Malformed)


def test_a_nul_in_a_login_answer_is_malformed() -> None:
    exchange = Exchange("LOGIN")
    exchange.begin()
    assert isinstance(exchange.respond(b64("a\0b")), Malformed)
