"""The part of an address before the @: how it is written, compared and made."""

import re
import unicodedata
from typing import Final

from mailhost.accounts.model import MAX_LOCAL_PART_OCTETS, BadLocalPart

_ATOM: Final = r"[a-z0-9!#$%&'*/=?^_`{|}~+\-\u0080-\U0010ffff]+"
_DOT_ATOM: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")


def normalise_local_part(text: str) -> str:
    """The one spelling under which a local part is stored and looked up: NFC and lower case (RFC 6532 §3.1).

    Raises BadLocalPart for what cannot be an account's name: quoted strings, blanks, control characters, too long.
    """
    local_part = text
    if not text.isascii():
        local_part = unicodedata.normalize("NFC", text)
    local_part = local_part.lower()
    if not local_part.isascii():
        # Lower case may decompose (İ becomes i and a dot above); composed again, a second time changes nothing.
        local_part = unicodedata.normalize("NFC", local_part)
        if not local_part.isprintable():
            raise BadLocalPart("The name before the @ holds a character that cannot be seen.")
    if not _DOT_ATOM.fullmatch(local_part):
        raise BadLocalPart("The name before the @ is made of letters, digits, single dots and signs such as - and _.")
    if len(local_part.encode()) > MAX_LOCAL_PART_OCTETS:
        raise BadLocalPart(f"The name before the @ is longer than {MAX_LOCAL_PART_OCTETS} octets.")
    return local_part


def new_local_part(text: str) -> str:
    """The local part for a new account. Raises BadLocalPart, also for a plus sign, which divides a plus-address."""
    local_part = normalise_local_part(text)
    if "+" in local_part:
        raise BadLocalPart("An account's name has no plus sign: what follows one is the sender's own label.")
    return local_part
