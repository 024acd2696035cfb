"""SASL sign-in exchanges (RFC 4422) as the server sees them, shared by IMAP, POP3 and SMTP.

A mechanism is a generator that yields challenges, is sent the client's responses, and returns what the client claims
to be. All of them stand in one table, MECHANISMS; a further mechanism is one more function and one more line.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Final

MAX_RESPONSE: Final = 12288
"""Octets of a base64 response line that must be accepted (RFC 4954 §4)."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """The server's turn: `text` is base64, ready to follow `+ ` or `334 `; empty for a client-first mechanism."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """The end of an exchange: who the client says it is, and its proof. Nothing has been checked yet."""

    mechanism: str
    user: str
    secret: str = field(repr=False)
    is_token: bool = False  # the secret is an OAuth access token


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The client ended the exchange with `*`."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """The client sent what the mechanism does not allow; `problem` is a sentence for the client."""

    problem: str
    is_for_another: bool = False  # well formed, but to act as somebody else, which nobody may


Step = Challenge | Credentials | Cancelled | Malformed
Mechanism = Callable[[], Generator[bytes, bytes, Credentials]]


class _Broken(Exception):
    """A response that does not fit; becomes Malformed."""


class _ForAnother(_Broken):
    """A response that names one user to sign in and another to act as."""


def _text(octets: bytes) -> str:
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        raise _Broken("User names and passwords must be UTF-8.") from None
    if "\0" in text:
        raise _Broken("A NUL is not allowed here.")
    return text


def _plain() -> Generator[bytes, bytes, Credentials]:
    """RFC 4616. Acting for somebody else is not offered, so an authorization identity may only repeat the user name."""
    fields = (yield b"").split(b"\0")
    if len(fields) != 3:
        raise _Broken("PLAIN needs a user name and a password, separated by NUL.")
    acting_as, user, secret = (_text(octets) for octets in fields)
    if acting_as and acting_as.casefold() != user.casefold():
        raise _ForAnother("Signing in on behalf of another user is not possible; sign in as that user.")
    return Credentials("PLAIN", user, secret)


def _login() -> Generator[bytes, bytes, Credentials]:
    """LOGIN, never standardised; these two prompts are what clients look for (draft-murchison-sasl-login)."""
    user = _text((yield b"Username:"))
    return Credentials("LOGIN", user, _text((yield b"Password:")))


def _bearer(fields: list[bytes]) -> str:
    """The token of `auth=Bearer TOKEN`, whose scheme may be written in any case (RFC 9110 §11.1)."""
    for one in fields:
        name, _, value = one.partition(b"=")
        scheme, _, token = value.partition(b" ")
        if name == b"auth" and scheme.lower() == b"bearer" and token.strip():
            return _text(token.strip())
    raise _Broken("There is no token: auth=Bearer and the token are needed.")


def _xoauth2() -> Generator[bytes, bytes, Credentials]:
    """XOAUTH2, Google's: `user=` and `auth=Bearer`, each ended by ^A, and one more ^A."""
    first, *fields = (yield b"").split(b"\x01")
    if not first.startswith(b"user="):
        raise _Broken("XOAUTH2 begins with user=.")
    return Credentials("XOAUTH2", _text(first.removeprefix(b"user=")), _bearer(fields), is_token=True)


def _oauthbearer() -> Generator[bytes, bytes, Credentials]:
    """RFC 7628 §3.1: a GS2 header with the user, then fields between ^A."""
    header, *fields = (yield b"").split(b"\x01")
    flag, _, rest = header.partition(b",")
    if flag not in (b"n", b"y"):
        raise _Broken("OAUTHBEARER begins with n,a=USER, and knows no channel binding.")
    user = rest.partition(b",")[0].removeprefix(b"a=").replace(b"=2C", b",").replace(b"=3D", b"=")
    return Credentials("OAUTHBEARER", _text(user), _bearer(fields), is_token=True)


MECHANISMS: Final[dict[str, Mechanism]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "XOAUTH2": _xoauth2,
    "OAUTHBEARER": _oauthbearer,
}
TOKEN_MECHANISMS: Final = ("XOAUTH2", "OAUTHBEARER")
"""Announced where programs can get tokens."""

_SCOPE: Final = b'"scope":"https://mail.google.com/"}'
_REFUSED_TOKENS: Final = {
    "XOAUTH2": b64encode(b'{"status":"400","schemes":"Bearer",' + _SCOPE),
    "OAUTHBEARER": b64encode(b'{"status":"invalid_token","schemes":"bearer",' + _SCOPE),
}


def refused_token(mechanism: str) -> Challenge:
    """The last challenge before a token is refused: why, as JSON. The client answers a line without meaning."""
    return Challenge(_REFUSED_TOKENS[mechanism])


class Exchange:
    """One run of a mechanism: `begin` once, then `respond` until the step is no Challenge."""

    __slots__ = ("_mechanism",)

    def __init__(self, mechanism: str) -> None:
        """`mechanism` is a key of MECHANISMS."""
        self._mechanism = MECHANISMS[mechanism]()

    def begin(self, initial: bytes | None = None) -> Step:
        """Start, with the initial response as the command line has it: base64, or `=` for an empty one (RFC 4954)."""
        challenge = next(self._mechanism)
        if initial is None:
            return Challenge(b64encode(challenge))
        return self.respond(b"" if initial == b"=" else initial)

    def respond(self, line: bytes) -> Step:
        """The client's next line, base64 without its line end."""
        if line == b"*":
            self._mechanism.close()
            return Cancelled()
        try:
            return Challenge(b64encode(self._mechanism.send(b64decode(line, validate=True))))
        except StopIteration as end:
            credentials: Credentials = end.value
            return credentials
        except binascii.Error:
            self._mechanism.close()
            return Malformed("That is not valid base64.")
        except _Broken as problem:
            return Malformed(str(problem), isinstance(problem, _ForAnother))
