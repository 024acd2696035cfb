"""The certificate that all doors show: the operator's own, or one that our local authority makes and renews."""

from __future__ import annotations

import asyncio
import os
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mailhost import domains, observe
from mailhost.app.services import Services
from mailhost.config import Config
from mailhost.network.certificates import CertificateFiles, certificate_files, ensure_certificates, names_of
from mailhost.network.tls import CannotUseCertificate, load_certificate, server_context

log = observe.logger()

_TLS_FOLDER: Final = "tls"
_LOOK_EVERY: Final = 2.0  # seconds


def own_files(config: Config, data: Path) -> CertificateFiles:
    """Where the certificate lies."""
    if config.tls.certificate:
        certificate = Path(config.tls.certificate)
        return CertificateFiles(Path(), certificate, Path(config.tls.key or certificate))
    return certificate_files(data.absolute() / _TLS_FOLDER)


async def ensure(services: Services) -> None:
    """Make or renew the certificate where that is ours to do: before it runs out, and when a domain was added."""
    if services.config.tls.certificate:
        return
    names = names_of([domain.name for domain in await services.database.read(domains.list_domains)])
    _, is_new = ensure_certificates(services.data.absolute() / _TLS_FOLDER, names, datetime.now(UTC))
    if is_new:
        log.info("certificate.issued", names=names)


class ServedCertificate:
    """The context of a process's doors: new connections get what lies in the files."""

    def __init__(self, files: CertificateFiles) -> None:
        """Raises CannotUseCertificate."""
        self._files = files
        self._seen = self._look()
        self.context: ssl.SSLContext = server_context(files.certificate, files.key)

    async def follow(self) -> None:
        """Until cancelled: take in what is put into the files, by us or by the operator."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            self.refresh()

    def refresh(self) -> None:
        """Take in what lies in the files if it is not what lay there before."""
        found = self._look()
        if found == self._seen:
            return
        self._seen = found
        try:
            load_certificate(self.context, self._files.certificate, self._files.key)
        except CannotUseCertificate as trouble:
            log.warning("certificate.unusable", reason=str(trouble))

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
