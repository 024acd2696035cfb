"""Mailbox names between the wire and us: text with `/` as delimiter, INBOX in upper case."""

import re
from typing import Final

from mailhost.protocols.imap.utf7 import InvalidUtf7, decode_utf7, encode_utf7

DELIMITER: Final = "/"
OTHER_USERS: Final = "Other Users"
"""Below it stand the mailboxes of other accounts: `Other Users/anna@example.org/INBOX`."""

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class InvalidName(ValueError):
    """The bytes are not a mailbox name; the message says why, for the client to show."""


def decode_name(data: bytes, *, utf8: bool) -> str:
    """A mailbox name from the wire. `utf8` once UTF8=ACCEPT is enabled. Raises InvalidName.

    Modified UTF-7 is understood then too: Thunderbird for Android enables UTF8=ACCEPT and goes on writing it. And UTF-8
    is understood before, for modified UTF-7 is ASCII: php-imap lists what is below a mailbox so.
    """
    try:
        name = (_shifted(data) or data.decode("utf-8")) if utf8 or not data.isascii() else decode_utf7(data)
    except InvalidUtf7 as error:
        raise InvalidName("The mailbox name is not valid modified UTF-7.") from error
    except UnicodeDecodeError as error:
        raise InvalidName("The mailbox name is not valid UTF-8.") from error
    if _CONTROL.search(name) is not None:
        raise InvalidName("The mailbox name holds a control character.")
    return canonical_name(name)


def canonical_name(name: str) -> str:
    """INBOX is one mailbox however it is written, also as the root of others (RFC 9051 §5.1)."""
    if name[:5].upper() == "INBOX" and (len(name) == 5 or name[5] == DELIMITER):
        return "INBOX" + name[5:]
    return name


def encode_name(name: str, *, utf8: bool) -> bytes:
    """The name's bytes on the wire, not yet quoted.

    A name that looks like modified UTF-7 itself is told in modified UTF-7 in any case: what `decode_name` makes of
    the bytes is this name again.
    """
    octets = name.encode("utf-8")
    return octets if utf8 and _shifted(octets) is None else encode_utf7(name)


def _shifted(data: bytes) -> str | None:
    """What well-formed modified UTF-7 means, where that is something else than it says."""
    if b"&" not in data:
        return None
    try:
        return decode_utf7(data)
    except InvalidUtf7:
        return None
