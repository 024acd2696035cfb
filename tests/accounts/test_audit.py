"""The sign-in diary as rows: what is kept, what is forgotten."""

from mailhost.accounts.audit.model import NOBODY, Cause, Occurrence, SignIn
from mailhost.accounts.audit.sql import accounts_with_sign_ins, list_sign_ins, record_sign_ins, trim_sign_ins
from mailhost.storage.database import Database

NOW = 1_800_000_000


def entry(account_id: int, cause: Cause = Cause.SIGNED_IN, address: str = "") -> SignIn:
    return SignIn(
        account_id, cause, address, "imap", 993, "2001:db8::7", "2001:db8::/48", "TLSv1.3", "PLAIN", "mutt", 3
    )


async def write(database: Database, account_id: int, *times: int) -> None:
    await database.write(record_sign_ins, [(entry(account_id), Occurrence(at, f"c{at}", 1)) for at in times])


async def test_told_as_written_newest_first(database: Database) -> None:
    first = (entry(5), Occurrence(NOW, "c1", 1))
    second = (entry(5, Cause.ACCOUNT_PASSWORD_USED), Occurrence(NOW + 1, "c2", 412))
    nobody = (entry(NOBODY, Cause.UNKNOWN_USER, "ghost@example.test"), Occurrence(NOW, "c3", 1))
    await database.write(record_sign_ins, [first, second, nobody])
    assert await database.read(list_sign_ins, 5) == [second, first]
    assert await database.read(list_sign_ins, NOBODY) == [nobody]
    assert await database.read(list_sign_ins, 5, at_most=1) == [second]


async def test_trimmed_by_time_and_by_number(database: Database) -> None:
    await write(database, 5, *range(NOW, NOW + 10))
    await write(database, 6, NOW, NOW + 9)
    await write(database, 7, NOW)
    await database.write(trim_sign_ins, [5, 6], before=NOW + 2, keep=4)
    assert [row[1].at - NOW for row in await database.read(list_sign_ins, 5)] == [9, 8, 7, 6]
    assert [row[1].at - NOW for row in await database.read(list_sign_ins, 6)] == [9]
    assert len(await database.read(list_sign_ins, 7)) == 1


async def test_accounts_are_found_a_page_at_a_time(database: Database) -> None:
    for account_id in (NOBODY, 3, 9, 12):
        await write(database, account_id, NOW, NOW + 1)
    assert await database.read(accounts_with_sign_ins, -1, 3) == [0, 3, 9]
    assert await database.read(accounts_with_sign_ins, 9, 3) == [12]
    assert await database.read(accounts_with_sign_ins, 12, 3) == []


async def test_read_page_by_page_and_failures_alone(database: Database) -> None:
    causes = [Cause.SIGNED_IN, Cause.WRONG_PASSWORD, Cause.SECOND_STEP_AWAITED, Cause.THROTTLED, Cause.SIGNED_IN]
    await database.write(
        record_sign_ins, [(entry(5, cause), Occurrence(NOW + at, "c", 1)) for at, cause in enumerate(causes)]
    )
    await write(database, 6, NOW)
    first = await database.read(list_sign_ins, 5, at_most=2)
    second = await database.read(list_sign_ins, 5, at_most=9, before=first[-1][1].id)
    assert [row[0].cause for row in first + second] == causes[::-1]
    failures = await database.read(list_sign_ins, 5, failures_only=True)
    assert [row[0].cause for row in failures] == [Cause.THROTTLED, Cause.WRONG_PASSWORD]
    [last] = await database.read(list_sign_ins, 5, failures_only=True, before=failures[0][1].id)
    assert last[0].cause is Cause.WRONG_PASSWORD
