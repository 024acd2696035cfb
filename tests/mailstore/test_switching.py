"""From one layout to the other and back: nothing is lost, and what both have keeps its UIDs and UIDVALIDITY."""

from itertools import count, pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailhost import mailstore
from mailhost.mailstore import Flag, FlagChange, LabelSettings, Layout, NewMessage
from mailhost.mailstore.labelling import LabelChange, LabelMode, label_names, store_labels
from mailhost.mailstore.model import MAX_UID
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx
from tests.mailstore.labelled import check_counters, check_labels, check_told, moment, placements_of, set_layout

NOW = 1_700_000_000
ACCOUNTS = count(9000)
FOLDERS = ("INBOX", "Sent", "Drafts", "Junk", "Trash", "Archive", "Sent/2025", "[Gmail]/Trash", "work/a")
GONE_WITH_LABELS = {"[Gmail]", "[Gmail]/All Mail", "[Gmail]/Starred", "[Gmail]/Important"}

UIDS = st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True).map(sorted)
FLAG_BITS = st.sampled_from([1, 2, 4, 16, 5])
IN_FOLDERS = st.one_of(
    st.tuples(st.just("append"), st.sampled_from(FOLDERS), FLAG_BITS),
    st.tuples(st.just("append"), st.sampled_from(FOLDERS), FLAG_BITS),
    st.tuples(st.just("copy"), st.sampled_from(FOLDERS), st.sampled_from(FOLDERS), UIDS),
    st.tuples(st.just("store"), st.sampled_from(FOLDERS), UIDS, FLAG_BITS),
    st.tuples(st.just("expunge"), st.sampled_from(FOLDERS), UIDS),
    st.tuples(st.just("unsubscribe"), st.sampled_from(FOLDERS)),
    st.tuples(st.just("rename"), st.sampled_from(("Sent", "Trash")), st.sampled_from(("Gesendet", "work/b"))),
)
LABELS = ("\\Inbox", "\\Starred", "\\Important", "\\Sent", "\\Draft", "\\Spam", "\\Trash", "Archive", "Junk", "a/b")
IN_LABELS = st.one_of(
    st.tuples(st.just("append"), st.sampled_from(("INBOX", "[Gmail]/All Mail", "[Gmail]/Spam")), FLAG_BITS),
    st.tuples(st.just("label"), UIDS, st.sampled_from(LabelMode), st.lists(st.sampled_from(LABELS), max_size=2)),
    st.tuples(st.just("store"), st.just("[Gmail]/All Mail"), UIDS, FLAG_BITS),
)


def act(tx: Tx, blobs: Blobs, account: int, step: tuple, incoming: mailstore.Incoming) -> None:
    names = {box.name: box.id for box in mailstore.list_mailboxes(tx, account)}
    match step:
        case ("append", box, flags) if box in names:
            mailstore.append(tx, blobs, account, names[box], [NewMessage(incoming, NOW, flags=flags)], NOW)
        case ("copy", source, target, uids) if source in names and target in names:
            mailstore.copy(tx, account, names[source], names[target], [(uid, uid) for uid in uids], NOW)
        case ("store", box, uids, flags) if box in names:
            change = FlagChange(set_flags=flags)
            mailstore.store_flags(tx, account, names[box], [(uid, uid) for uid in uids], change, now=NOW)
        case ("expunge", box, uids) if box in names:
            mailstore.expunge(tx, account, names[box], [(uid, uid) for uid in uids], NOW, only_deleted=False)
        case ("label", uids, mode, labels):
            all_mail = names["[Gmail]/All Mail"]
            change = LabelChange(mode, tuple(labels))
            store_labels(tx, account, all_mail, [(uid, uid) for uid in uids], change, now=NOW)
        case ("unsubscribe", name):
            mailstore.unsubscribe(tx, account, name)
        case ("rename", old, new) if old in names and new not in names:
            mailstore.rename_mailbox(tx, account, old, new)


def folders(tx: Tx, account: int) -> dict[str, object]:
    """All that a client sees of an account, and what it stores."""
    found: dict[str, object] = {}
    for box in mailstore.list_mailboxes(tx, account):
        columns = ("uid", "flags", "blob", "internal_date", "octets")
        rows = mailstore.live_rows(tx, account, box.id, 1, MAX_UID, columns, 1_000)
        found[box.name] = (box.uid_validity, box.uid_next, box.special_use, box.is_selectable, box.unseen, rows)
    found["subscriptions"] = mailstore.subscriptions(tx, account)
    found["usage"] = mailstore.usage(tx, account)
    return found


def labels(tx: Tx, account: int) -> dict[str, object]:
    """The same of an account that shows labels, but for the UIDs in views, and with the labels of each message."""
    names = label_names(tx, account)
    found: dict[str, object] = {
        name: value for name, value in folders(tx, account).items() if name not in GONE_WITH_LABELS
    }
    found["labels"] = {
        message: sorted(names.get(box, "") for box in places) for message, places in placements_of(tx, account).items()
    }
    return found


@given(steps=st.lists(IN_FOLDERS, max_size=20))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_folders_to_labels_and_back(database: Database, blobs: Blobs, arrive, steps: list[tuple]) -> None:
    account = next(ACCOUNTS)
    incoming = await arrive()

    def work(tx: Tx) -> None:
        mailstore.open_store(tx, account, NOW)
        for name in ("Sent/2025", "[Gmail]/Trash", "work/a"):
            mailstore.create_mailbox(tx, account, name)
        for step in steps:
            act(tx, blobs, account, step, incoming)
        mailstore.set_label_settings(tx, account, LabelSettings(auto_expunge=False))
        before, known = folders(tx, account), moment(tx, account)
        set_layout(tx, account, Layout.GMAIL, NOW)
        check_labels(tx, account)
        check_told(tx, account, known)
        listed = {box.uid_validity for box in mailstore.list_mailboxes(tx, account)}
        assert listed > {value[0] for name, value in before.items() if isinstance(value, tuple) and name != "[Gmail]"}
        set_layout(tx, account, Layout.CLASSIC, NOW)
        check_counters(tx, account)
        assert folders(tx, account) == before

    await database.write(work)


@given(steps=st.lists(IN_LABELS, max_size=20))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_labels_to_folders_and_back(database: Database, blobs: Blobs, arrive, steps: list[tuple]) -> None:
    account = next(ACCOUNTS)
    incoming = await arrive()

    def work(tx: Tx) -> None:
        mailstore.open_store(tx, account, NOW, shows_labels=True)
        for step in steps:
            act(tx, blobs, account, step, incoming)
        before, known = labels(tx, account), moment(tx, account)
        set_layout(tx, account, Layout.CLASSIC, NOW)
        check_counters(tx, account)
        check_told(tx, account, known)
        names = {box.name for box in mailstore.list_mailboxes(tx, account)}
        assert {"INBOX", "Sent", "Drafts", "Junk", "Trash", "Archive"} <= names
        assert not any(name.startswith("[Gmail]") for name in names)
        set_layout(tx, account, Layout.GMAIL, NOW)
        check_labels(tx, account)
        assert labels(tx, account) == before

    await database.write(work)


async def test_what_nobody_touched_in_between_may_still_change(database: Database, blobs: Blobs, arrive) -> None:
    account = next(ACCOUNTS)
    incoming = await arrive()

    def work(tx: Tx) -> None:
        mailstore.open_store(tx, account, NOW)
        for step in (("append", "INBOX", 1), ("copy", "INBOX", "Trash", [1]), ("copy", "INBOX", "INBOX", [1])):
            act(tx, blobs, account, step, incoming)
        assert mailstore.usage(tx, account).used_messages == 1
        set_layout(tx, account, Layout.GMAIL, NOW)
        assert mailstore.usage(tx, account).used_messages == 3
        act(tx, blobs, account, ("store", "[Gmail]/Trash", [1], int(Flag.ANSWERED)), incoming)
        act(tx, blobs, account, ("expunge", "INBOX", [2]), incoming)  # archived: the second copy is in All Mail only
        set_layout(tx, account, Layout.CLASSIC, NOW)
        check_counters(tx, account)
        shown = {name: value[-1] for name, value in folders(tx, account).items() if isinstance(value, tuple)}
        assert [row[:2] for row in shown["INBOX"]] == [(1, 1)]
        assert [row[:2] for row in shown["Trash"]] == [(1, 3)]
        assert [row[1] for row in shown["All Mail"]] == [1]
        set_layout(tx, account, Layout.GMAIL, NOW)
        check_labels(tx, account)
        assert mailstore.find_mailbox(tx, account, "[Gmail]/All Mail").messages == 1  # the copies are joined

    await database.write(work)


async def test_joining_many_copies_takes_few_statements(database, account, put) -> None:
    for _ in range(3):
        await put()
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    for _ in range(7):
        await database.write(mailstore.copy, account, inbox.id, inbox.id, [(1, MAX_UID)], NOW)
    before = await database.read(mailstore.usage, account)
    await database.write(mailstore.set_quota, account, 10**9)
    await database.write(set_layout, account, Layout.GMAIL, NOW)
    assert (await database.read(mailstore.usage, account)).used_messages == 3 * 2**7
    statements = database.queries
    await database.write(set_layout, account, Layout.CLASSIC, NOW)
    assert database.queries - statements < 150  # for 381 of them
    after = await database.read(mailstore.usage, account)
    assert (after.used_messages, after.used_octets) == (before.used_messages, before.used_octets)
    assert (await database.read(mailstore.find_mailbox, account, "INBOX")).messages == 3 * 2**7


class Planned:
    """A transaction that notes how SQLite goes about what is asked of it."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.plans: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._tx, name)

    def execute(self, sql: str, /, **values: object) -> list[tuple]:
        if self._tx.engine == "sqlite":
            self.plans += [row[-1] for row in self._tx.execute("explain query plan " + sql, **values)]
        return self._tx.execute(sql, **values)


async def test_no_message_costs_a_walk_through_all_placements(database, account, put) -> None:
    for _ in range(3):
        await put()
    inbox = await database.read(mailstore.find_mailbox, account, "INBOX")
    await database.write(mailstore.copy, account, inbox.id, inbox.id, [(1, 3)], NOW)

    def there_and_back(tx: Tx) -> list[str]:
        planned = Planned(tx)
        for layout in (Layout.GMAIL, Layout.CLASSIC):
            set_layout(planned, account, layout, NOW)
        return planned.plans

    plans = await database.write(there_and_back)
    # What follows these words is done for every row.
    inner = [plan for before, plan in pairwise(plans) if before.startswith("CORRELATED")]
    assert not [plan for plan in inner if "PRIMARY KEY (account_id=?)" in plan], inner
