"""The one spelling of a domain name: lower case ASCII, without a dot at the end (RFC 5890's A-labels)."""

import re
from typing import Final

import idna

from mailhost.domains.model import BadDomainName

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_OCTETS: Final = 253


def normalise_domain(text: str) -> str:
    """The spelling under which a domain is stored and looked up; takes `Bücher.Example.` as well as its A-labels.

    Raises BadDomainName, also for an address in brackets: mail domains have names.
    """
    name = text
    if not text.isascii():
        try:
            name = idna.encode(text, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise BadDomainName("The domain holds a character that no domain name may have.") from error
    name = name.lower().removesuffix(".")
    if not _DOMAIN.fullmatch(name) or len(name) > _MAX_OCTETS:
        raise BadDomainName("A domain is made of letters, digits and hyphens, in parts divided by single dots.")
    if name.rpartition(".")[2].isdigit():
        raise BadDomainName("A mail domain is a name, not an IP address.")
    return name


def displayed_domain(name: str) -> str:
    """The name as people write it: A-labels decoded where they are sound, everything else as it is stored."""
    if "xn--" not in name:
        return name
    try:
        return idna.decode(name)
    except (idna.IDNAError, UnicodeError):
        return name
