"""What large providers tell their users about their servers, as data; and an operator's copy of Mozilla's database."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from mailhost.doctor.catalogue import Text
from mailhost.doctor.targets import Protocol, Target, parse_target
from mailhost.errors import MailhostError

IMPORTED: Final = "providers.json"  # in the data folder: what `import-providers` wrote

PasswordKind = Literal["app-password", "authorization-code", "oauth", "bridge", "password"]


class NoSuchProvider(MailhostError):
    """No provider has this name; the message lists those that are known."""


class Provider(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One provider. Servers are written as `parse_target` reads them, best first; `help` is leaf or "setup" → page."""

    title: str
    domains: tuple[str, ...]
    mx: tuple[str, ...] = ()
    imap: tuple[str, ...] = ()
    pop: tuple[str, ...] = ()
    smtp: tuple[str, ...] = ()
    user: str = "the whole address"
    password: PasswordKind = "password"  # noqa: S105 - the kind of a password
    oauth: bool = False
    not_for_mail: tuple[str, ...] = ()
    help: Mapping[str, str] = {}
    rules: Text | None = None
    name: str = ""

    def targets(self, protocol: Protocol) -> list[Target]:
        """Its servers for a protocol, best first."""
        texts = {Protocol.IMAP: self.imap, Protocol.POP: self.pop, Protocol.SMTP: self.smtp}[protocol]
        return [parse_target(protocol, text) for text in texts]


class Imported(Struct, frozen=True, forbid_unknown_fields=True):
    """The file of imported providers. `notice` names its licence, which goes where the file goes."""

    notice: str
    providers: dict[str, Provider]


@cache
def built_in() -> dict[str, Provider]:
    """Our own table, by name."""
    text = files(__package__).joinpath("providers.toml").read_text(encoding="utf-8")
    table = msgspec.convert(tomllib.loads(text), dict[str, Provider])
    return {name: msgspec.structs.replace(provider, name=name) for name, provider in table.items()}


def known_providers(data: Path | None = None) -> dict[str, Provider]:
    """Our own table, then what the operator imported into the data folder; ours wins where both know a name."""
    file = data / IMPORTED if data is not None else None
    if file is None or not file.exists():
        return built_in()
    try:
        imported = msgspec.json.decode(file.read_bytes(), type=Imported).providers
    except (OSError, msgspec.MsgspecError) as error:
        raise MailhostError(f"{file} cannot be read ({error}): run import-providers again.") from error
    return {name: msgspec.structs.replace(each, name=name) for name, each in imported.items()} | built_in()


def named(providers: Mapping[str, Provider], name: str) -> Provider:
    """The provider of this name. Raises NoSuchProvider."""
    if name not in providers:
        known = ", ".join(name for name, each in providers.items() if each.rules is not None)
        raise NoSuchProvider(f"There is no provider {name!r}. Known are: {known}.")
    return providers[name]


def provider_of_domain(providers: Mapping[str, Provider], domain: str) -> Provider | None:
    """Whose domain this is."""
    return next((each for each in providers.values() if domain in each.domains), None)


def provider_of_exchangers(providers: Mapping[str, Provider], exchangers: Sequence[str]) -> Provider | None:
    """Who receives the mail of a domain with these mail exchangers: the one whose name fits the longest."""
    best: tuple[int, Provider] | None = None
    for each in providers.values():
        for suffix in each.mx:
            if any(host == suffix or host.endswith("." + suffix) for host in exchangers):
                # A provider for other people's domains goes before one that has only its own.
                weight = len(suffix) * 2 + (not each.domains)
                if best is None or weight > best[0]:
                    best = (weight, each)
    return best[1] if best else None
