"""An authorization server over an empty store: two people, a clock the test sets."""

from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

import pytest

from mailhost import domains, oauth
from mailhost.crypto import SecretKey
from mailhost.login.enrol import enrol
from mailhost.login.tokens import PEOPLE
from mailhost.oauth import Kind, NewClient, endpoints
from mailhost.storage.database import Database, Tx

NOW = 1_800_000_000
ISSUER = "https://mail.example.test"
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT = "http://127.0.0.1:7777/"


@dataclass
class House:
    """What the tests ask."""

    database: Database
    people: dict[str, int]
    key: SecretKey = field(default_factory=lambda: SecretKey(b"k" * 32))
    now: int = NOW

    @property
    def house(self) -> oauth.House:
        return oauth.House(self.key, PEOPLE, ISSUER)

    async def client(self, kind: Kind = Kind.NATIVE, **changes: object) -> NewClient:
        usual = {"name": "Thunderbird", "kind": kind, "now": self.now}
        if kind in (Kind.NATIVE, Kind.WEB):
            usual["redirect_uris"] = ("https://web.example/done",) if kind is Kind.WEB else ("http://127.0.0.1/",)
        return await self.database.write(oauth.make_client, self.key, **(usual | changes))

    async def ask(self, endpoint: object, authorization: str = "", **fields: str) -> tuple[int, dict[str, object]]:
        request = oauth.Request(fields, authorization, "192.0.2.7")
        answered = await self.database.write(endpoint, self.house, request, self.now)
        assert isinstance(answered, oauth.Response)
        return answered.status, answered.json() if answered.body else {}

    async def code(self, client: NewClient, scope: str = "mail", who: str = "anna", **changes: str) -> str:
        """What comes back to the program when somebody said yes."""
        answered = await self.decide(client, scope, who, **changes)
        [(_, location)] = [header for header in answered.headers if header[0] == "Location"]
        return dict(parse_qsl(urlsplit(location).query))["code"]

    async def decide(
        self, client: NewClient, scope: str = "mail", who: str = "anna", allows: bool = True, **changes: str
    ) -> oauth.Response:
        request = oauth.Request(asked_for(client, scope) | changes)
        return await self.database.write(
            endpoints.decide, self.house, request, self.people[who], allows=allows, now=self.now
        )

    async def tokens(self, client: NewClient, scope: str = "mail", who: str = "anna") -> dict[str, str]:
        status, answer = await self.exchange(client, await self.code(client, scope, who))
        assert status == 200, answer
        return {name: str(value) for name, value in answer.items()}

    async def exchange(self, client: NewClient, code: str, /, **changes: str) -> tuple[int, dict[str, object]]:
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
        return await self.ask(endpoints.token, **(fields | {"client_id": client.client.id} | changes))

    async def refresh(self, client: NewClient, token: str, **changes: str) -> tuple[int, dict[str, object]]:
        fields = {"grant_type": "refresh_token", "refresh_token": token, "client_id": client.client.id}
        return await self.ask(endpoints.token, **(fields | changes))


def asked_for(client: NewClient, scope: str = "mail") -> dict[str, str]:
    """An authorization request."""
    return {
        "response_type": "code",
        "client_id": client.client.id,
        "redirect_uri": REDIRECT,
        "scope": scope,
        "state": "xyz",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }


def basic(client: NewClient) -> str:
    """HTTP's way of showing a secret."""
    return "Basic " + b64encode(f"{client.client.id}:{client.secret}".encode()).decode()


@pytest.fixture
async def server(database: Database) -> House:
    def build(tx: Tx) -> dict[str, int]:
        domains.add_domain(tx, "example.test", NOW)
        domains.add_domain(tx, "other.test", NOW)
        people = {"anna": "anna@example.test", "otto": "otto@example.test", "chief": "chief@other.test"}
        return {name: enrol(tx, address, password_hash="$x", now=NOW).id for name, address in people.items()}

    return House(database, await database.write(build))
