"""What can be asked of the authorization server: one function for each endpoint, to be run in `database.write`."""

from dataclasses import dataclass
from typing import Final

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749 import InvalidClientError, OAuth2Error, OAuth2Request
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint

from mailhost.oauth import sql
from mailhost.oauth.grants import METHODS, CodeGrant, register
from mailhost.oauth.model import DEVICE_INTERVAL, DEVICE_SECONDS, MAX_TOKENS_A_MINUTE, SCOPES, NoSuchCode, Token
from mailhost.oauth.server import (
    DEVICE_GRANT,
    GRANT_TYPES,
    ClientView,
    House,
    Request,
    Response,
    Server,
    TooManyTokens,
    fields_of,
    granted,
)
from mailhost.storage.database import Tx


def token(tx: Tx, house: House, request: Request, now: int) -> Response:
    """POST /oauth/token (RFC 6749 §3.2)."""
    return _answer(_server(tx, house, now).create_token_response(request))


def revoke(tx: Tx, house: House, request: Request, now: int) -> Response:
    """POST /oauth/revoke (RFC 7009). Whoever holds a token may end it, also without being the program."""
    return _answer(_ask(_server(tx, house, now), "revocation", request))


def introspect(tx: Tx, house: House, request: Request, now: int) -> Response:
    """POST /oauth/introspect (RFC 7662), for programs with a secret, about their own tokens."""
    return _answer(_ask(_server(tx, house, now), "introspection", request))


def device(tx: Tx, house: House, request: Request, now: int) -> Response:
    """POST /oauth/device (RFC 8628 §3.1)."""
    return _answer(_ask(_server(tx, house, now), "device_authorization", request))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person is asked for on the consent page: which program, what for, and where the answer goes; empty for a
    device. `is_registered` says that the program made itself known, so that nobody vouches for its name."""

    client_id: str
    name: str
    scopes: tuple[str, ...]
    is_registered: bool
    redirect_uri: str = ""


def consent(tx: Tx, house: House, request: Request, now: int) -> Asked | Response:
    """GET /oauth/authorize: what to ask the person who is signed in, or the answer to a request that is not in order.

    A redirect goes only to an address that the program registered; else the answer is shown and leads nowhere.
    """
    server = _server(tx, house, now)
    try:
        grant = _consent_grant(server, request)
    except OAuth2Error as error:
        return _from_us(house, server.handle_error_response(server.create_oauth2_request(request), error))
    assert isinstance(grant.client, ClientView)
    client = grant.client.client
    return Asked(client.id, client.name, tuple(grant.request.scope.split()), client.is_registered, grant.redirect_uri)


def decide(tx: Tx, house: House, request: Request, account_id: int, *, allows: bool, now: int) -> Response:
    """The person said yes or no to what `consent` asked of the same request: the redirect to the program."""
    server = _server(tx, house, now)
    made: OAuth2Request = server.create_oauth2_request(request)
    try:
        grant = _consent_grant(server, made)
    except OAuth2Error as error:
        return _from_us(house, server.handle_error_response(made, error))
    user = granted(server, account_id, fields_of(made)["client_id"], made.scope) if allows else None
    return _from_us(house, server.create_authorization_response(made, user, grant))


def find_device(tx: Tx, user_code: str, now: int) -> Asked:
    """What a device asks for under the code its user typed. Raises NoSuchCode."""
    waiting = sql.find_waiting(tx, _spelt(user_code), now)
    client = sql.find_client(tx, waiting[0]) if waiting is not None else None
    if waiting is None or client is None:
        raise NoSuchCode
    return Asked(client.id, client.name, tuple(waiting[1].split()), client.is_registered)


def decide_device(tx: Tx, house: House, user_code: str, account_id: int, *, allows: bool, now: int) -> None:
    """The person said yes or no to a device. Raises NoSuchCode."""
    asked = find_device(tx, user_code, now)
    server = _server(tx, house, now)
    user = granted(server, account_id, asked.client_id, " ".join(asked.scopes)) if allows else None
    state = "denied" if user is None else "granted"
    grant_id = None if user is None else user.grant_id
    sql.settle_device(tx, _spelt(user_code), state, account_id, grant_id)


def _spelt(user_code: str) -> str:
    letters = "".join(letter for letter in user_code.upper() if letter.isalnum())
    return f"{letters[:4]}-{letters[4:]}"


def metadata(issuer: str, *, registration: bool) -> dict[str, object]:
    """The document at /.well-known/oauth-authorization-server (RFC 8414)."""
    kinds = dict.fromkeys(grant for grants in GRANT_TYPES.values() for grant in grants)
    document: dict[str, object] = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "device_authorization_endpoint": f"{issuer}/oauth/device",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(kinds),
        "token_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_methods_supported": METHODS,
        "introspection_endpoint_auth_methods_supported": METHODS[:2],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }
    if registration:
        document["registration_endpoint"] = f"{issuer}/oauth/register"
    return document


_SECONDS_OF_MINUTE: Final = 60


class _Stored:
    """A token as authlib's endpoints ask about it."""

    def __init__(self, token: Token, now: int) -> None:
        self.token = token
        self._now = now

    def check_client(self, client: ClientView | None) -> bool:
        """Whoever holds it may end it; a program that says who it is only its own."""
        return client is None or client.client.id == self.token.client_id

    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.token.expires_at <= self._now

    def is_revoked(self) -> bool:
        """Whether it was ended."""
        return self.token.revoked_at is not None or self.token.used_at is not None


class _Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = METHODS
    server: Server

    def authenticate_endpoint_client(self, request: OAuth2Request) -> ClientView | None:
        if not fields_of(request).get("client_id") and not (request.headers or {}).get("Authorization"):
            return None
        client = self.server.authenticate_client(request, METHODS, self.ENDPOINT_NAME)
        assert isinstance(client, ClientView)
        return client

    def query_token(self, token_string: str, token_type_hint: str) -> _Stored | None:
        del token_type_hint  # the digest finds either
        found = sql.find_token(self.server.tx, self.server.house.digest(token_string))
        return _Stored(found, self.server.now) if found is not None else None

    def revoke_token(self, token: _Stored, request: OAuth2Request) -> None:
        del request
        tx, now, found = self.server.tx, self.server.now, token.token
        if found.kind == "refresh":  # and what it led to (RFC 7009 §2.1)
            sql.end_grant(tx, found.account_id, found.grant_id, now)
        else:
            sql.revoke_token(tx, found.digest, now)
        self.server.house.people.sessions_end(tx, found.account_id)


class _Introspection(IntrospectionEndpoint):
    CLIENT_AUTH_METHODS = METHODS[:2]
    server: Server

    def query_token(self, token_string: str, token_type_hint: str) -> _Stored | None:
        del token_type_hint
        found = sql.find_token(self.server.tx, self.server.house.digest(token_string))
        return _Stored(found, self.server.now) if found is not None else None

    def check_permission(self, token: _Stored, client: ClientView, request: OAuth2Request) -> bool:
        del request
        return token.check_client(client)

    def introspect_token(self, token: _Stored) -> dict[str, object]:
        found = token.token
        return {
            "client_id": found.client_id,
            "scope": found.scopes,
            "token_type": "Bearer" if found.kind == "access" else "refresh_token",
            "sub": str(found.account_id),
            "iat": found.issued_at,
            "exp": found.expires_at,
            "iss": self.server.house.issuer,
        }


class _Device(DeviceAuthorizationEndpoint):
    CLIENT_AUTH_METHODS = METHODS
    EXPIRES_IN = DEVICE_SECONDS
    INTERVAL = DEVICE_INTERVAL
    server: Server

    def get_verification_uri(self) -> str:
        return f"{self.server.house.issuer}/device"

    def save_device_credential(self, client_id: str, scope: str, data: dict[str, str]) -> None:
        server = self.server
        client = server.query_client(client_id)
        if client is None or not client.check_grant_type(DEVICE_GRANT):
            raise InvalidClientError(description="This program may not use the device flow.")
        allowed = client.get_allowed_scope(scope)
        if sql.devices_since(server.tx, client_id, server.now - _SECONDS_OF_MINUTE) >= MAX_TOKENS_A_MINUTE:
            raise TooManyTokens
        sql.insert_device(
            server.tx,
            server.house.digest(data["device_code"]),
            user_code=data["user_code"],
            client_id=client_id,
            scopes=allowed,
            now=server.now,
            expires_at=server.now + DEVICE_SECONDS,
        )


def _server(tx: Tx, house: House, now: int) -> Server:
    server = Server(tx, house, now)
    register(server)
    for endpoint in (_Revocation, _Introspection):
        server.register_endpoint(endpoint)
    server.register_endpoint(_Device)  # type: ignore[arg-type]  # the stubs do not know that it is an endpoint, too
    return server


def _ask(server: Server, name: str, request: Request) -> object:
    answer: object = server.create_endpoint_response(name, request)  # type: ignore[no-untyped-call]  # authlib's stubs
    return answer


def _consent_grant(server: Server, request: Request | OAuth2Request) -> CodeGrant:
    """Raises OAuth2Error."""
    grant = server.get_consent_grant(request)  # type: ignore[no-untyped-call]  # authlib's stubs
    assert isinstance(grant, CodeGrant)
    return grant


def _from_us(house: House, response: object) -> Response:
    """An answer to an authorization request: its redirect names us, so that programs of several servers tell answers
    apart (RFC 9207)."""
    answered = _answer(response)
    headers = [
        (name, add_params_to_uri(value, [("iss", house.issuer)]) if name == "Location" else value)
        for name, value in answered.headers
    ]
    return Response(answered.status, answered.body, tuple(headers))


def _answer(response: object) -> Response:
    assert isinstance(response, Response)
    return response
