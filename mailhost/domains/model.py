"""The words of domains, and what can go wrong with them."""

from dataclasses import dataclass

from mailhost.errors import MailhostError


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain that receives mail here. `name` is lower case ASCII; times are Unix seconds.

    Mail to postmaster and abuse goes to the administrator, who is the domain's first account until another is named.
    `layout` is how new accounts show their mail, 'classic' or 'gmail'; '' leaves it to the settings.
    """

    id: int
    name: str
    administrator_id: int | None
    created_at: int
    layout: str = ""


class BadDomainName(MailhostError):
    """The text cannot be a mail domain; the message says why."""


class DomainExists(MailhostError):
    """The domain is ours already."""


class NoSuchDomain(MailhostError):
    """The domain is not one of ours."""
