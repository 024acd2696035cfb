"""On the way from one layout to the other: others write between the steps, and a kill or a new wish harms nobody."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailhost import mailstore
from mailhost.mailstore import Flag, Layout, NewMessage, emptying, switching
from mailhost.mailstore.model import MAX_UID
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx
from tests.mailstore.labelled import check_counters, check_labels, placements_of
from tests.mailstore.test_switching import IN_FOLDERS, IN_LABELS, act, folders

NOW = 1_700_000_000
ACCOUNTS = count(19_000)
LABEL_FOLDERS = ("work/a", "[IMAP]/Sent", "[Gmail]/Trash", "Trash", "Archive")

ACTS = st.one_of(IN_FOLDERS, IN_LABELS, st.tuples(st.just("delete"), st.sampled_from(LABEL_FOLDERS)))


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two messages at a time."""
    monkeypatch.setattr(switching, "STEP", 2)
    monkeypatch.setattr(emptying, "STEP", 2)


class Killed(Exception):
    """The process is no more."""


class Between:
    """A store in which something happens before each write; it ends after so many of them."""

    def __init__(self, database: Database, happens: Callable[[], Awaitable[None]], writes: int = sys.maxsize) -> None:
        self._database = database
        self._happens = happens
        self._left = writes
        self.read = database.read

    async def write(self, work: Callable[..., object], *arguments: object) -> object:
        if self._left == 0:
            raise Killed
        self._left -= 1
        await self._happens()
        return await self._database.write(work, *arguments)


def check_moment(tx: Tx, account: int) -> None:
    """What holds at every moment of a switch: each message is somewhere, and labels show it once, or in one end."""
    check_counters(tx, account)
    if mailstore.layout_of(tx, account) is Layout.GMAIL:
        ends = {box.id for box in mailstore.list_mailboxes(tx, account) if box.special_use in ("\\Trash", "\\Junk")}
        for message, places in placements_of(tx, account).items():
            assert len(places) == 1 or not ends & places.keys(), f"message {message} is in Trash or Spam and elsewhere"
            assert len({flags & ~Flag.DELETED for _, flags in places.values()}) == 1


def shown(tx: Tx, account: int) -> dict[int, object]:
    """What each mailbox shows, but for the views, and what the account shows at all."""
    found: dict[int, object] = {0: set()}
    for box in mailstore.list_mailboxes(tx, account):
        rows = mailstore.live_rows(tx, account, box.id, 1, MAX_UID, ("uid", "internal_date", "flags"), 1_000)
        found[0] = found[0] | {row[1] for row in rows}
        if box.is_selectable and box.name != "Archive" and not box.special_use.endswith(("All", "Flagged", "Archive")):
            found[box.id] = (box.uid_validity, rows)
    return found


def wants(tx: Tx, account: int) -> Layout:
    """The layout that the account has or is on its way to."""
    [(layout, wanted)] = tx.execute(
        "select layout, switching from mail_account where account_id = :account", account=account
    )
    return Layout(wanted or layout)


@given(
    before=st.lists(st.one_of(IN_FOLDERS, IN_LABELS), max_size=15),
    meanwhile=st.lists(ACTS, max_size=15),
    labels_first=st.booleans(),
    minds=st.lists(st.integers(0, 9), max_size=2),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_others_write_between_the_steps(
    database: Database,
    blobs: Blobs,
    arrive,
    before: list[tuple],
    meanwhile: list[tuple],
    labels_first: bool,
    minds: list[int],
) -> None:
    account = next(ACCOUNTS)
    incoming = await arrive()
    acts: Iterator[tuple] = iter(meanwhile)

    def do(tx: Tx, step: tuple) -> None:
        names = {box.name for box in mailstore.list_mailboxes(tx, account)}
        match step:
            case ("delete", name):
                if name in names and not (
                    mailstore.layout_of(tx, account) is Layout.GMAIL and name.startswith("[Gmail]")
                ):
                    mailstore.delete_mailbox(tx, account, name, NOW)
            case ("label", *_) if "[Gmail]/All Mail" not in names:
                pass
            case _:
                act(tx, blobs, account, step, incoming)

    def begin(tx: Tx) -> None:
        mailstore.open_store(tx, account, NOW, shows_labels=labels_first)
        mailstore.create_mailbox(tx, account, "work/a")
        mailstore.set_label_settings(tx, account, mailstore.LabelSettings(auto_expunge=False))
        for step in before:
            do(tx, step)

    def happens(tx: Tx) -> None:
        check_moment(tx, account)
        mailstore.raise_modseq(tx, account)  # somebody writes all the time
        if (step := next(acts, None)) is not None:
            do(tx, step)
            check_moment(tx, account)

    await database.write(begin)
    layout = Layout.CLASSIC if labels_first else Layout.GMAIL
    for writes in minds:  # each time it is interrupted, and the owner wants the other layout after all
        between = Between(database, lambda: database.write(happens), writes)
        with suppress(Killed):
            await mailstore.switch_layout(between, account, layout, NOW)
        await database.write(check_moment, account)
        layout = Layout.GMAIL if layout is Layout.CLASSIC else Layout.CLASSIC
    await mailstore.switch_layout(Between(database, lambda: database.write(happens)), account, layout, NOW)
    assert await database.read(mailstore.layout_of, account) is layout
    assert account not in await database.read(mailstore.switching_accounts)
    while await database.write(mailstore.empty_more, account, NOW):
        pass
    await database.read(check_labels if layout is Layout.GMAIL else check_counters, account)


async def test_a_label_goes_before_its_message_came_to_all_mail(database, account, put) -> None:
    for mailbox in ("INBOX", "INBOX", "Archive"):
        await put(mailbox=mailbox, flags=Flag.FLAGGED)
    await database.write(switching.ask_layout, account, Layout.GMAIL)
    stage = await database.read(switching.look, account)
    assert await database.write(switching.end_stage, account, stage)
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    await database.write(mailstore.expunge, account, inbox.id, [(1, 1)], NOW, only_deleted=False)
    await database.write(mailstore.delete_mailbox, account, "Archive", NOW)
    await mailstore.finish_switch(database, account, NOW)
    await database.read(check_labels, account)
    for name, messages in (("INBOX", 1), ("[Gmail]/All Mail", 3), ("[Gmail]/Starred", 3)):
        assert (await database.read(mailstore.find_mailbox, account, name)).messages == messages


async def test_a_label_goes_after_its_message_left_all_mail(database, account, put) -> None:
    await database.write(mailstore.create_mailbox, account, "work")
    await put(mailbox="work")
    await mailstore.switch_layout(database, account, Layout.GMAIL, NOW)
    await database.write(switching.ask_layout, account, Layout.CLASSIC)
    stage = await database.read(switching.look, account)
    await database.write(switching.step, account, stage, stage.ids, NOW)
    assert (await database.read(mailstore.find_mailbox, account, "[Gmail]/All Mail")).messages == 0
    await database.write(mailstore.delete_mailbox, account, "work", NOW)
    await mailstore.finish_switch(database, account, NOW)
    assert (await database.read(mailstore.find_mailbox, account, "All Mail")).messages == 1


async def test_names_change_only_where_nothing_slipped_in(database, blobs, account, arrive, put) -> None:
    incoming = await arrive()

    async def slip(layout: Layout, *step: object) -> None:
        await database.write(switching.ask_layout, account, layout)
        while (stage := await database.read(switching.look, account)).ids:
            await database.write(switching.step, account, stage, stage.ids, NOW)
        await database.write(act, blobs, account, step, incoming)
        assert not await database.write(switching.end_stage, account, stage)
        await mailstore.finish_switch(database, account, NOW)

    await put()
    await slip(Layout.GMAIL, "copy", "INBOX", "Trash", [1])
    await database.read(check_labels, account)
    await slip(Layout.CLASSIC, "append", "INBOX", Flag.FLAGGED)
    assert (await database.read(mailstore.find_mailbox, account, "INBOX")).messages == 2
    names = {box.name: box.messages for box in await database.read(mailstore.list_mailboxes, account)}
    assert (names["Archive"], names.keys() & {"All Mail", "[Gmail]/Starred"}) == (0, set())


async def letters(database: Database, blobs: Blobs, account: int, arrive) -> None:
    """An account with copies, stars and archived mail; each letter has a date of its own."""
    await database.write(mailstore.open_store, account, NOW)
    incoming = await arrive()

    def work(tx: Tx) -> None:
        mailstore.create_mailbox(tx, account, "work")
        names = {box.name: box.id for box in mailstore.list_mailboxes(tx, account)}
        for number in range(12):
            box = ("INBOX", "work", "Archive", "Trash", "Sent", "Junk")[number % 6]
            flags = Flag.FLAGGED if number % 5 == 0 else Flag.SEEN
            mailstore.append(tx, blobs, account, names[box], [NewMessage(incoming, NOW + number, flags=flags)], NOW)
        for source, target in (("INBOX", "work"), ("INBOX", "Trash"), ("work", "work")):
            mailstore.copy(tx, account, names[source], names[target], [(1, 2)], NOW)

    await database.write(work)


@pytest.mark.parametrize("undoes", [False, True])
async def test_a_kill_between_any_two_steps_shows_the_same_mail(database, blobs, arrive, undoes: bool) -> None:
    account = next(ACCOUNTS)
    await letters(database, blobs, account, arrive)
    before = await database.read(folders, account)
    mail = await database.read(shown, account)

    async def look() -> None:
        now = await database.read(shown, account)
        assert now[0] == mail[0]
        assert {box: now[box] for box in mail if box in now} == mail
        await database.read(check_moment, account)

    async def switch(layout: Layout, writes: int) -> bool:
        try:
            await mailstore.switch_layout(Between(database, look, writes), account, layout, NOW)
        except Killed:
            return False
        return True

    kills = 0
    for layout in (Layout.GMAIL, Layout.CLASSIC):
        back = Layout.CLASSIC if layout is Layout.GMAIL else Layout.GMAIL
        for writes in range(1, 100):
            is_whole = await switch(layout, writes)
            await look()
            if is_whole:
                break
            kills += 1
            assert await database.read(wants, account) is layout
            assert await database.read(mailstore.switching_accounts) == [account]
            if undoes:
                assert await switch(back, 100)
                await look()
            else:
                await mailstore.finish_switch(database, account, NOW)
                await look()
                assert await switch(back, 100)
        if layout is Layout.GMAIL:
            await database.read(check_labels, account)
    assert kills > 10
    assert await database.read(folders, account) == before


WRITER = """
import asyncio, os, sys
from mailhost import mailstore
from mailhost.mailstore import Layout, switching
from mailhost.storage.database import open_database

switching.STEP = 1

class Told:
    def __init__(self, database):
        self.database, self.read = database, database.read

    async def write(self, work, *arguments):
        done = await self.database.write(work, *arguments)
        os.write(1, b"step\\n")
        return done

async def main(url, account):
    database = await open_database(url)
    for layout in (Layout.GMAIL, Layout.CLASSIC) * 100:
        await mailstore.switch_layout(Told(database), int(account), layout, 1_700_000_000)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("steps", [4, 11, 19, 26])
async def test_kill_9_between_two_steps(database, database_url, blobs, arrive, steps: int) -> None:
    account = next(ACCOUNTS)
    await letters(database, blobs, account, arrive)
    mail = await database.read(shown, account)
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, database_url, str(account), stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    for _ in range(steps):
        assert await writer.stdout.readline() == b"step\n"
    writer.kill()
    await writer.wait()
    now = await database.read(shown, account)
    assert now[0] == mail[0]
    assert {box: now[box] for box in mail if box in now} == mail
    await database.read(check_moment, account)
    for unfinished in await database.read(mailstore.switching_accounts):
        await mailstore.finish_switch(database, unfinished, NOW)
    await mailstore.switch_layout(database, account, Layout.GMAIL, NOW)
    await database.read(check_labels, account)
