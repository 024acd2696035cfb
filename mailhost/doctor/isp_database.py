"""Reads an operator's copy of Mozilla's autoconfig database into the data folder.

The database is under the Mozilla Public License 2.0; the notice goes into the file that is made from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from mailhost.doctor.discovery.documents import NotThatDocument, domains_of, read_autoconfig
from mailhost.doctor.providers import IMPORTED, Imported, Provider
from mailhost.doctor.targets import Protocol, Target
from mailhost.errors import MailhostError

_NOTICE: Final = (
    "Made from Thunderbird's autoconfig database. This Source Code Form is subject to the terms of the Mozilla Public "
    "License, v. 2.0. If a copy of the MPL was not distributed with this file, You can obtain one at "
    "https://mozilla.org/MPL/2.0/."
)
_MAX_FILES: Final = 20_000
_MAX_OCTETS: Final = 65536
_NOBODY: Final = "%EMAILADDRESS%"  # left in place: nobody's address is known yet


class NothingToImport(MailhostError):
    """The folder holds no file of the database."""


def import_folder(folder: Path, data: Path) -> tuple[int, int]:
    """Read every file of `folder`; returns how many providers it gave and how many files gave none.

    Raises NothingToImport when there is none at all, and then what was imported before stays.
    """
    providers: dict[str, Provider] = {}
    skipped = 0
    for file in sorted(path for path in folder.iterdir() if path.is_file())[:_MAX_FILES]:
        provider = _read(file)
        if provider is None:
            skipped += 1
        else:
            providers[f"isp-{file.stem}"] = provider
    if not providers:
        raise NothingToImport(f"{folder} holds no file of the autoconfig database (<clientConfig> in XML).")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = data / f"{IMPORTED}.new"
    new.write_bytes(msgspec.json.encode(Imported(_NOTICE, providers)))
    new.replace(data / IMPORTED)
    return len(providers), skipped


def _read(file: Path) -> Provider | None:
    content = file.read_bytes()[: _MAX_OCTETS + 1]
    if len(content) > _MAX_OCTETS:
        return None
    try:
        settings = read_autoconfig(content, _NOBODY)
        title, domains = domains_of(content)
    except NotThatDocument:
        return None
    # A host that is made from the address (`mail.%EMAILDOMAIN%`) cannot be known before the address is.
    usable = [target for target in settings.targets if "%" not in target.host]
    if not domains or not usable:
        return None
    servers = {protocol: _written(usable, protocol) for protocol in Protocol}
    return Provider(
        title=title or file.stem,
        domains=tuple(domains),
        imap=servers[Protocol.IMAP],
        pop=servers[Protocol.POP],
        smtp=servers[Protocol.SMTP],
    )


def _written(targets: list[Target], protocol: Protocol) -> tuple[str, ...]:
    return tuple(
        f"{target.host}:{target.port}/{target.encryption.value}" for target in targets if target.protocol is protocol
    )
