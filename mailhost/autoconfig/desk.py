"""Where doors ask: the settings of a domain that is ours, and the signed profile of an address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mailhost import domains
from mailhost.autoconfig import apple
from mailhost.autoconfig.settings import LOCAL, ClientSettings, client_settings, hosts_of
from mailhost.domains import BadDomainName, normalise_domain
from mailhost.limits import NO_RULES, Rules
from mailhost.network.certificates import is_named_in
from mailhost.storage.database import Database, Tx


@dataclass(frozen=True, slots=True)
class Reach:
    """How programs reach the server: our first domain, ports by door, and where https is served ("" without).

    `is_local` servers listen on this machine alone, where a domain's names need not lead to them. `authority` is the
    file of our own certificate authority, None where certificates are public.
    """

    domain: str
    ports: Mapping[str, int]
    is_local: bool
    site: str = ""
    authority: Path | None = None


class Desk:
    """Answers about the domains of a store. `certificate` gives what our doors show for a host name: the chain, and its
    key, in PEM."""

    def __init__(self, database: Database, reach: Reach, certificate: Callable[[str], tuple[bytes, bytes]]) -> None:
        self._database = database
        self.reach = reach
        self._certificate = certificate

    async def settings(self, asked: str) -> ClientSettings | None:
        """The settings of a domain, or of the domain of an address; None when it is not ours.

        Whether there is such an address makes no difference.
        """
        try:
            domain = normalise_domain(asked.strip().rpartition("@")[2])
        except BadDomainName:
            return None
        rules = await self._database.read(_rules, domain)
        return None if rules is None else self._settings(domain, rules)

    async def every(self) -> list[ClientSettings]:
        """The settings of all our domains."""
        found = await self._database.read(domains.list_domains)
        return [self._settings(domain.name, NO_RULES) for domain in found]

    def profile(self, settings: ClientSettings, address: str, *, name: str = "", password: str = "") -> bytes:
        """The signed profile of an address, with an app password in it or without one. Raises CannotMakeProfile."""
        authority = self.reach.authority.read_bytes() if self.reach.authority is not None else b""
        unsigned = apple.profile(settings, address, name=name, password=password, authority=authority)
        return apple.sign(unsigned, *self._certificate(f"mail.{self.reach.domain}"))

    def _settings(self, domain: str, rules: Rules) -> ClientSettings:
        host = self._local if self.reach.is_local else hosts_of(domain, self.reach.domain, self._is_certified)
        return client_settings(domain, self.reach.ports, host, site=self.reach.site, rules=rules)

    def _local(self, _prefix: str) -> str:
        return LOCAL

    def _is_certified(self, host: str) -> bool:
        return is_named_in(self._certificate(host)[0], host)


def _rules(tx: Tx, name: str) -> Rules | None:
    found = domains.find_domain(tx, name)
    return None if found is None else domains.rules_of_domain(tx, found.id)
