"""The ways to a token: authorization code with PKCE, refresh, device, and a service's own signature."""

from typing import Final

from authlib.oauth2.rfc6749 import (
    AccessDeniedError,
    ClientMixin,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    TokenMixin,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc7523 import JWTBearerGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DeviceCodeGrant
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from mailhost.oauth import sql
from mailhost.oauth.model import CODE_SECONDS, DEVICE_INTERVAL, MAX_ASSERTION_SECONDS, REUSE_SECONDS, Token
from mailhost.oauth.server import ClientView, Server, User, fields_of, granted, revoke_family, server_of

_GOOGLES: Final = "https://oauth2.googleapis.com/token"
METHODS: Final = ["client_secret_basic", "client_secret_post", "none"]


class Pkce(CodeChallenge):
    """S256 and nothing else, and never without (RFC 9700 §2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012 - authlib's shape

    def validate_code_challenge(self, grant: AuthorizationCodeGrant, redirect_uri: str) -> None:
        """Like authlib's, and the challenge must be there with its method."""
        data = fields_of(grant.request)
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE is needed: 'code_challenge' with 'code_challenge_method=S256'.")
        super().validate_code_challenge(grant, redirect_uri)


class Code:
    """An authorization code as authlib asks about it."""

    def __init__(self, digest: bytes, user: User, redirect_uri: str, scopes: str, challenge: str) -> None:
        self.digest = digest
        self.user = user
        self.code_challenge = challenge
        self.code_challenge_method = "S256"
        self._redirect_uri = redirect_uri
        self._scopes = scopes

    def get_redirect_uri(self) -> str:
        """Where it was sent to."""
        return self._redirect_uri

    def get_scope(self) -> str:
        """What was allowed."""
        return self._scopes


class CodeGrant(AuthorizationCodeGrant):
    """RFC 6749 §4.1."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def save_authorization_code(self, code: str, request: object) -> None:
        """Keep the code of somebody who said yes."""
        del request  # it is self.request
        server, asked = server_of(self), self.request
        user, fields = asked.user, fields_of(asked)
        assert isinstance(user, User)
        sql.insert_code(
            server.tx,
            server.house.digest(code),
            account_id=user.account_id,
            grant_id=user.grant_id,
            client_id=fields["client_id"],
            redirect_uri=fields.get("redirect_uri", ""),
            scopes=asked.scope,
            challenge=fields["code_challenge"],
            expires_at=server.now + CODE_SECONDS,
        )

    def query_authorization_code(self, code: str, client: ClientMixin) -> Code | None:
        """The code, unless it expired. One that comes a second time was stolen: what the first got ends (§4.1.2)."""
        server = server_of(self)
        assert isinstance(client, ClientView)
        digest = server.house.digest(code)
        row = sql.find_code(server.tx, digest)
        if row is None or row[2] != client.client.id:
            return None
        account_id, grant_id, _, redirect_uri, scopes, challenge, expires_at, used_at = row
        if used_at is not None:
            revoke_family(server, account_id, grant_id, client.client.name)
            return None
        if expires_at <= server.now:
            return None
        return Code(digest, User(account_id, grant_id), redirect_uri, scopes, challenge)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """It is used up."""
        server = server_of(self)
        sql.use_code(server.tx, authorization_code.digest, server.now)

    def authenticate_user(self, authorization_code: Code) -> User:
        """Who said yes."""
        return authorization_code.user


class Refreshable(TokenMixin):
    """A refresh token as authlib asks about it."""

    def __init__(self, token: Token) -> None:
        self.token = token

    def check_client(self, client: ClientMixin) -> bool:
        """Whether it is this program's."""
        assert isinstance(client, ClientView)
        return self.token.client_id == client.client.id

    def get_scope(self) -> str:
        """What it stands for."""
        return self.token.scopes


class RefreshGrant(RefreshTokenGrant):
    """RFC 6749 §6, with rotation: each use gives the next refresh token, and an old one that comes back ends all."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Refreshable | None:  # type: ignore[override]  # likewise
        """The token while it is good."""
        server = server_of(self)
        token = sql.find_token(server.tx, server.house.digest(refresh_token))
        if token is None or token.kind != "refresh" or token.revoked_at is not None or token.expires_at <= server.now:
            return None
        client = self.request.client
        assert isinstance(client, ClientView)
        if token.client_id != client.client.id:
            return None
        if token.used_at is not None and token.used_at + REUSE_SECONDS < server.now:
            revoke_family(server, token.account_id, token.grant_id, client.client.name)
            return None
        return Refreshable(token)

    def authenticate_user(self, refresh_token: TokenMixin) -> User:
        """Whose it is."""
        assert isinstance(refresh_token, Refreshable)
        return User(refresh_token.token.account_id, refresh_token.token.grant_id)

    def revoke_old_credential(self, refresh_token: TokenMixin) -> None:
        """It was changed for the next one."""
        assert isinstance(refresh_token, Refreshable)
        server = server_of(self)
        sql.use_refresh_token(server.tx, refresh_token.token.digest, server.now)


class Waiting:
    """A device that waits, as authlib asks about it."""

    def __init__(self, digest: bytes, row: tuple[str, str, str, int, int, str, int | None, int | None]) -> None:
        self.digest = digest
        self.user_code, self.client_id, self.scopes, self.expires_at, self.asked_at, self.state, *user = row
        self.user = User(user[0], user[1]) if user[0] is not None and user[1] is not None else None
        self.now = 0

    def get_client_id(self) -> str:
        """Whose device it is."""
        return self.client_id

    def get_scope(self) -> str:
        """What it asked for."""
        return self.scopes

    def get_user_code(self) -> str:
        """What its user types."""
        return self.user_code

    def is_expired(self) -> bool:
        """Whether it waited too long."""
        return self.expires_at <= self.now


class DeviceGrant(DeviceCodeGrant):
    """RFC 8628 §3.4."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def query_device_credential(self, device_code: str) -> Waiting | None:
        """The device of this code."""
        server = server_of(self)
        digest = server.house.digest(device_code)
        row = sql.find_device(server.tx, digest)
        if row is None:
            return None
        self._found = Waiting(digest, row)
        self._found.now = server.now
        return self._found

    def query_user_grant(self, user_code: str) -> tuple[User | None, bool] | None:
        """What its user said, if anything by now; once it is told, the code is used up."""
        del user_code  # it is that of the device found above
        if self._found.state == "waiting":
            return None
        sql.forget_device(server_of(self).tx, self._found.digest)
        return self._found.user, self._found.state == "granted"

    def should_slow_down(self, credential: Waiting) -> bool:
        """Whether it asks more often than it was told."""
        server = server_of(self)
        sql.device_asked(server.tx, credential.digest, server.now)
        return server.now - credential.asked_at < DEVICE_INTERVAL


class ServiceGrant(JWTBearerGrant):
    """RFC 7523 §2.1, as Google's libraries use it: `sub` is the address to act for, `scope` stands in the assertion."""

    def process_assertion_claims(self, assertion: str) -> dict[str, object]:
        """Checked claims; what is signed for longer than an hour is refused."""
        claims: dict[str, object] = super().process_assertion_claims(assertion)
        server = server_of(self)
        expires, issued = claims.get("exp"), claims.get("iat", server.now)
        if not isinstance(expires, int | float) or not isinstance(issued, int | float):
            raise InvalidGrantError(description="Invalid claim: 'exp' or 'iat'")
        if expires - issued > MAX_ASSERTION_SECONDS:
            raise InvalidGrantError(description="The assertion is good for more than an hour.")
        if not claims.get("sub"):
            raise InvalidGrantError(description="Missing claim: 'sub', the address to act for")
        self._scopes = str(claims.get("scope") or fields_of(self.request).get("scope") or "")
        return claims

    def validate_requested_scope(self) -> None:
        """The scopes of the assertion."""
        client = self.request.client
        assert isinstance(client, ClientView)
        allowed = client.get_allowed_scope(self._scopes)
        if set(allowed.split()) != set(self._scopes.split()):
            raise InvalidScopeError
        fields_of(self.request)["scope"] = allowed

    def resolve_issuer_client(self, issuer: str) -> ClientView | None:
        """The service of this name."""
        client = server_of(self).query_client(issuer)
        return client if client is not None and client.client.public_key else None

    def resolve_client_public_key(self, client: ClientView) -> RSAKey:
        """Its key."""
        try:
            return RSAKey.import_key(client.client.public_key)
        except (JoseError, ValueError) as error:
            raise InvalidGrantError(description="The service's key cannot be read.") from error

    def get_audiences(self) -> list[str]:
        """The token endpoint, the issuer, and what Google's libraries write whatever their file says.

        The last is safe as it is only of use with a key that was made here, for us alone.
        """
        issuer = server_of(self).house.issuer
        return [f"{issuer}/oauth/token", issuer, _GOOGLES]

    def authenticate_user(self, subject: str) -> User | None:
        """The account that the service acts for, if it may: its domain must be delegated to it."""
        server = server_of(self)
        client = self.request.client
        assert isinstance(client, ClientView)
        address = subject.strip().lower()
        account_id = server.house.people.account_of(server.tx, address)
        if account_id is None or address.rpartition("@")[2] not in client.client.delegated_domains:
            raise AccessDeniedError("No administrator delegated this account's domain to this service.")
        return granted(server, account_id, client.client.id, self._scopes)

    def has_granted_permission(self, client: ClientView, user: User) -> bool:
        """Looked at above, where it has another word than invalid_client."""
        del client, user
        return True


def register(server: Server) -> None:
    """Let a server know every way."""
    server.register_grant(CodeGrant, [Pkce(required=True)])
    server.register_grant(RefreshGrant)
    server.register_grant(DeviceGrant)
    server.register_grant(ServiceGrant)
