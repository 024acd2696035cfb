"""The ways to a token, as programs walk them, and those who try to cheat."""

import asyncio
import time

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from mailhost import oauth
from mailhost.accounts.audit.model import Cause
from mailhost.accounts.audit.sql import list_sign_ins
from mailhost.language import translations
from mailhost.login.catalogue import explain
from mailhost.login.tokens import revoke_program
from mailhost.oauth import Kind, NewClient, endpoints
from mailhost.oauth.endpoints import Asked
from mailhost.oauth.model import (
    ACCESS_SECONDS,
    CODE_SECONDS,
    DEVICE_SECONDS,
    FULL_SCOPE,
    MAX_TOKENS_A_MINUTE,
    REUSE_SECONDS,
    NoSuchCode,
    access_of,
)
from mailhost.oauth.sql import find_token
from mailhost.storage.database import Tx
from tests.oauth.conftest import ISSUER, REDIRECT, House, asked_for, basic


async def is_good(server: House, token: str) -> bool:
    return await server.database.point(oauth.is_good, server.house.digest(token), server.now)


async def told_of_copies(server: House) -> list[str]:
    """What anna's diary says of tokens that came once more."""
    rows = await server.database.read(list_sign_ins, server.people["anna"])
    assert {sign_in.cause for sign_in, _ in rows} <= {Cause.TOKEN_COPIED}
    return [explain(*row, translations("en")).sentence.partition(":")[0] for row in rows]


async def test_a_code_is_changed_for_tokens(server: House) -> None:
    client = await server.client()
    asked = await server.database.write(
        endpoints.consent, server.house, oauth.Request(asked_for(client, f"{FULL_SCOPE} imap")), server.now
    )
    assert asked == Asked(client.client.id, "Thunderbird", (FULL_SCOPE, "imap"), False, REDIRECT)
    got = await server.tokens(client, FULL_SCOPE)
    assert (got["token_type"], got["expires_in"], got["scope"]) == ("Bearer", "3600", FULL_SCOPE)
    assert await is_good(server, got["access_token"])
    [grant] = await server.database.read(oauth.list_grants, server.people["anna"])
    assert (grant.name, grant.scopes) == ("Thunderbird", FULL_SCOPE)
    server.now += ACCESS_SECONDS
    assert not await is_good(server, got["access_token"])


async def test_nothing_that_is_stored_can_be_used(server: House) -> None:
    client = await server.client()
    got = await server.tokens(client)

    def everything(tx: Tx) -> str:
        tables = ("oauth_client", "oauth_code", "oauth_token", "oauth_grant")
        return repr([tx.execute(f"select * from {table}") for table in tables])

    stored = await server.database.read(everything)
    for secret in (got["access_token"], got["refresh_token"], client.secret):
        assert secret not in stored


async def test_a_code_works_once_and_a_second_time_ends_what_the_first_got(server: House) -> None:
    client = await server.client()
    code = await server.code(client)
    _, got = await server.exchange(client, code)
    assert await is_good(server, str(got["access_token"]))
    status, answer = await server.exchange(client, code)
    assert (status, answer["error"]) == (400, "invalid_grant")
    assert not await is_good(server, str(got["access_token"]))
    assert (await server.refresh(client, str(got["refresh_token"])))[0] == 400
    assert (await server.exchange(client, code))[0] == 400
    assert len(await told_of_copies(server)) == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_request"),
        ({"redirect_uri": "http://127.0.0.1:7778/"}, "invalid_grant"),
        ({"code": "guessed"}, "invalid_grant"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_secret": "guessed"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
async def test_a_stolen_code_is_of_no_use(server: House, changes: dict[str, str], error: str) -> None:
    client = await server.client()
    status, answer = await server.exchange(client, await server.code(client), **changes)
    assert status in (400, 401)
    assert answer["error"] == error


async def test_what_is_withdrawn_gives_no_tokens_any_more(server: House) -> None:
    client, device = await server.client(), await server.client(Kind.DEVICE, name="Television")
    code = await server.code(client)
    _, begun = await server.ask(endpoints.device, client_id=device.client.id, scope="mail")
    anna, user_code = server.people["anna"], str(begun["user_code"])
    await server.database.write(endpoints.decide_device, server.house, user_code, anna, allows=True, now=server.now)
    grants = await server.database.read(oauth.list_grants, anna)
    assert [grant.kind for grant in grants] == [Kind.NATIVE, Kind.DEVICE]
    for grant in grants:
        await server.database.write(revoke_program, anna, grant.id, server.now)
    assert (await server.exchange(client, code))[1]["error"] == "invalid_grant"
    assert (await ask_for_device(server, device, str(begun["device_code"])))[1]["error"] == "invalid_grant"


async def test_withdrawing_while_tokens_are_given(server: House) -> None:
    client, anna = await server.client(), server.people["anna"]

    def outliving(tx: Tx) -> int:
        [(count,)] = tx.execute(
            """select count(*) from oauth_token t join oauth_grant g on g.id = t.grant_id
            where g.account_id = t.account_id and g.revoked_at is not null and t.revoked_at is null"""
        )
        return int(count)

    for _ in range(20):
        code = await server.code(client)
        [grant] = await server.database.read(oauth.list_grants, anna)
        await asyncio.gather(
            server.exchange(client, code), server.database.write(revoke_program, anna, grant.id, server.now)
        )
        assert await server.database.read(outliving) == 0


async def test_a_copied_token_takes_the_program_from_the_list(server: House) -> None:
    client = await server.client()
    first = await server.tokens(client)
    await server.refresh(client, first["refresh_token"])
    server.now += REUSE_SECONDS + 1
    await server.refresh(client, first["refresh_token"])
    assert await server.database.read(oauth.list_grants, server.people["anna"]) == []
    assert (await server.tokens(client))["scope"] == "mail"  # once it is allowed anew


async def test_a_code_ends_soon_and_belongs_to_one_program(server: House) -> None:
    client, other = await server.client(), await server.client(name="Other")
    code = await server.code(client)
    assert (await server.exchange(other, code))[1]["error"] == "invalid_grant"
    server.now += CODE_SECONDS
    assert (await server.exchange(client, code))[1]["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": ""},
        {"scope": "everything"},
        {"response_type": "token"},
    ],
)
async def test_requests_that_are_not_in_order_go_back_with_an_error(server: House, changes: dict[str, str]) -> None:
    client = await server.client()
    request = oauth.Request(asked_for(client) | changes)
    answered = await server.database.write(endpoints.consent, server.house, request, server.now)
    assert isinstance(answered, oauth.Response)
    assert dict(answered.headers)["Location"].startswith(f"{REDIRECT}?error=")
    assert "state=xyz" in dict(answered.headers)["Location"]


@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1:7777@evil.example/",
        "http://127.0.0.1:7777/?next=https://evil.example/",
        "https://127.0.0.1:7777/",
        "http://127.0.0.1:7777/other",
        "//evil.example/",
        "javascript:alert(1)",
        "http://[::1",
        "",
    ],
)
async def test_the_redirect_is_open_to_nobody(server: House, redirect: str) -> None:
    client = await server.client(redirect_uris=("http://127.0.0.1/", "https://app.example/done"))
    request = oauth.Request(asked_for(client) | {"redirect_uri": redirect})
    for answered in (
        await server.database.write(endpoints.consent, server.house, request, server.now),
        await server.decide(client, redirect_uri=redirect),
    ):
        assert isinstance(answered, oauth.Response)
        assert answered.status in (400, 401)
        assert "Location" not in dict(answered.headers)


async def test_no_is_an_answer(server: House) -> None:
    client = await server.client()
    answered = await server.decide(client, allows=False)
    assert "error=access_denied" in dict(answered.headers)["Location"]
    assert await server.database.read(oauth.list_grants, server.people["anna"]) == []


async def test_refresh_tokens_rotate_and_an_old_one_ends_all(server: House) -> None:
    client = await server.client()
    first = await server.tokens(client)
    _, second = await server.refresh(client, first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert (await server.refresh(client, first["refresh_token"]))[0] == 200  # the answer may have been lost
    server.now += REUSE_SECONDS + 1
    status, answer = await server.refresh(client, first["refresh_token"])
    assert (status, answer["error"]) == (400, "invalid_grant")
    for token in (first["access_token"], str(second["access_token"])):
        assert not await is_good(server, token)
    assert (await server.refresh(client, str(second["refresh_token"])))[0] == 400
    assert (await server.refresh(client, first["refresh_token"]))[0] == 400
    assert await told_of_copies(server) == ["An old token of “Thunderbird” came again from 192.0.2.7"]


async def test_a_refresh_token_is_its_program_s_and_never_gives_more(server: House) -> None:
    client, other = await server.client(), await server.client(name="Other")
    got = await server.tokens(client, "imap.readonly")
    assert (await server.refresh(other, got["refresh_token"]))[0] == 400
    assert (await server.refresh(client, got["access_token"]))[0] == 400
    status, answer = await server.refresh(client, got["refresh_token"], scope="imap")
    assert (status, answer["error"]) == (400, "invalid_scope")
    assert (await server.refresh(client, got["refresh_token"]))[0] == 200  # others' tries did it no harm


async def test_programs_on_servers_show_their_secret(server: House) -> None:
    client = await server.client(Kind.WEB)
    code = await server.code(client, redirect_uri="https://web.example/done")
    fields = {"redirect_uri": "https://web.example/done"}
    assert (await server.exchange(client, code, **fields))[1]["error"] == "invalid_client"
    status, _ = await server.exchange(client, code, client_secret=client.secret, **fields)
    assert status == 200


async def test_revocation_ends_one_token_or_the_family(server: House) -> None:
    client = await server.client()
    got = await server.tokens(client)
    assert (await server.ask(endpoints.revoke, token=got["access_token"]))[0] == 200
    assert not await is_good(server, got["access_token"])
    _, more = await server.refresh(client, got["refresh_token"])
    assert await is_good(server, str(more["access_token"]))
    status, _ = await server.ask(endpoints.revoke, token=str(more["refresh_token"]), client_id=client.client.id)
    assert status == 200
    assert not await is_good(server, str(more["access_token"]))
    assert (await server.ask(endpoints.revoke, token="never was one"))[0] == 200
    other = await server.client(name="Other")
    again = await server.tokens(client)
    assert (await server.ask(endpoints.revoke, token=again["access_token"], client_id=other.client.id))[0] == 400
    assert await is_good(server, again["access_token"])


async def test_introspection_tells_a_program_of_its_own_tokens(server: House) -> None:
    client, other = await server.client(Kind.WEB), await server.client(Kind.WEB, name="Other")
    code = await server.code(client, redirect_uri="https://web.example/done")
    _, got = await server.exchange(client, code, client_secret=client.secret, redirect_uri="https://web.example/done")
    token = str(got["access_token"])
    _, told = await server.ask(endpoints.introspect, basic(client), token=token)
    assert (told["active"], told["scope"], told["client_id"]) == (True, "mail", client.client.id)
    assert (await server.ask(endpoints.introspect, basic(other), token=token))[1] == {"active": False}
    assert (await server.ask(endpoints.introspect, token=token))[0] == 401
    server.now += ACCESS_SECONDS
    assert (await server.ask(endpoints.introspect, basic(client), token=token))[1] == {"active": False}


async def ask_for_device(server: House, client: NewClient, code: str) -> tuple[int, dict[str, object]]:
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    return await server.ask(endpoints.token, grant_type=grant, device_code=code, client_id=client.client.id)


async def test_a_device_waits_for_its_user(server: House) -> None:
    client = await server.client(Kind.DEVICE)
    _, begun = await server.ask(endpoints.device, client_id=client.client.id, scope="imap.readonly")
    code, user_code = str(begun["device_code"]), str(begun["user_code"])
    assert begun["verification_uri"] == f"{ISSUER}/device"
    assert (await ask_for_device(server, client, code))[1]["error"] == "authorization_pending"
    assert (await ask_for_device(server, client, code))[1]["error"] == "slow_down"
    asked = await server.database.read(endpoints.find_device, user_code.lower().replace("-", " "), server.now)
    assert asked == Asked(client.client.id, "Thunderbird", ("imap.readonly",), False)
    await server.database.write(
        endpoints.decide_device, server.house, user_code, server.people["anna"], allows=True, now=server.now
    )
    with pytest.raises(NoSuchCode):
        await server.database.read(endpoints.find_device, user_code, server.now)
    status, got = await ask_for_device(server, client, code)
    assert (status, got["scope"]) == (200, "imap.readonly")
    assert (await ask_for_device(server, client, code))[0] == 400


async def test_devices_are_denied_and_forgotten(server: House) -> None:
    client = await server.client(Kind.DEVICE)
    _, begun = await server.ask(endpoints.device, client_id=client.client.id, scope="mail")
    await server.database.write(
        endpoints.decide_device,
        server.house,
        str(begun["user_code"]),
        server.people["anna"],
        allows=False,
        now=server.now,
    )
    assert (await ask_for_device(server, client, str(begun["device_code"])))[1]["error"] == "access_denied"
    _, begun = await server.ask(endpoints.device, client_id=client.client.id, scope="mail")
    server.now += DEVICE_SECONDS
    assert (await ask_for_device(server, client, str(begun["device_code"])))[1]["error"] == "expired_token"
    with pytest.raises(NoSuchCode):
        await server.database.read(endpoints.find_device, str(begun["user_code"]), server.now)
    native = await server.client()
    assert (await server.ask(endpoints.device, client_id=native.client.id, scope="mail"))[1][
        "error"
    ] == "invalid_client"


async def act_for(server: House, client: NewClient, key: str = "", **changes: object) -> tuple[int, dict[str, object]]:
    now = int(time.time())  # the library compares with its own clock
    claims: dict[str, object] = {
        "iss": client.client.id,
        "sub": "anna@example.test",
        "aud": f"{ISSUER}/oauth/token",
        "iat": now,
        "exp": now + 3600,
        "scope": FULL_SCOPE,
    }
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    assertion = jwt.encode({"alg": "RS256"}, claims, RSAKey.import_key(key or client.private_key))
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    return await server.ask(endpoints.token, grant_type=grant, assertion=assertion)


async def test_a_service_acts_for_accounts_of_its_domains_alone(server: House) -> None:
    client = await server.client(Kind.SERVICE, domains=("example.test",), scopes=(FULL_SCOPE, "imap"))
    status, got = await act_for(server, client)
    assert (status, got["scope"], "refresh_token" in got) == (200, FULL_SCOPE, False)
    found = await server.database.read(find_token, server.house.digest(str(got["access_token"])))
    assert found is not None
    assert found.account_id == server.people["anna"]
    other = await server.client(Kind.SERVICE, domains=("other.test",), name="Other")
    refusals = [
        await act_for(server, client, sub="chief@other.test"),
        await act_for(server, client, sub="ghost@example.test"),
        await act_for(server, client, sub=None),
        await act_for(server, client, scope="mail"),
        await act_for(server, client, scope=""),
        await act_for(server, client, aud="https://elsewhere.example/token"),
        await act_for(server, client, exp=int(time.time()) - 3600),
        await act_for(server, client, exp=int(time.time()) + 2 * 3600),
        await act_for(server, client, iss="nobody"),
        await act_for(server, client, iss=None),
        await act_for(server, client, key=other.private_key),
    ]
    assert {status for status, _ in refusals} == {400}
    assert {answer["error"] for _, answer in refusals} <= {"invalid_grant", "access_denied", "invalid_scope"}


async def test_a_program_that_runs_wild_is_told_to_wait(server: House) -> None:
    client = await server.client(Kind.SERVICE, domains=("example.test",))
    key = await server.database.read(find_token, b"none")
    assert key is None

    def fill(tx: Tx) -> None:
        tx.execute_many(
            """insert into oauth_token (digest, kind, account_id, grant_id, client_id, scopes, issued_at, expires_at)
            values (:digest, 'access', 1, 1, :client_id, '', :now, :now)""",
            [
                {"digest": number.to_bytes(4, "big"), "client_id": client.client.id, "now": server.now}
                for number in range(MAX_TOKENS_A_MINUTE)
            ],
        )

    await server.database.write(fill)
    status, answer = await act_for(server, client)
    assert (status, answer["error"]) == (429, "temporarily_unavailable")
    assert "60 seconds" in str(answer["error_description"])
    server.now += 60
    assert (await act_for(server, client))[0] == 200


def test_what_scopes_open() -> None:
    assert [access_of(FULL_SCOPE, door) for door in ("imap", "pop3", "smtp")] == ["full"] * 3
    assert [access_of("imap.readonly send-only", door) for door in ("imap", "pop3", "smtp")] == ["read", None, "full"]
    assert access_of("imap.readonly imap", "imap") == "full"
    assert access_of("unknown", "imap") is None
