"""Programs that may ask for tokens: made by the operator, or registering themselves where that is switched on."""

import re
import secrets
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mailhost.crypto import SecretKey
from mailhost.oauth import sql
from mailhost.oauth.model import FULL_SCOPE, SCOPES, BadClient, Client, Kind
from mailhost.oauth.server import CLIENT_SECRET, Response, without_port
from mailhost.storage.database import Tx

MAX_REGISTERED: Final = 1_000
_MAX_URIS: Final = 10
_MAX_LENGTH: Final = 500
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+")
"""Of native programs: a domain name turned round (RFC 8252 §7.1)."""


@dataclass(frozen=True, slots=True)
class NewClient:
    """A program that was made, and its secrets, which nobody can ask for again: empty where it has none."""

    client: Client
    secret: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)  # PEM


def make_client(
    tx: Tx,
    key: SecretKey,
    *,
    name: str,
    kind: Kind,
    now: int,
    redirect_uris: tuple[str, ...] = (),
    scopes: tuple[str, ...] = SCOPES,
    domains: tuple[str, ...] = (),
    is_registered: bool = False,
) -> NewClient:
    """Make a program known. Takes a while for a service, whose key is made here. Raises BadClient."""
    name = " ".join(name.split())
    if not name or len(name) > 100 or not name.isprintable():
        raise BadClient("A program's name has 1 to 100 characters that can be seen.")
    if unknown := [scope for scope in scopes if scope not in SCOPES]:
        raise BadClient(f"There is no scope {unknown[0]!r}; there are {', '.join(SCOPES)}.")
    if not scopes:
        raise BadClient("A program without a scope could ask for nothing.")
    checked = tuple(_checked_uri(uri, kind) for uri in redirect_uris)
    if kind in (Kind.NATIVE, Kind.WEB) and not 1 <= len(checked) <= _MAX_URIS:
        raise BadClient(f"A program of this kind needs one to {_MAX_URIS} redirect URIs.")
    secret = "" if kind in (Kind.DEVICE, Kind.SERVICE) else "mhs_" + secrets.token_urlsafe(24)
    private_key, public_key = _new_key() if kind is Kind.SERVICE else ("", "")
    digest = key.digest(CLIENT_SECRET, secret.encode()) if secret else None
    client_id = f"{secrets.token_hex(10)}.{kind.value}"
    words = (tuple(dict.fromkeys(scopes)), public_key, tuple(domain.lower() for domain in domains), now, is_registered)
    client = Client(client_id, name, kind, digest, checked, *words)
    sql.insert_client(tx, client)
    return NewClient(client, secret, private_key)


def _checked_uri(uri: str, kind: Kind) -> str:
    try:
        parts = urlsplit(uri)
        host = parts.hostname
    except ValueError:
        raise BadClient(f"{uri!r} is no redirect URI.") from None
    is_safe = len(uri) <= _MAX_LENGTH and uri.isascii() and uri.isprintable() and " " not in uri
    if not is_safe or parts.fragment or "@" in parts.netloc or "*" in uri:
        raise BadClient(f"{uri!r} is no redirect URI: no blanks, fragments, stars or user names.")
    if parts.scheme == "https" and host:
        return uri
    if kind is Kind.NATIVE and (without_port(uri) is not None or _SCHEME.fullmatch(parts.scheme)):
        return uri
    raise BadClient(
        f"{uri!r}: use https, or for native programs http://127.0.0.1 or a scheme like com.example.app:/done"
    )


def _new_key() -> tuple[str, str]:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = made.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def client_file(made: NewClient, issuer: str) -> dict[str, object]:
    """The JSON file that Google's libraries read, with our addresses in it."""
    client = made.client
    if client.kind is Kind.SERVICE:
        return {
            "type": "service_account",
            "project_id": "mailhost",
            "private_key_id": client.id.partition(".")[0],
            "private_key": made.private_key,
            "client_email": client.id,
            "client_id": client.id,
            "auth_uri": f"{issuer}/oauth/authorize",
            "token_uri": f"{issuer}/oauth/token",
        }
    return {
        "web" if client.kind is Kind.WEB else "installed": {
            "client_id": client.id,
            "client_secret": made.secret,
            "auth_uri": f"{issuer}/oauth/authorize",
            "token_uri": f"{issuer}/oauth/token",
            "redirect_uris": list(client.redirect_uris),
        }
    }


def _check_room(tx: Tx) -> None:
    if sql.count_registered(tx) >= MAX_REGISTERED:
        raise BadClient(f"{MAX_REGISTERED} programs have registered themselves; the administrator must tidy up.")


class _Registration(msgspec.Struct):
    """RFC 7591 §2, as much of it as we heed; the rest a program may send and we ignore (§3.2.1)."""

    redirect_uris: list[str] = []
    client_name: str = ""
    scope: str = FULL_SCOPE


def register(tx: Tx, key: SecretKey, body: bytes, now: int) -> Response:
    """POST /oauth/register (RFC 7591): a native program makes itself known. Only where the settings allow it."""
    try:
        asked = msgspec.json.decode(body, type=_Registration)
        _check_room(tx)
        made = make_client(
            tx,
            key,
            name=asked.client_name or "A program without a name",
            kind=Kind.NATIVE,
            now=now,
            redirect_uris=tuple(asked.redirect_uris),
            scopes=tuple(asked.scope.split()),
            is_registered=True,
        )
    except (BadClient, msgspec.DecodeError, msgspec.ValidationError) as error:
        problem = {"error": "invalid_client_metadata", "error_description": str(error)}
        return Response(400, msgspec.json.encode(problem).decode(), _JSON)
    client = made.client
    answer = {
        "client_id": client.id,
        "client_secret": made.secret,
        "client_id_issued_at": now,
        "client_secret_expires_at": 0,
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "scope": " ".join(client.scopes),
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_post",
    }
    return Response(201, msgspec.json.encode(answer).decode(), _JSON)


_JSON: Final = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
