"""The domains we are responsible for."""

from mailhost.domains.model import BadDomainName, Domain, DomainExists, NoSuchDomain
from mailhost.domains.names import displayed_domain, normalise_domain
from mailhost.domains.sql import (
    add_domain,
    find_domain,
    get_domain,
    list_domains,
    rules_of_domain,
    set_administrator,
    set_layout,
    set_rules,
)

__all__ = [
    "BadDomainName",
    "Domain",
    "DomainExists",
    "NoSuchDomain",
    "add_domain",
    "displayed_domain",
    "find_domain",
    "get_domain",
    "list_domains",
    "normalise_domain",
    "rules_of_domain",
    "set_administrator",
    "set_layout",
    "set_rules",
]
