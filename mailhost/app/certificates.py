"""The certificates that the doors show: the operator's own, what an authority gave, or what our local one makes."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mailhost import domains, observe
from mailhost.app.services import Services
from mailhost.config import Config
from mailhost.network.certificates import CertificateFiles, certificate_files, ensure_certificates, names_of
from mailhost.network.challenges import Challenges
from mailhost.network.tls import CannotUseCertificate, load_certificate, server_context

log = observe.logger()

_TLS_FOLDER: Final = "tls"
_LOOK_EVERY: Final = 2.0  # seconds
_TICK: Final = 10**9  # nanoseconds within which a folder may change twice and show one time only


def own_files(config: Config, data: Path) -> CertificateFiles:
    """Where the certificate lies: the operator's own, else that of our local authority."""
    if config.tls.certificate:
        certificate = Path(config.tls.certificate)
        return CertificateFiles(Path(), certificate, Path(config.tls.key or certificate))
    return certificate_files(data.absolute() / _TLS_FOLDER)


def issued_folder(data: Path) -> Path:
    """Where the certificates lie that an authority gave, a file for each domain, and the key of our account with it."""
    return data.absolute() / _TLS_FOLDER / "acme"


def challenges(data: Path) -> Challenges:
    """Where our answers to the authority's questions lie."""
    return Challenges(issued_folder(data) / "challenges")


async def ensure(services: Services) -> None:
    """Make or renew the certificate where that is ours to do: before it runs out, and when a domain was added."""
    if services.config.tls.certificate:
        return
    names = names_of([domain.name for domain in await services.database.read(domains.list_domains)])
    _, is_new = ensure_certificates(services.data.absolute() / _TLS_FOLDER, names, datetime.now(UTC))
    if is_new:
        log.info("certificate.issued", names=names)


@dataclass(frozen=True, slots=True)
class Held:
    """A certificate in a file, with its key."""

    names: tuple[str, ...]
    der: bytes
    begins: datetime
    ends: datetime
    pem: bytes


def read_held(path: Path) -> Held | None:
    """What lies in the file; None when there is none that could be used."""
    try:
        pem = path.read_bytes()
        leaf = x509.load_pem_x509_certificate(pem)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return None
    known = tuple(names.get_values_for_type(x509.DNSName))
    return Held(known, leaf.public_bytes(Encoding.DER), leaf.not_valid_before_utc, leaf.not_valid_after_utc, pem)


class IssuedCertificates:
    """What an authority gave, by the name that a client asks for. Who asks for none is shown that of `fallback`."""

    def __init__(self, folder: Path, fallback: str) -> None:
        self._folder = folder
        self._fallback = fallback
        self._changed = 0
        self._files: dict[Path, tuple[tuple[int, int], Held, ssl.SSLContext]] = {}
        self._by_name: dict[str, ssl.SSLContext] = {}
        self.refresh()

    def choose(self, name: str) -> ssl.SSLContext | None:
        """The context for a client that asks for this name."""
        return self._by_name.get(name or self._fallback)

    def refresh(self) -> None:
        """Take in what was put into the folder or taken out of it."""
        try:
            changed = os.stat(self._folder).st_mtime_ns
        except FileNotFoundError:
            return
        if changed == self._changed:
            return
        self._changed = changed if time.time_ns() - changed > _TICK else 0
        seen = {path: self._read(path) for path in sorted(self._folder.glob("*.pem"))}
        self._files = {path: found for path, found in seen.items() if found is not None}
        self._by_name = {name: context for _, held, context in self._files.values() for name in held.names}

    def _read(self, path: Path) -> tuple[tuple[int, int], Held, ssl.SSLContext] | None:
        known = self._files.get(path)
        status = os.stat(path)
        state = (status.st_ino, status.st_mtime_ns)
        if known is not None and known[0] == state:
            return known
        held = read_held(path)
        if held is None:
            return known
        try:
            return state, held, server_context(path, path)
        except CannotUseCertificate as trouble:
            log.warning("certificate.unusable", reason=str(trouble))
            return known


class ServedCertificate:
    """The context of a process's doors: new connections get what lies in the files."""

    def __init__(self, config: Config, data: Path, fallback: str = "") -> None:
        """`fallback` is our own name, for clients that ask for none. Raises CannotUseCertificate."""
        self._files = own_files(config, data)
        self._issued = IssuedCertificates(issued_folder(data), fallback) if config.tls.acme else None
        self._challenges = challenges(data)
        self._seen = self._look()
        self.context: ssl.SSLContext = server_context(
            self._files.certificate, self._files.key, self._choose if self._issued else None
        )

    async def follow(self) -> None:
        """Until cancelled: take in what is put into the files, by us or by the operator."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            self.refresh()

    def refresh(self) -> None:
        """Take in what lies in the files if it is not what lay there before."""
        if self._issued is not None:
            self._issued.refresh()
        found = self._look()
        if found == self._seen:
            return
        self._seen = found
        try:
            load_certificate(self.context, self._files.certificate, self._files.key)
        except CannotUseCertificate as trouble:
            log.warning("certificate.unusable", reason=str(trouble))

    def _choose(self, name: str, asks_for_proof: bool) -> ssl.SSLContext | None:
        if asks_for_proof:
            return self._challenges.context(name)
        return self._issued.choose(name) if self._issued is not None else None

    def _look(self) -> list[tuple[int, int, int]]:
        """What tells one state of the files from another."""
        found = []
        for path in (self._files.certificate, self._files.key):
            try:
                status = os.stat(path)
            except OSError:  # being replaced
                continue
            found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return found
