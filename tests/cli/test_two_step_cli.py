"""The operator's way back in for an owner who has lost telephone and backup codes."""

import asyncio
import json
import time
from pathlib import Path

import pyotp
from click.testing import CliRunner, Result

from mailhost.cli.account import account
from mailhost.cli.domain import domain
from mailhost.config import Config, write_first
from mailhost.login import Limits, store_key
from mailhost.login.enrol import account_at, issue_own_app_password
from mailhost.login.second_step import add_app, app_secret, judge_code
from mailhost.storage.database import Tx, open_database

SALT = b"s" * 16


def run(group: object, data: Path, *words: str) -> Result:
    return CliRunner().invoke(group, [*words, "--data", str(data)])


def test_new_codes_open_the_account_and_app_passwords_live_on(tmp_path: Path) -> None:
    write_first(tmp_path, Config())

    async def prepare() -> None:
        database = await open_database(f"sqlite:///{tmp_path}/mailhost.db")
        await database.close()

    asyncio.run(prepare())
    assert run(domain, tmp_path, "add", "example.test").exit_code == 0
    assert run(account, tmp_path, "add", "anna@example.test").exit_code == 0
    refused = run(account, tmp_path, "reset-two-step", "anna@example.test")
    assert refused.exit_code == 1
    assert "Two-step verification is off" in refused.output

    async def switch_on() -> str:
        database = await open_database(f"sqlite:///{tmp_path}/mailhost.db")
        key, now = await store_key(database, tmp_path), time.time()

        def work(tx: Tx) -> str:
            anna = account_at(tx, "anna@example.test").id
            codes = add_app(tx, key, anna, SALT, pyotp.TOTP(app_secret(key, anna, SALT)).at(now), now)
            assert codes is not None
            issue_own_app_password(tx, key, anna, name="phone", now=int(now))
            return codes[0]

        old = await database.write(work)
        await database.close()
        return old

    old = asyncio.run(switch_on())
    told = json.loads(run(account, tmp_path, "reset-two-step", "anna@example.test", "--json").output)
    assert told["address"] == "anna@example.test"
    assert len({*told["backup_codes"]}) == 10

    async def look() -> list[bool]:
        database = await open_database(f"sqlite:///{tmp_path}/mailhost.db")
        key, now = await store_key(database, tmp_path), time.time() + 61

        def work(tx: Tx) -> list[bool]:
            anna = account_at(tx, "anna@example.test").id
            typed = [old, pyotp.TOTP(app_secret(key, anna, SALT)).at(now), told["backup_codes"][0]]
            issue_own_app_password(tx, key, anna, name="another", now=int(now))
            return [judge_code(tx, key, Limits(), anna, code, now).is_right for code in typed]

        opened = await database.write(work)
        await database.close()
        return opened

    assert asyncio.run(look()) == [False, False, True]
    told = run(account, tmp_path, "reset-two-step", "anna@example.test").output
    assert "shown this once" in told
