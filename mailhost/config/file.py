"""mailhost.toml: read whole or refused in one sentence, and written once, with a comment for every key."""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import re
import tomllib
from enum import Enum
from pathlib import Path
from typing import Final, TypeVar, get_type_hints

import msgspec

from mailhost.config.model import ACME_DIRECTORIES, RELAXED, Config, Tls
from mailhost.errors import MailhostError

S = TypeVar("S", bound=msgspec.Struct)

FILE_NAME: Final = "mailhost.toml"
_UNKNOWN: Final = re.compile(r"unknown field `(?P<key>[^`]*)`(?: - at `\$\.?(?P<path>[^`]*)`)?")
_HOST_NAME: Final = re.compile(r"([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*)?")
_AT: Final = re.compile(r"(?P<what>.*?) - at `\$\.?(?P<path>[^`]*)`")


class BadConfig(MailhostError):
    """The settings cannot be used; the message is one sentence that names the file and the key."""


def load(data: Path) -> Config:
    """The settings of a data folder. Raises BadConfig."""
    path = data / FILE_NAME
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadConfig(f"There is no {path}: start a server there with mailhost up --data {data}") from None
    except OSError as error:
        raise BadConfig(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path} is not TOML: {error}.") from error
    if read.get("demo") is True and isinstance(read.get("limits", {}), dict):
        read["limits"] = RELAXED | read.get("limits", {})
    try:
        config = msgspec.convert(read, Config)
    except msgspec.ValidationError as error:
        raise BadConfig(f"{path}: {_in_words(str(error))}") from error
    _check_addresses(path, config)
    if not _HOST_NAME.fullmatch(config.host_name):
        raise BadConfig(f"{path}: host_name is no name such as mail.example.org.")
    if config.tls.acme:
        _check_acme(path, config.tls)
    return config


def _check_addresses(path: Path, config: Config) -> None:
    if not config.listen:
        raise BadConfig(f"{path}: listen names no address.")
    key = "listen"
    try:
        for host in config.listen:
            ipaddress.ip_address(host)
        key = "proxies"
        for network in config.proxies:
            ipaddress.ip_network(network)
        key = "resolver"
        config.name_servers()
    except ValueError as error:
        raise BadConfig(f"{path}: {key}: {error}.") from error


def _check_acme(path: Path, tls: Tls) -> None:
    if tls.certificate:
        raise BadConfig(f"{path}: tls.certificate and tls.acme exclude each other; remove one of them.")
    if tls.acme not in ACME_DIRECTORIES and not tls.acme.startswith("https://"):
        known = ", ".join(ACME_DIRECTORIES)
        raise BadConfig(f"{path}: tls.acme is neither an address that begins with https:// nor one of {known}.")
    if not tls.acme_terms_agreed:
        raise BadConfig(f"{path}: tls.acme_terms_agreed: read the authority's terms and, if you agree, set it to true.")
    if tls.acme_contact and "@" not in tls.acme_contact:
        raise BadConfig(f"{path}: tls.acme_contact is no mail address.")


def _in_words(complaint: str) -> str:
    """msgspec's complaint as a sentence that begins with the key."""
    unknown = _UNKNOWN.search(complaint)
    if unknown is None:
        at = _AT.fullmatch(complaint)
        if at is None:
            return f"{complaint}."
        section, _, name = at["path"].partition("[")[0].rpartition(".")
        return f"{at['path']}: {at['what']} ({_descriptions(_section(section))[name]})."
    section, key = unknown["path"] or "", unknown["key"]
    path = f"{section}.{key}" if section else key
    known = {f"{section}.{name}" if section else name: None for name in _names(section)}
    nearest = difflib.get_close_matches(path, known, 1) or difflib.get_close_matches(key, _all_paths(), 1)
    advice = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(known)}."
    return f"{path} is not a setting; {advice}"


def _section(name: str) -> msgspec.Struct:
    """The one of this name, or the settings that belong to none."""
    found = getattr(Config(), name) if name else Config()
    assert isinstance(found, msgspec.Struct)
    return found


def _names(section: str) -> list[str]:
    return [field.name for field in msgspec.structs.fields(_section(section))]


def _descriptions(owner: msgspec.Struct) -> dict[str, str]:
    """What the file says about each key of a section."""
    return {
        name: " ".join(meta.description for meta in getattr(hint, "__metadata__", ()) if meta.description)
        or "a section, [" + name + "]"
        for name, hint in get_type_hints(type(owner), include_extras=True).items()
    }


def _all_paths() -> list[str]:
    sections = [name for name in _names("") if isinstance(getattr(Config(), name), msgspec.Struct)]
    return [*_names(""), *(f"{section}.{name}" for section in sections for name in _names(section))]


def write_first(data: Path, config: Config) -> None:
    """Write the settings of a first start: what differs from the defaults as it is, the rest as comments."""
    path = data / FILE_NAME
    lines = [
        "# Mailhost's settings. Lines that begin with # show the defaults; changes take effect at the next start.",
        "",
        *_keys(config),
    ]
    for name in _names(""):
        section = getattr(config, name)
        if isinstance(section, msgspec.Struct):
            words = " ".join((type(section).__doc__ or "").split())
            lines += ["", *(f"# {line}" for line in _wrapped(words)), f"[{name}]", *_keys(section)]
    _replace(path, "\n".join(lines) + "\n")


def turn_demo_on(data: Path) -> None:
    """Make the store a demonstration from now on: its limits stay relaxed at later starts."""
    path = data / FILE_NAME
    text = path.read_text(encoding="utf-8")
    without = re.sub(r"(?m)^#? ?demo *=.*\n", "", text)
    _replace(path, "demo = true\n" + without)


def _keys(owner: msgspec.Struct) -> list[str]:
    """One line for each key that is no section: its value, and its description as a comment."""
    words = _descriptions(owner)
    lines = []
    for each in msgspec.structs.fields(owner):
        value = getattr(owner, each.name)
        if isinstance(value, msgspec.Struct):
            continue
        text = f"{each.name} = {_toml(value)}"
        shown = text if value != each.default else f"# {text}"
        lines.append(f"{shown.ljust(40)}  # {words[each.name]}")
    return lines


def _toml(value: object) -> str:
    if isinstance(value, Enum):
        value = value.value
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _wrapped(words: str, width: int = 110) -> list[str]:
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _replace(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)
