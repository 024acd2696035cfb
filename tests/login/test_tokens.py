"""Sign-in by OAuth token: what opens, what does not and why, and when a session ends."""

import asyncio

import pytest

from mailhost import accounts, oauth
from mailhost.accounts.audit.model import NOBODY, Cause
from mailhost.accounts.audit.sql import list_sign_ins
from mailhost.limits import Rules
from mailhost.login import DoorKeeper, Reason, Refused
from mailhost.login.enrol import change_password
from mailhost.login.live import Ending, Live
from mailhost.login.tokens import PEOPLE, remove_client, revoke_program
from mailhost.oauth import endpoints
from mailhost.oauth.model import Token
from mailhost.oauth.server import TOKEN
from mailhost.oauth.sql import insert_grant, insert_token
from mailhost.protocols.sasl import Credentials
from mailhost.storage.database import Tx
from tests.login.conftest import START, House, visit

ANNA = "anna@example.test"
NOW = int(START)


async def token_of(house: House, secret: str = "t0ken", scopes: str = "mail", **changes: object) -> str:
    """A token of anna's for a program; returns the program."""

    def make(tx: Tx) -> str:
        made = oauth.make_client(
            tx, house.key, name="App", kind=oauth.Kind.NATIVE, now=NOW, redirect_uris=("http://127.0.0.1/",)
        )
        insert_grant(tx, house.anna, 7, made.client.id, scopes, NOW)
        fields = {"kind": "access", "account_id": house.anna, "grant_id": 7, "client_id": made.client.id}
        times = {"issued_at": NOW, "expires_at": NOW + 3600, "used_at": None, "revoked_at": None}
        digest = house.key.digest(TOKEN, secret.encode())
        insert_token(tx, Token(digest=digest, scopes=scopes, **(fields | times | changes)))
        return made.client.id

    return await house.database.write(make)


async def sign_in(keeper: DoorKeeper, user: str, secret: str, protocol: str = "imap") -> Live | Refused:
    credentials = Credentials("XOAUTH2", user, secret, is_token=True)
    try:
        return await keeper.sign_in(credentials, visit(protocol=protocol, mechanism="XOAUTH2"), lambda: None)
    except Refused as refused:
        return refused


async def test_a_token_opens_what_it_is_for(house: House) -> None:
    keeper = house.keeper()
    await token_of(house, scopes="imap.readonly send-only")
    live = await sign_in(keeper, " Anna@Example.test", "t0ken")
    assert isinstance(live, Live)
    assert (live.identity.account_id, live.identity.read_only, live.identity.credential_id) == (house.anna, True, 7)
    assert live.identity.expires_at == NOW + 3600
    nameless = await sign_in(keeper, "", "t0ken", "smtp")
    assert isinstance(nameless, Live)
    assert not nameless.identity.read_only
    assert await house.causes(keeper, house.anna) == [Cause.SIGNED_IN] * 2
    for one in (live, nameless):
        keeper.live.leave(one)


@pytest.mark.parametrize(
    ("user", "secret", "protocol", "changes", "cause"),
    [
        (ANNA, "other", "imap", {}, Cause.TOKEN_UNKNOWN),
        (ANNA, "t0ken", "imap", {"kind": "refresh"}, Cause.TOKEN_UNKNOWN),
        (ANNA, "t0ken", "imap", {"expires_at": NOW}, Cause.TOKEN_EXPIRED),
        ("otto@example.test", "t0ken", "imap", {}, Cause.TOKEN_OF_ANOTHER),
        ("no name", "t0ken", "imap", {}, Cause.TOKEN_OF_ANOTHER),
        (ANNA, "t0ken", "pop3", {"scopes": "imap"}, Cause.TOKEN_SCOPE),
    ],
)
async def test_refusals_are_one_on_the_wire_and_told_apart_in_the_diary(
    house: House, user: str, secret: str, protocol: str, changes: dict[str, object], cause: Cause
) -> None:
    keeper = house.keeper()
    await token_of(house, **changes)
    refused = await sign_in(keeper, user, secret, protocol)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.until, refused.limit) == (Reason.BAD_TOKEN, None, "")
    assert await house.causes(keeper, house.anna) == [cause]


async def test_unknown_tokens_of_unknown_people_are_nobody_s(house: House) -> None:
    keeper = house.keeper()
    refused = await sign_in(keeper, "ghost@example.test", "x\ud800")
    assert isinstance(refused, Refused)
    await house.diary(keeper, NOBODY)
    assert [one.cause for one, _ in await house.database.read(list_sign_ins, NOBODY)] == [Cause.TOKEN_UNKNOWN]


async def test_rules_hold_for_tokens_too(house: House) -> None:
    keeper = house.keeper()
    await token_of(house)
    await house.database.write(accounts.set_rules, house.anna, Rules(pop3=False))
    refused = await sign_in(keeper, ANNA, "t0ken", "pop3")
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.PROTOCOL_NOT_ALLOWED
    await house.database.write(accounts.set_state, house.anna, accounts.AccountState.SUSPENDED)
    refused = await sign_in(keeper, ANNA, "t0ken")
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.ACCOUNT_SUSPENDED


@pytest.mark.parametrize("how", ["endpoint", "page", "program", "password", "suspended"])
async def test_a_session_ends_with_its_token(house: House, how: str) -> None:
    keeper = house.keeper()
    client_id = await token_of(house)
    live = await sign_in(keeper, ANNA, "t0ken")
    assert isinstance(live, Live)
    assert await keeper.live.why_over(live) is None
    served = oauth.House(house.key, PEOPLE, "https://mail.example.test")
    database = house.database
    match how:
        case "endpoint":
            await database.write(endpoints.revoke, served, oauth.Request({"token": "t0ken"}), NOW)
        case "page":
            await database.write(revoke_program, house.anna, 7, NOW)
        case "program":
            await database.write(remove_client, client_id)
        case "password":
            await database.write(change_password, house.anna, "$hash", NOW)
        case _:
            await database.write(accounts.set_state, house.anna, accounts.AccountState.SUSPENDED)
    async with asyncio.timeout(10):
        while not live.must_look:  # noqa: ASYNC110 - it is woken through the store
            await asyncio.sleep(0.005)
    ended = await keeper.live.why_over(live)
    assert ended is not None
    assert ended.ending is Ending.REVOKED
    keeper.live.leave(live)


async def test_a_session_ends_when_its_token_expires(house: House) -> None:
    keeper = house.keeper()
    await token_of(house, expires_at=NOW + 1)
    live = await sign_in(keeper, ANNA, "t0ken")
    assert isinstance(live, Live)
    live.must_look = False
    house.now += 1
    async with asyncio.timeout(10):
        while not live.must_look:  # noqa: ASYNC110 - a timer of the session's own
            await asyncio.sleep(0.02)
    assert await keeper.live.why_over(live) is not None
    keeper.live.leave(live)


async def test_tokens_are_announced_once_a_program_is_known(house: House) -> None:
    keeper = house.keeper()
    await keeper.look_for_programs()
    assert not keeper.offers_tokens
    await token_of(house)
    await keeper.look_for_programs()
    assert keeper.offers_tokens
