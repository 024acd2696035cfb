"""The authorization server without HTTP: plain requests in, plain responses out, each inside one transaction.

The rules of the RFCs are authlib's; what stands here is what it asks us: who a program is, which codes and tokens there
are, and what becomes of them. A server lives for one request, in the database's thread.
"""

import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    BaseGrant,
    ClientMixin,
    InvalidGrantError,
    InvalidScopeError,
    OAuth2Error,
    OAuth2Request,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator

from mailhost.crypto import SecretKey
from mailhost.oauth import sql
from mailhost.oauth.model import (
    ACCESS_SECONDS,
    MAX_REFRESH_TOKENS,
    MAX_TOKENS_A_MINUTE,
    REFRESH_SECONDS,
    SCOPES,
    Client,
    Copied,
    Kind,
    People,
    Token,
)
from mailhost.storage.database import Tx

TOKEN: Final = "oauth-token"  # noqa: S105 - the purpose of a digest
CLIENT_SECRET: Final = "oauth-client-secret"  # noqa: S105 - likewise
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_CODE_GRANTS: Final = ("authorization_code", "refresh_token")
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_JWT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANT_TYPES: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.NATIVE: _CODE_GRANTS,
    Kind.WEB: _CODE_GRANTS,
    Kind.DEVICE: (DEVICE_GRANT, "refresh_token"),
    Kind.SERVICE: (_JWT,),
}


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as far as it matters: form fields of a POST, or the query of an authorization request."""

    fields: Mapping[str, str] = field(repr=False)
    authorization: str = field(default="", repr=False)  # the header of that name
    peer: str = ""  # the address it came from


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered: status, headers, and a body that is JSON or empty."""

    status: int
    body: str
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def location(self) -> str:
        """Where it leads; empty for what is an answer itself."""
        return dict(self.headers).get("Location", "")

    def json(self) -> dict[str, object]:
        """The body, where it is JSON."""
        found: dict[str, object] = json.loads(self.body)
        return found


@dataclass(frozen=True, slots=True)
class House:
    """What requests are answered with. `issuer` is the https address of the service, without a slash at its end."""

    key: SecretKey
    people: People
    issuer: str

    def digest(self, secret: str) -> bytes:
        """Under which a code or token is kept."""
        return self.key.digest(TOKEN, secret.encode())


@dataclass(frozen=True, slots=True)
class User:
    """Who is asked or acted for, and the number of what they allowed the program."""

    account_id: int
    grant_id: int


class ClientView(ClientMixin):
    """A program as authlib asks about it."""

    def __init__(self, client: Client, key: SecretKey) -> None:
        self.client = client
        self._key = key

    def get_client_id(self) -> str:
        """Its id."""
        return self.client.id

    def get_default_redirect_uri(self) -> str:
        """Its redirect URI where it has only one; else it must say which."""
        return self.client.redirect_uris[0] if len(self.client.redirect_uris) == 1 else ""

    def get_allowed_scope(self, scope: Collection[str] | str) -> str:
        """What is left of scopes that it asks for. Raises InvalidScopeError when nothing is."""
        asked = scope.split() if isinstance(scope, str) else scope or ()
        allowed = [one for one in asked if one in self.client.scopes]
        if not allowed:
            raise InvalidScopeError
        return " ".join(allowed)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Exactly one of its own; on loopback the port may be any (RFC 8252 §7.3)."""
        if redirect_uri in self.client.redirect_uris:
            return True
        asked = without_port(redirect_uri)
        return asked is not None and any(asked == without_port(known) for known in self.client.redirect_uris)

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether it is the secret."""
        digest = self._key.digest(CLIENT_SECRET, client_secret.encode())
        return self.client.secret_digest is not None and secrets.compare_digest(self.client.secret_digest, digest)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - the same everywhere
        """A program with a secret has to show it; native ones have one that everybody knows (RFC 8252 §8.5)."""
        return method != "none" or self.client.secret_digest is None or self.client.kind is Kind.NATIVE

    def check_response_type(self, response_type: str) -> bool:
        """Codes only."""
        return response_type == "code" and self.check_grant_type("authorization_code")

    def check_grant_type(self, grant_type: str) -> bool:
        """What its kind may."""
        return grant_type in GRANT_TYPES[self.client.kind]


def without_port(uri: str) -> str | None:
    """A redirect URI on this device without its port and its last slash; None for any other."""
    try:
        parts = urlsplit(uri)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme != "http" or host not in _LOOPBACK or parts.query or parts.fragment or "@" in parts.netloc:
        return None
    return f"{host}{parts.path.rstrip('/')}"


class Server(AuthorizationServer):
    """authlib's server over one transaction."""

    def __init__(self, tx: Tx, house: House, now: int) -> None:
        super().__init__(scopes_supported=list(SCOPES))
        self.tx = tx
        self.house = house
        self.now = now
        self.peer = ""
        self.register_token_generator("default", BearerTokenGenerator(_access, _refresh, _access_seconds))

    def query_client(self, client_id: str) -> ClientView | None:  # type: ignore[override]  # authlib asks whether it is
        """The program of this id."""
        client = sql.find_client(self.tx, client_id)
        return None if client is None else ClientView(client, self.house.key)

    def save_token(self, token: Mapping[str, object], request: OAuth2Request) -> None:
        """Keep what is issued; raises where its person withdrew it, and for a program that asks without measure."""
        client, user = request.client, request.user
        assert isinstance(client, ClientView)
        assert isinstance(user, User)
        if not sql.hold_grant(self.tx, user.account_id, user.grant_id):
            raise InvalidGrantError(description="The access was withdrawn in the meantime.")
        if sql.issued_since(self.tx, client.client.id, self.now - 60) >= MAX_TOKENS_A_MINUTE:
            raise TooManyTokens
        scopes = str(token.get("scope", ""))
        for name, kind, seconds in (
            ("access_token", "access", ACCESS_SECONDS),
            ("refresh_token", "refresh", REFRESH_SECONDS),
        ):
            if name in token:
                digest = self.house.digest(str(token[name]))
                row = (digest, kind, user.account_id, user.grant_id, client.client.id, scopes)
                sql.insert_token(self.tx, Token(*row, self.now, self.now + seconds, None, None))
        if "refresh_token" in token:
            sql.end_oldest_refresh_tokens(self.tx, user.account_id, client.client.id, MAX_REFRESH_TOKENS, self.now)

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: object) -> OAuth2Request:
        """Ours as authlib's. The scheme is the issuer's: how a proxy in front carried it is not for us to see."""
        if isinstance(request, OAuth2Request):
            return request
        assert isinstance(request, Request)
        self.peer = request.peer
        headers = {"Authorization": request.authorization} if request.authorization else {}
        made = _Asked("POST", f"{self.house.issuer}/oauth", headers=headers)
        made.payload = BasicOAuth2Payload(dict(request.fields))
        return made

    def handle_response(self, status: int, body: object, headers: object) -> Response:
        """authlib's answer as ours."""
        text = body if isinstance(body, str) else json.dumps(body)
        assert isinstance(headers, list)
        return Response(status, text, tuple((str(name), str(value)) for name, value in headers))


def fields_of(request: OAuth2Request) -> dict[str, str]:
    """What a request says."""
    assert request.payload is not None
    found: dict[str, str] = request.payload.data
    return found


class _Asked(OAuth2Request):
    """A request whose form is its payload."""

    @property
    def form(self) -> dict[str, str]:
        """The fields of the body."""
        return fields_of(self)

    @property
    def args(self) -> dict[str, str | None]:
        """The fields of the query, which are not told apart from those of the body."""
        return {**fields_of(self)}


class TooManyTokens(OAuth2Error):
    """A program got as many tokens within a minute as it may."""

    error = "temporarily_unavailable"
    description = f"This program got {MAX_TOKENS_A_MINUTE} tokens within a minute. Try again in 60 seconds."
    status_code = 429


def _access_seconds(_client: ClientMixin, _grant_type: str) -> int:
    return ACCESS_SECONDS


def _access(**_: object) -> str:
    return "mha_" + secrets.token_urlsafe(32)


def _refresh(**_: object) -> str:
    return "mhr_" + secrets.token_urlsafe(32)


def granted(server: Server, account_id: int, client_id: str, scopes: str) -> User:
    """What a person allows a program from now on: at least these scopes, under the number it had before."""
    found = sql.find_grant(server.tx, account_id, client_id)
    if found is None:
        grant_id = server.house.people.new_credential_id(server.tx, account_id)
        sql.insert_grant(server.tx, account_id, grant_id, client_id, scopes, server.now)
        return User(account_id, grant_id)
    grant_id, known = found
    more = " ".join(dict.fromkeys([*known.split(), *scopes.split()]))
    if more != known:
        sql.widen_grant(server.tx, account_id, grant_id, more)
    return User(account_id, grant_id)


def revoke_family(server: Server, account_id: int, grant_id: int, app: str) -> None:
    """End every token that came from one consent, as one of them was copied, and tell whose they were."""
    if sql.revoke_tokens(server.tx, account_id, grant_id, server.now):
        sql.end_grant(server.tx, account_id, grant_id, server.now)
        server.house.people.sessions_end(server.tx, account_id)
        server.house.people.token_was_copied(server.tx, Copied(account_id, grant_id, app, server.peer, server.now))


def server_of(grant: BaseGrant) -> Server:
    """The server that a grant of authlib's works for."""
    server = grant.server
    assert isinstance(server, Server)
    return server
