"""What takes the space, and how its owner makes room, in both layouts."""

from collections.abc import Awaitable, Callable

import pytest

from mailhost import mailstore
from mailhost.mailstore import Flag, Layout, NoSuchMessage, emptying, overview
from mailhost.mailstore.model import RETENTION_SECONDS
from mailhost.storage.database import Database, Tx
from tests.mailstore.conftest import NOW
from tests.mailstore.labelled import check_counters, check_labels, set_layout

Put = Callable[..., Awaitable[int]]


def letter(subject: str, octets: int) -> bytes:
    """A message of exactly so many octets."""
    head = f"From: =?utf-8?q?J=C3=BCrgen?= <j@example.test>\r\nSubject: {subject}\r\n\r\n".encode()
    lines, rest = divmod(octets - len(head), 50)
    return head + (b"x" * 48 + b"\r\n") * (lines - 1) + b"x" * (48 + rest) + b"\r\n"


@pytest.fixture
async def roomy(database: Database, account: int) -> int:
    """The account, with room for large messages."""
    await database.write(mailstore.set_quota, account, 100_000_000)
    return account


async def places(database: Database, account: int) -> dict[str, int]:
    """Mailbox → how many messages, those that hold any."""
    return {box.name: box.messages for box in await database.read(mailstore.list_mailboxes, account) if box.messages}


async def test_each_message_counts_in_one_kind(database: Database, roomy: int, put: Put) -> None:
    for octets in (500, 99_999, 100_000, 999_999, 1_000_000, 10_000_000):
        await put(letter("a", octets))
    inbox = await database.read(mailstore.find_mailbox, roomy, "INBOX")
    archive = await database.read(mailstore.find_mailbox, roomy, "Archive")
    await database.write(mailstore.copy, roomy, inbox.id, archive.id, [(1, 99)], NOW)
    told = await database.read(overview.overview, roomy)
    assert [(kind.at_least, kind.messages, kind.octets) for kind in told.kinds] == [
        (10_000_000, 1, 10_000_000),
        (1_000_000, 1, 1_000_000),
        (100_000, 2, 1_099_999),
        (0, 2, 100_499),
    ]
    assert told.usage.used_messages == 6
    assert {box.name: box.messages for box in told.mailboxes if box.messages} == {"INBOX": 6, "Archive": 6}
    await database.write(mailstore.expunge, roomy, inbox.id, [(6, 6)], NOW, only_deleted=False)
    await database.write(mailstore.expunge, roomy, archive.id, [(6, 6)], NOW, only_deleted=False)
    told = await database.read(overview.overview, roomy)
    assert told.kinds[0].messages == 0, "what is removed takes no space"
    assert told.usage.retained_octets == 10_000_000


async def test_the_largest_come_first_with_what_people_know_them_by(database: Database, roomy: int, put: Put) -> None:
    await put(letter("small", 90_000))
    await put(letter("=?utf-8?b?5L2g5aW9?=", 200_000), date=NOW - 5)
    await put(letter("larger", 300_000), mailbox="Sent")
    archive = await database.read(mailstore.find_mailbox, roomy, "Archive")
    sent = await database.read(mailstore.find_mailbox, roomy, "Sent")
    await database.write(mailstore.copy, roomy, sent.id, archive.id, [(1, 1)], NOW)
    larger, large = await database.read(overview.largest_messages, roomy)
    assert (larger.subject, larger.octets, set(larger.mailboxes)) == ("larger", 300_000, {"Sent", "Archive"})
    assert (large.subject, large.sender, large.at) == ("你好", "Jürgen <j@example.test>", NOW - 5)
    assert [one.subject for one in await database.read(overview.largest_messages, roomy, at_most=1)] == ["larger"]


async def test_a_field_cannot_pretend_to_be_another(database: Database, roomy: int, put: Put) -> None:
    await put(b"To: =?utf-8?q?x=0D=0ASubject:_forged?=\r\n" + letter("=?utf-8?q?true=0Aone=E2=80=AE?=", 200_000))
    [large] = await database.read(overview.largest_messages, roomy)
    assert large.subject == "true one"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # PostgreSQL plans by what it has counted
async def test_large_messages_are_found_without_a_look_at_the_others(database: Database, roomy: int) -> None:
    def plan(tx: Tx) -> str:
        seen: list[str] = []

        class Watching:
            engine = tx.engine

            def execute(self, sql: str, /, **parameters: object) -> list[tuple[object, ...]]:
                seen.extend(str(row[3]) for row in tx.execute("explain query plan " + sql, **parameters))
                return tx.execute(sql, **parameters)

        overview.overview(Watching(), roomy)
        overview.largest_messages(Watching(), roomy)
        return "\n".join(line for line in seen if "message" in line)

    lines = (await database.read(plan)).splitlines()
    assert len(lines) == 4
    assert all("USING" in line and "message_large" in line for line in lines), lines


@pytest.mark.parametrize("layout", Layout)
async def test_a_message_goes_to_the_trash_and_from_there_out_of_sight(
    database: Database, roomy: int, put: Put, layout: Layout
) -> None:
    await database.write(set_layout, roomy, layout, NOW)
    await put(letter("keep", 600))
    await put(letter("go", 200_000), flags=int(Flag.FLAGGED))
    inbox = await database.read(mailstore.find_mailbox, roomy, "INBOX")
    await database.write(mailstore.create_mailbox, roomy, "Work")
    work = await database.read(mailstore.find_mailbox, roomy, "Work")
    await database.write(mailstore.copy, roomy, inbox.id, work.id, [(2, 2)], NOW)
    [large] = await database.read(overview.largest_messages, roomy)
    assert await database.write(overview.discard, roomy, large.id, NOW) is False
    [large] = await database.read(overview.largest_messages, roomy)
    assert large.mailboxes == (("Trash",) if layout is Layout.CLASSIC else ("[Gmail]/Trash",))
    assert "Work" not in await places(database, roomy)
    assert await database.write(overview.discard, roomy, large.id, NOW) is True
    assert await database.read(overview.largest_messages, roomy) == []
    with pytest.raises(NoSuchMessage):
        await database.write(overview.discard, roomy, large.id, NOW)
    [removed] = await database.read(overview.undeletable, roomy, NOW)
    assert (removed.id, removed.subject, removed.at, removed.mailboxes) == (large.id, "go", NOW, ())
    assert await database.read(overview.undeletable, roomy, NOW + RETENTION_SECONDS + 1) == []
    await database.write(mailstore.restore_removed, roomy, [removed.id], NOW)
    await database.read(check_counters if layout is Layout.CLASSIC else check_labels, roomy)
    assert (await database.read(overview.overview, roomy)).usage.used_messages == 2


async def test_a_message_that_stands_twice_in_a_mailbox_goes_whole(database: Database, roomy: int, put: Put) -> None:
    await put(letter("go", 200_000))
    inbox = await database.read(mailstore.find_mailbox, roomy, "INBOX")
    trash = await database.read(mailstore.find_mailbox, roomy, "Trash")
    for target in (inbox, trash, trash):
        await database.write(mailstore.copy, roomy, inbox.id, target.id, [(1, 1)], NOW)
    assert await places(database, roomy) == {"INBOX": 2, "Trash": 2}
    assert await database.write(overview.discard, roomy, 1, NOW) is True
    assert await places(database, roomy) == {}
    await database.read(check_counters, roomy)
    assert [one.id for one in await database.read(overview.undeletable, roomy, NOW)] == [1]


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("special_use", ["\\Trash", "\\Junk"])
async def test_trash_and_spam_are_emptied_in_steps_of_what_was_there(
    database: Database, account: int, put: Put, layout: Layout, special_use: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptying, "STEP", 3)
    await database.write(set_layout, account, layout, NOW)
    box = await database.read(mailstore.find_special, account, special_use)
    await put()
    for _ in range(8):
        await put(mailbox=box.name)
    assert await database.write(mailstore.empty_special, account, special_use, NOW)
    assert await database.read(mailstore.accounts_with_steps_left) == [account]
    await put(mailbox=box.name)  # comes later, and stays
    steps = 1
    while await database.write(mailstore.empty_more, account, NOW):
        steps += 1
    assert steps == 2
    assert (await places(database, account))[box.name] == 1
    assert (await database.read(mailstore.load_mailbox, account, box.id)).uid_validity == box.uid_validity
    assert len(await database.read(overview.undeletable, account, NOW)) == 8
    assert await database.read(mailstore.accounts_with_steps_left) == []
    await database.read(check_counters, account)
    assert not await database.write(mailstore.empty_special, account, special_use, NOW)
    assert not await database.write(mailstore.empty_special, account, special_use, NOW)


async def test_emptying_ends_with_a_trash_that_is_deleted_meanwhile(
    database: Database, account: int, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptying, "STEP", 3)
    for _ in range(8):
        await put(mailbox="Trash")
    await database.write(mailstore.empty_special, account, "\\Trash", NOW)
    await database.write(mailstore.delete_mailbox, account, "Trash", NOW)
    while await database.write(mailstore.empty_more, account, NOW):
        pass
    assert len(await database.read(overview.undeletable, account, NOW)) == 8
    assert await database.read(mailstore.accounts_with_steps_left) == []
