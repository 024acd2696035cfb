"""Orders certificates from an authority for every name at which mail programs look for us, and renews them.

One process does it for all. A name that does not lead to us, or that the authority cannot see to be ours, is left out
with a finding; so it spoils none of the others. Each domain has a certificate of its own.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from copy import deepcopy
from typing import Final

from mailhost import domains, observe
from mailhost.app.certificates import Held, challenges, issued_folder, read_held
from mailhost.app.checkup import ANY, preamble
from mailhost.app.orderbook import Page, again, read_book, write_book
from mailhost.app.services import Services
from mailhost.app.threads import in_thread
from mailhost.config import Config
from mailhost.config.model import ACME_DIRECTORIES
from mailhost.doctor.names import Addresses, Resolver, Status
from mailhost.doctor.world import looking_context
from mailhost.network.acme import Authority, AuthorityRefuses, NotProved, Proof
from mailhost.network.certificates import write_private

log = observe.logger()

PREFIXES: Final = ("imap", "pop", "smtp", "mail", "autoconfig", "autodiscover")
"""In front of each domain; a finding says which do not lead to us."""
_WELCOME: Final = ("", "mta-sts.", "ua-auto-config.")
"""Taken in where they lead to us, and not missed where they do not."""
_FAILURES: Final = {Status.UNREACHABLE, Status.FAILED, Status.BOGUS}
_ROUND_SECONDS: Final = 60.0
_LOOK_EVERY: Final = 24 * 3600  # for names that came or went
_LOOK_SOON: Final = 900  # while some do not lead to us
_SERVED_SECONDS: Final = 30.0
_MAX_ORDERS: Final = 4  # for one certificate at a time
_DOORS: Final[dict[str, tuple[bytes, ...]]] = {
    "https": (),
    "imaps": (),
    "pop3s": (),
    "submissions": (),
    "imap": (b"a STARTTLS\r\n",),
    "pop3": (b"STLS\r\n",),
    "submission": (b"EHLO localhost\r\n", b"STARTTLS\r\n"),
    "smtp": (b"EHLO localhost\r\n", b"STARTTLS\r\n"),
}
"""Doors that show a certificate, and what is said before they do."""


class CertificateOrders:
    """Looks every minute whether anything is due. `host` is our own name, `ports` where our doors are."""

    def __init__(self, services: Services, host: str, ports: Mapping[str, int]) -> None:
        self._services = services
        self._host = host
        self._ports = ports
        self._folder = issued_folder(services.data)
        tls = services.config.tls
        directory = ACME_DIRECTORIES.get(tls.acme, tls.acme)
        key = self._folder / "account.key"
        self._authority = Authority(directory, tls.acme_contact, key, challenges(services.data))
        self._hurry = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.round(int(time.time()))
            except Exception:  # it must not end the process, and is told
                log.exception("maintenance.crashed", task="acme")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), _ROUND_SECONDS)
            if self._hurry.is_set():
                self._hurry.clear()
                self._look_again()

    def hurry(self) -> None:
        """Look at everything now, waits and all: the operator mended something."""
        self._hurry.set()

    def _look_again(self) -> None:
        book = read_book(self._folder)
        for page in book.domains.values():
            page.look_at, page.unproved = 0, {}
            page.refusal = None
        write_book(self._folder, book)

    async def round(self, now: int) -> None:
        """Every domain once."""
        names = [domain.name for domain in await self._services.database.read(domains.list_domains)]
        book = read_book(self._folder)
        resolver = Resolver(self._services.config.name_servers())
        try:
            for gone in set(book.domains) - set(names):
                del book.domains[gone]
                (self._folder / f"{gone}.pem").unlink(missing_ok=True)
                write_book(self._folder, book)
            for domain in names:
                page = book.domains.setdefault(domain, Page())
                before = deepcopy(page)
                is_away = await self._tend(domain, page, resolver, now)
                if page != before:
                    write_book(self._folder, book)
                if is_away:  # the others need not hear it as well
                    break
        finally:
            await resolver.close()

    async def _tend(self, domain: str, page: Page, resolver: Resolver, now: int) -> bool:
        """One domain: is anything due, and if so, for which names? Returns whether the authority is away."""
        held = read_held(self._folder / f"{domain}.pem")
        page.ends = int(held.ends.timestamp()) if held else 0
        if page.refusal is not None and now < page.refusal.retry_at:
            return False
        if held is not None and now >= page.ask_at:
            await self._ask_when(page, held, now)
        is_due = held is None or now >= page.renew_at
        if now < page.look_at and (held is None or page.unproved or not is_due):
            return False
        ours = await self._lead_here(domain, page, resolver, held)
        if ours is None:
            return False
        page.look_at = now + (_LOOK_SOON if page.elsewhere or not ours else _LOOK_EVERY)
        wanted = [name for name in ours if name not in page.unproved or now >= page.unproved[name].retry_at]
        return _is_worth_it(page, wanted, held, now) and await self._order(domain, page, wanted, held, now)

    async def _ask_when(self, page: Page, held: Held, now: int) -> None:
        """Two thirds of its life, or what the authority says (RFC 9773): it may have to revoke many at once."""
        life = held.ends - held.begins
        page.renew_at = int((held.begins + life * 2 / 3).timestamp())
        page.ask_at = now + 6 * 3600
        with suppress(AuthorityRefuses):
            renewal = await in_thread(lambda: self._authority.renewal(held.pem))
            page.ask_at = max(now + 3600, int(renewal.ask_at.timestamp()))
            if renewal.due is not None:
                page.renew_at = int(renewal.due.timestamp())

    # Which names

    def _candidates(self, domain: str) -> dict[str, bool]:
        """Every name that may be in the domain's certificate, and whether it is missed when it cannot be."""
        names = {f"{prefix}.{domain}": True for prefix in PREFIXES}
        names |= {f"{prefix}{domain}": False for prefix in _WELCOME}
        if self._host.endswith(f".{domain}"):
            names[self._host] = True
        return names

    async def _lead_here(self, domain: str, page: Page, resolver: Resolver, held: Held | None) -> list[str] | None:
        """The names whose every address is ours; the page keeps what is known of the others.

        A name server that fails proves nothing: what the certificate holds stays, and a first one waits (None).
        """
        candidates = self._candidates(domain)
        known = await asyncio.gather(*map(resolver.addresses, candidates))
        host = await resolver.addresses(self._host)
        ours: list[str] = []
        if held is None and any(_is_unknown(each, {Status.UNREACHABLE}) for each in known):
            return None
        page.elsewhere = {}
        for (name, is_missed), addresses in zip(candidates.items(), known, strict=True):
            where = addresses.ipv4 + addresses.ipv6
            foreign = [each for each in where if each not in host.ipv4 + host.ipv6 and not is_here(each)]
            is_kept = held is not None and name in held.names and _is_unknown(addresses, _FAILURES)
            if (where and not foreign) or is_kept:
                ours.append(name)
            elif is_missed:
                page.elsewhere[name] = "; ".join(map(str, addresses.answers)) or "it has no address"
        page.unproved = {name: trouble for name, trouble in page.unproved.items() if name in ours}
        page.by_tls = [name for name in page.by_tls if name in ours]
        return ours

    # Ordering

    async def _order(self, domain: str, page: Page, names: list[str], held: Held | None, now: int) -> bool:
        """Prove the names, one way or the other, and take the certificate. What cannot be proved is left out.

        Returns whether the authority is away.
        """
        tries = 0
        while tries < _MAX_ORDERS and _is_worth_it(page, names, held, now):
            tries += 1
            try:
                pem = await self._certificate(names, dict.fromkeys(page.by_tls, Proof.TLS))
            except NotProved as failed:
                _give_up(domain, page, failed.names, now)
                names = [name for name in names if name not in page.unproved]
            except AuthorityRefuses as refused:
                page.refusal = again(page.refusal, str(refused), now, refused.retry_at)
                page.look_at = page.refusal.retry_at
                log.warning("certificate.refused", domain=domain, said=str(refused), retry_at=page.refusal.retry_at)
                return refused.is_away
            else:
                await self._take(domain, page, pem, now)
                break
        if page.unproved:  # until then the old certificate, if there is one, stays
            page.look_at = min(page.look_at, *(trouble.retry_at for trouble in page.unproved.values()))
        return False

    async def _certificate(self, names: Sequence[str], proofs: Mapping[str, Proof]) -> bytes:
        asked = list(names)
        return await in_thread(lambda: self._authority.certificate(asked, proofs))

    async def _take(self, domain: str, page: Page, pem: bytes, now: int) -> None:
        path = self._folder / f"{domain}.pem"
        write_private(path, pem)
        held = read_held(path)
        assert held is not None, "an authority's certificate that cannot be read"
        page.refusal, page.ends = None, int(held.ends.timestamp())
        page.unproved = {name: trouble for name, trouble in page.unproved.items() if name not in held.names}
        page.said = {}
        await self._ask_when(page, held, now)
        log.info("certificate.obtained", domain=domain, names=held.names, ends=held.ends.isoformat())
        stale = await in_thread(lambda: doors_without(held, self._ports, self._services.config))
        if stale:
            log.error("certificate.unserved", domain=domain, doors=stale)


def _is_worth_it(page: Page, names: Sequence[str], held: Held | None, now: int) -> bool:
    """Whether a certificate for the names is wanted: a first one, a renewed one, or one with more names.

    A name that fails today is not given up while the certificate that holds it lasts for another sixth of its life.
    """
    if held is None or not names:
        return bool(names)
    left = held.ends.timestamp() - now
    lost = set(held.names) & set(page.unproved) - set(names)
    if lost and left > (held.ends - held.begins).total_seconds() / 6:
        return False
    return now >= page.renew_at or bool(set(names) - set(held.names))


def _give_up(domain: str, page: Page, failed: Mapping[str, str], now: int) -> None:
    """Try the names the other way, and leave out those that were tried both ways."""
    for name, said in failed.items():
        if name not in page.by_tls:
            page.by_tls.append(name)
            page.said[name] = said
            continue
        page.by_tls.remove(name)
        both = "; ".join(filter(None, (page.said.pop(name, ""), said)))
        page.unproved[name] = again(page.unproved.get(name), both, now)
        log.warning("certificate.unproved", domain=domain, name=name, said=both)


def _is_unknown(addresses: Addresses, statuses: Set[Status]) -> bool:
    """Whether DNS gave no address, and failed at it in one of these ways."""
    return not addresses.all and any(answer.status in statuses for answer in addresses.answers)


def is_here(address: str) -> bool:
    """Whether the address is one of this machine's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def doors_without(held: Held, ports: Mapping[str, int], config: Config, seconds: float = _SERVED_SECONDS) -> list[str]:
    """The doors that do not show the certificate after a while, as their clients see them. It blocks for as long."""
    address = ANY.get(config.listen[0], config.listen[0])
    first = preamble(config, address)
    waiting = [door for door in _DOORS if door in ports]
    until = time.monotonic() + seconds
    while True:
        waiting = [
            door for door in waiting if _served((address, ports[door]), first, _DOORS[door], held.names[0]) != held.der
        ]
        if not waiting or time.monotonic() > until:
            return waiting
        time.sleep(1)


def _served(place: tuple[str, int], first: bytes, lines: Sequence[bytes], name: str) -> bytes:
    """The certificate that a port shows for a name, DER; b"" when it shows none."""
    try:
        with socket.create_connection(place, timeout=5) as plain:
            plain.sendall(first)
            for line in lines:  # each answer, and the greeting before the first, comes whole
                plain.recv(4096)
                plain.sendall(line)
            if lines:
                plain.recv(4096)
            with looking_context().wrap_socket(plain, server_hostname=name) as secure:
                return secure.getpeercert(binary_form=True) or b""
    except OSError:
        return b""
