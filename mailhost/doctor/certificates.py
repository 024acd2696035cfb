"""Why a certificate does not hold: OpenSSL's code and the chain as it was sent, told apart into leaves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

_EXPIRED, _NOT_YET, _SELF_SIGNED, _SELF_IN_CHAIN, _NAME, _ADDRESS = 10, 9, 18, 19, 62, 64
_SCANNERS: Final = re.compile(
    r"avast|avg|kaspersky|eset|bitdefender|norton|mcafee|sophos|fortinet|zscaler|mail shield|antivirus|web/mail|"
    r"endpoint|proxy|firewall|untrusted|mailhost local authority",
    re.IGNORECASE,
)
_MAX_NAMES: Final = 8


def leaf_for(code: int, chain: Sequence[bytes]) -> str:
    """The leaf of OpenSSL's verify code and the chain as sent (DER, the server's own certificate first)."""
    if code in (_EXPIRED, _NOT_YET):
        return "D1"
    if code in (_NAME, _ADDRESS):
        return "D2"
    if code == _SELF_SIGNED:
        return "D3"
    if code == _SELF_IN_CHAIN or not chain:
        return "D5"
    certificates = _parsed(chain)
    if not certificates:
        return "D5"
    own = certificates[0]
    was_sent = any(each.subject == own.issuer for each in certificates[1:])
    if was_sent or own.issuer == own.subject or _SCANNERS.search(own.issuer.rfc4514_string()):
        return "D5"
    return "D4"


def describe(chain: Sequence[bytes], now: datetime) -> list[str]:
    """Evidence: whose certificate, for which names, from whom, how long; and how many were sent."""
    certificates = _parsed(chain)
    if not certificates:
        return []
    own = certificates[0]
    days = (own.not_valid_after_utc - now).days
    state = f"{-days} days ago" if days < 0 else f"in {days} days"
    told = [
        f"the certificate is for {', '.join(names_in(own)) or common_name(own.subject)}",
        f"issued by {common_name(own.issuer)}, ends {own.not_valid_after_utc:%Y-%m-%d} ({state})",
        f"{len(certificates)} certificate{'s' if len(certificates) > 1 else ''} sent",
    ]
    if own.not_valid_before_utc > now:
        told.append(f"valid from {own.not_valid_before_utc:%Y-%m-%d}; this device says it is {now:%Y-%m-%d}")
    if len(certificates) == 1 and (address := _issuer_address(own)):
        told.append(f"the missing one is at {address}")
    return told


def days_left(chain: Sequence[bytes], now: datetime) -> int | None:
    """How many days the server's own certificate still holds."""
    certificates = _parsed(chain)
    return (certificates[0].not_valid_after_utc - now).days if certificates else None


def names_in(certificate: x509.Certificate) -> list[str]:
    """The names and addresses it is for, the first few."""
    try:
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    names = held.get_values_for_type(x509.DNSName)
    names += [str(each) for each in held.get_values_for_type(x509.IPAddress)]
    return names[:_MAX_NAMES] + (["…"] if len(names) > _MAX_NAMES else [])


def common_name(name: x509.Name) -> str:
    """What people call it."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME) or name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _issuer_address(certificate: x509.Certificate) -> str:
    try:
        places = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return ""
    found = [each.access_location for each in places if each.access_method == AuthorityInformationAccessOID.CA_ISSUERS]
    return next((each.value for each in found if isinstance(each, x509.UniformResourceIdentifier)), "")


def _parsed(chain: Sequence[bytes]) -> list[x509.Certificate]:
    try:
        return [x509.load_der_x509_certificate(each) for each in chain]
    except ValueError:
        return []
