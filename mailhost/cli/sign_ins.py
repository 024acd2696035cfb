"""`mailhost account sign-ins`: the diary, with the remedy for each thing that went wrong."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from mailhost.accounts.audit.model import NOBODY, Cause, Occurrence, SignIn
from mailhost.accounts.audit.sql import list_sign_ins
from mailhost.cli.store import data_option, opened, plainly, show_table
from mailhost.login.enrol import account_at
from mailhost.storage.database import Tx

SENTENCES: Final[dict[Cause, str]] = {
    Cause.SIGNED_IN: "signed in",
    Cause.UNKNOWN_USER: "nobody here has this name",
    Cause.WRONG_PASSWORD: "wrong password, and no app password: a client needs one (mailhost app-password add)",
    Cause.WRONG_APP_PASSWORD: "no app password of this account: mistyped, or made elsewhere",
    Cause.REVOKED_APP_PASSWORD: "this app password was revoked: make another one for the device",
    Cause.APP_PASSWORD_OF_ANOTHER: "an app password of another account: the user name or the password is the wrong one",
    Cause.ACCOUNT_PASSWORD_USED: "the account password, which opens the web only: make an app password",
    Cause.PROTOCOL_NOT_ALLOWED: "this app password does not open the protocol: make one that does",
    Cause.SUSPENDED: "the account is suspended (mailhost account resume)",
    Cause.TOO_MANY_CONNECTIONS: "as many sessions as an account may have (limits.imap_sessions_per_account)",
    Cause.THROTTLED: "had to wait after too many different wrong passwords",
    Cause.TOO_BUSY: "nobody could look: too many wrong passwords at once, from anywhere",
}


@click.command(name="sign-ins")
@click.argument("address", required=False)
@click.option("--most", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Rows at most.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each row.")
@data_option
@plainly
def sign_ins(address: str | None, most: int, as_json: bool, data: Path) -> None:
    """Tell who signed in to an account and who could not, and why; without ADDRESS, who used nobody's name."""

    def find(tx: Tx) -> list[tuple[SignIn, Occurrence]]:
        return list_sign_ins(tx, NOBODY if address is None else account_at(tx, address).id, at_most=most)

    async def work() -> list[tuple[SignIn, Occurrence]]:
        async with opened(data) as store:
            return await store.database.read(find)

    found = asyncio.run(work())
    if as_json:
        for sign_in, occurrence in found:
            click.echo(json.dumps(_facts(sign_in, occurrence)))
        return
    show_table(
        ("last", "times", "protocol", "from", "client", "name", "what happened"),
        [
            (
                _shown_second(occurrence.at),
                str(occurrence.attempts),
                sign_in.protocol,
                sign_in.peer,
                sign_in.client_id,
                sign_in.address,
                SENTENCES[sign_in.cause],
            )
            for sign_in, occurrence in found
        ],
    )


def _facts(sign_in: SignIn, occurrence: Occurrence) -> dict[str, str | int | None]:
    return {
        "at": _shown_second(occurrence.at),
        "attempts": occurrence.attempts,
        "cause": sign_in.cause.value,
        "address": sign_in.address,
        "protocol": sign_in.protocol,
        "port": sign_in.port,
        "peer": sign_in.peer,
        "tls": sign_in.tls_version,
        "mechanism": sign_in.mechanism,
        "client": sign_in.client_id,
        "app_password": sign_in.credential_id,
        "connection": occurrence.connection_id,
    }


def _shown_second(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
