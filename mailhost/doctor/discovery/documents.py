"""The documents of automatic set-up, read as strictly as the strictest program reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final
from xml.etree import ElementTree

from mailhost.autoconfig import markup
from mailhost.doctor.targets import Encryption, Protocol, Target, is_host, port_of

_PROTOCOLS: Final = {"imap": Protocol.IMAP, "pop3": Protocol.POP, "smtp": Protocol.SMTP}
_SOCKETS: Final = {"SSL": Encryption.TLS, "STARTTLS": Encryption.STARTTLS, "plain": Encryption.NONE}
_SIGN_INS: Final = {
    "password-cleartext", "plain", "password-encrypted", "secure", "NTLM", "GSSAPI", "client-IP-address",
    "TLS-client-cert", "OAuth2", "none", "http-basic",
}  # fmt: skip
_AUTODISCOVER: Final = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"


@dataclass(slots=True)
class Settings:
    """What a document says: servers, and which rules it breaks, in words."""

    targets: list[Target] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def best(self, protocol: Protocol) -> Target | None:
        """The first server of a protocol."""
        return next((each for each in self.targets if each.protocol is protocol), None)


class NotThatDocument(ValueError):
    """The bytes are another kind of document; the words say which or why."""


def _parse(data: bytes) -> ElementTree.Element:
    try:
        return markup.parse(data)
    except markup.BadMarkup as trouble:
        is_page = b"<html" in data[:500].lower() or b"<!doctype html" in data[:500].lower()
        raise NotThatDocument("a page of HTML" if is_page else str(trouble)) from trouble


def read_autoconfig(data: bytes, address: str) -> Settings:
    """Mozilla's format (draft-ietf-mailmaint-autoconfig). Raises NotThatDocument."""
    root = _parse(data)
    provider = root.find("emailProvider")
    if root.tag != "clientConfig" or provider is None:
        raise NotThatDocument(f"XML of another kind: <{root.tag}>")
    settings = Settings()
    if not is_host(provider.get("id", "")):
        settings.problems.append(f"emailProvider id={provider.get('id', '')!r} is no host name")
    domains = [(each.text or "").strip() for each in provider.findall("domain")]
    if not any(is_host(each) or "%" in each for each in domains):
        settings.problems.append("no valid <domain>")
    for kind in ("incomingServer", "outgoingServer"):
        for server in provider.findall(kind):
            _read_server(server, address, settings)
    for protocol, kind in ((Protocol.IMAP, "incomingServer type=imap"), (Protocol.SMTP, "outgoingServer")):
        if settings.best(protocol) is None:
            settings.problems.append(f"no usable {kind}")
    return settings


def domains_of(data: bytes) -> tuple[str, list[str]]:
    """The provider's name and its domains, out of Mozilla's format. Raises NotThatDocument."""
    provider = _parse(data).find("emailProvider")
    if provider is None:
        raise NotThatDocument("no <emailProvider>")
    domains = [(each.text or "").strip().lower() for each in provider.findall("domain")]
    return (provider.findtext("displayName") or "").strip(), [each for each in domains if is_host(each)]


def _read_server(server: ElementTree.Element, address: str, settings: Settings) -> None:
    protocol = _PROTOCOLS.get(server.get("type", ""))
    if protocol is None:
        return  # exchange, jmap and whatever comes: programs skip what they do not know
    words = {name: (server.findtext(name) or "").strip() for name in ("hostname", "port", "socketType", "username")}
    where = f"{server.get('type')} {words['hostname']}"
    host = _filled(words["hostname"], address).lower()
    encryption = _SOCKETS.get(words["socketType"])
    sign_ins = {(each.text or "").strip() for each in server.findall("authentication")}
    problems = [
        *([] if is_host(host) else [f"{where}: no valid <hostname>"]),
        *([] if port_of(words["port"]) else [f"{where}: no <port>"]),
        *([] if encryption else [f"{where}: socketType is {words['socketType']!r}"]),
        *([f"{where}: socketType plain, without encryption"] if encryption is Encryption.NONE else []),
        *([] if words["username"] else [f"{where}: no <username>"]),
        *([] if sign_ins & _SIGN_INS else [f"{where}: no known <authentication>"]),
    ]
    settings.problems += problems
    if not problems and encryption is not None:
        settings.targets.append(Target(protocol, host, port_of(words["port"]), encryption))


def _filled(text: str, address: str) -> str:
    local, _, domain = address.rpartition("@")
    for name, value in (("EMAILADDRESS", address), ("EMAILLOCALPART", local), ("EMAILDOMAIN", domain)):
        text = text.replace(f"%{name}%", value)
    return text


def read_autodiscover(data: bytes) -> Settings:
    """Microsoft's POX answer; without IMAP in it there are no targets. Raises NotThatDocument."""
    root = _parse(data)
    if not root.tag.endswith("}Autodiscover"):
        raise NotThatDocument(f"XML of another kind: <{root.tag.rpartition('}')[2]}>")
    settings = Settings()
    for block in root.iter(f"{_AUTODISCOVER}Protocol"):
        words = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in block}
        protocol = _PROTOCOLS.get(words.get("Type", "").lower())
        host, port = words.get("Server", "").lower(), port_of(words.get("Port", ""))
        if protocol is None or not is_host(host) or not port:
            continue
        # As Thunderbird maps them: the word Encryption counts more than SSL, and legacy ports mean STARTTLS.
        starts_plain = port in (143, 110, 25, 587) or words.get("Encryption", "").upper() == "TLS"
        encryption = Encryption.STARTTLS if starts_plain else Encryption.TLS
        settings.targets.append(Target(protocol, host, port, encryption))
    return settings


def read_pacc(data: bytes) -> Settings:
    """The JSON of draft-ietf-mailmaint-pacc: hosts on the default ports. Raises NotThatDocument."""
    try:
        document = json.loads(data)
        protocols = document["protocols"]
        found = [(name, protocols[name]["host"]) for name in ("imap", "pop3", "smtp") if name in protocols]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotThatDocument(f"no PACC document: {error}") from error
    ports = {"imap": 993, "pop3": 995, "smtp": 465}
    targets = [
        Target(_PROTOCOLS[name], str(host).lower(), ports[name], Encryption.TLS)
        for name, host in found
        if is_host(str(host))
    ]
    return Settings(targets)
