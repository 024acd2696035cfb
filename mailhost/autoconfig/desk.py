"""Where doors ask: the settings of a domain that is ours, and the signed profile of an address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from mailhost import domains, oauth
from mailhost.autoconfig import addon, apple
from mailhost.autoconfig.settings import LOCAL, ClientSettings, client_settings, hosts_of
from mailhost.domains import BadDomainName, normalise_domain
from mailhost.limits import Rules
from mailhost.network.certificates import is_named_in
from mailhost.storage.database import Database, Tx

_DAY: Final = 86_400


class Reach(Protocol):
    """How programs reach the server; values may still grow while it starts."""

    @property
    def domain(self) -> str:
        """Our first domain."""

    @property
    def ports(self) -> Mapping[str, int]:
        """By door."""

    @property
    def is_local(self) -> bool:
        """Whether it listens on this machine alone, where a domain's names need not lead to it."""

    @property
    def base_url(self) -> str:
        """The https address of our pages, without a slash at its end."""

    @property
    def authority(self) -> Path | None:
        """The file of our own certificate authority, None where certificates are public."""


class Desk:
    """Answers about the domains of a store.

    `certificate` gives what our doors show for a host name: the chain and its key, in PEM; empty where there is none
    yet. `has_registration`: programs may make themselves known for OAuth.
    """

    def __init__(
        self,
        database: Database,
        reach: Reach,
        certificate: Callable[[str], tuple[bytes, bytes]],
        *,
        has_registration: bool = False,
    ) -> None:
        self.reach = reach
        self._database = database
        self._certificate = certificate
        self._has_registration = has_registration

    @property
    def site(self) -> str:
        """Where our pages are over https, "" where there are none."""
        return self.reach.base_url if "https" in self.reach.ports else ""

    async def settings(self, asked: str) -> ClientSettings | None:
        """The settings of a domain, or of the domain of an address; None when it is not ours.

        Whether there is such an address makes no difference.
        """
        try:
            domain = normalise_domain(asked.strip().rpartition("@")[2])
        except BadDomainName:
            return None
        found = await self._database.read(_look_up, domain)
        return None if found is None else self._settings(domain, *found)

    async def knows_thunderbird(self) -> bool:
        """Whether the operator made Thunderbird known for OAuth."""
        return bool(self.site) and await self._database.read(_thunderbird) is not None

    async def thunderbird(self, settings: ClientSettings) -> dict[str, object] | None:
        """The manifest of Thunderbird's add-on for a domain; None where Thunderbird is not known."""
        client = await self._database.read(_thunderbird)
        if client is None or not self.site:
            return None
        day, second = divmod(client.created_at, _DAY)  # a version's numbers have nine digits at most
        return addon.manifest(settings, client.id, f"1.{day}.{second}")

    def profile(self, settings: ClientSettings, address: str, *, name: str = "", password: str = "") -> bytes:
        """The profile of an address, with an app password in it or without one, signed unless there is no certificate.

        Raises CannotMakeProfile.
        """
        authority = self.reach.authority.read_bytes() if self.reach.authority is not None else b""
        unsigned = apple.profile(settings, address, name=name, password=password, authority=authority)
        chain, key = self._certificate(f"mail.{self.reach.domain}")
        return apple.sign(unsigned, chain, key) if chain else unsigned

    def _settings(self, domain: str, rules: Rules, has_oauth: bool) -> ClientSettings:
        host = self._local if self.reach.is_local else hosts_of(domain, self.reach.domain, self._is_certified)
        return client_settings(
            domain,
            self.reach.ports,
            host,
            site=self.site,
            has_oauth=has_oauth,
            has_registration=self._has_registration,
            rules=rules,
        )

    def _local(self, _prefix: str) -> str:
        return LOCAL

    def _is_certified(self, host: str) -> bool:
        return is_named_in(self._certificate(host)[0], host)


def _look_up(tx: Tx, name: str) -> tuple[Rules, bool] | None:
    """The rules of a domain of ours, and whether programs may come with tokens."""
    found = domains.find_domain(tx, name)
    return None if found is None else (domains.rules_of_domain(tx, found.id), oauth.has_clients(tx))


def _thunderbird(tx: Tx) -> oauth.Client | None:
    return next(filter(_is_thunderbird, oauth.list_clients(tx)), None)


def _is_thunderbird(client: oauth.Client) -> bool:
    """The operator made it known by this name; it ends where every native program of ours may."""
    is_own = client.kind is oauth.Kind.NATIVE and not client.is_registered
    return is_own and client.name.lower() == "thunderbird" and addon.REDIRECT.rstrip("/") in client.redirect_uris
