"""The store agrees with a dict: random changes on both engines, every row and counter compared after each."""

from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailhost import mailstore
from mailhost.mailstore import Flag, FlagChange, Intake, NewMessage, NoSuchMailbox
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx

NOW = 1_700_000_000
BOXES = ("INBOX", "Sent", "Archive", "work/a")
ACCOUNTS = count(1000)

FLAG_BITS = st.sampled_from([0, 1, 2, 4, 16, 17, 5])
UIDS = st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True).map(sorted)
BOX = st.sampled_from(BOXES)
STEPS = st.one_of(
    st.tuples(st.just("append"), BOX, st.integers(1, 3), FLAG_BITS),
    st.tuples(st.just("copy"), BOX, BOX, UIDS),
    st.tuples(st.just("move"), BOX, BOX, UIDS),
    st.tuples(st.just("store"), BOX, UIDS, FLAG_BITS, FLAG_BITS, st.booleans()),
    st.tuples(st.just("expunge"), BOX, UIDS, st.booleans()),
    st.tuples(st.just("recreate"), st.sampled_from(("Archive", "work/a"))),
    st.tuples(st.just("restore")),
)


@dataclass
class Box:
    uid_next: int = 1
    placed: dict[int, int] = field(default_factory=dict)  # uid -> message
    deleted: set[int] = field(default_factory=set)


@dataclass
class Model:
    """What should be there: messages share their flags, but for \\Deleted."""

    boxes: dict[str, Box] = field(default_factory=lambda: {name: Box() for name in BOXES})
    flags: dict[int, int] = field(default_factory=dict)  # message -> flags without \Deleted
    home: dict[int, str] = field(default_factory=dict)  # removed message -> where it was last
    next_message: int = 1

    def append(self, box: str, number: int, flags: int) -> None:
        for _ in range(number):
            message = self.next_message
            self.next_message += 1
            self.flags[message] = flags & ~Flag.DELETED
            self._place(box, message, bool(flags & Flag.DELETED))

    def copy(self, source: str, target: str, uids: list[int], *, moves: bool) -> None:
        found = [uid for uid in uids if uid in self.boxes[source].placed]
        for uid in found:
            was_deleted = uid in self.boxes[source].deleted
            self._place(target, self.boxes[source].placed[uid], was_deleted and not moves)
        if moves:
            for uid in found:
                del self.boxes[source].placed[uid]
                self.boxes[source].deleted.discard(uid)

    def store(self, name: str, uids: list[int], set_: int, clear: int, *, replaces: bool) -> None:
        box = self.boxes[name]
        for uid in [uid for uid in uids if uid in box.placed]:
            message = box.placed[uid]
            before = self.flags[message] | (Flag.DELETED if uid in box.deleted else 0)
            after = set_ if replaces else (before & ~clear) | set_
            self.flags[message] = after & ~Flag.DELETED
            (box.deleted.add if after & Flag.DELETED else box.deleted.discard)(uid)

    def expunge(self, name: str, uids: list[int], *, only_deleted: bool) -> None:
        box = self.boxes[name]
        for uid in uids:
            if uid in box.placed and (uid in box.deleted or not only_deleted):
                message = box.placed.pop(uid)
                box.deleted.discard(uid)
                if not self._is_placed(message):
                    self.home[message] = name

    def recreate(self, name: str) -> None:
        self.expunge(name, list(self.boxes[name].placed), only_deleted=False)
        self.boxes[name] = Box()
        self.home = {message: "INBOX" if box == name else box for message, box in self.home.items()}

    def restore(self) -> None:
        for message in sorted(self.home, reverse=True):
            self._place(self.home[message], message, was_deleted=False)
        self.home.clear()

    def _place(self, name: str, message: int, was_deleted: bool) -> None:
        box = self.boxes[name]
        box.placed[box.uid_next] = message
        if was_deleted:
            box.deleted.add(box.uid_next)
        box.uid_next += 1

    def _is_placed(self, message: int) -> bool:
        return any(message in box.placed.values() for box in self.boxes.values())


Shown = dict[str, tuple[int, dict[int, tuple[int, int]]]]
"""Mailbox → (UIDNEXT, uid → (message, flags))."""


def shown(model: Model) -> Shown:
    return {
        name: (
            box.uid_next,
            {
                uid: (message, model.flags[message] | (Flag.DELETED if uid in box.deleted else 0))
                for uid, message in sorted(box.placed.items())
            },
        )
        for name, box in model.boxes.items()
    }


def read_back(tx: Tx, account: int) -> Shown:
    """The store as the model shows itself; counters are held against the rows on the way."""
    result: Shown = {}
    total = 0
    for name in BOXES:
        mailbox = mailstore.find_mailbox(tx, account, name)
        columns = ("uid", "message_id", "flags", "octets")
        rows = mailstore.live_rows(tx, account, mailbox.id, 1, 2**32, columns, 1_000)
        assert mailbox.messages == len(rows)
        assert mailbox.unseen == sum(not row[2] & Flag.SEEN for row in rows)
        assert mailbox.deleted == sum(bool(row[2] & Flag.DELETED) for row in rows)
        assert mailbox.octets == sum(row[3] for row in rows)
        total += len({row[1] for row in rows})
        result[name] = (mailbox.uid_next, {row[0]: (row[1], row[2]) for row in rows})
    distinct = {message for _, rows in result.values() for message, _ in rows.values()}
    assert mailstore.usage(tx, account).used_messages == len(distinct)
    assert (mailstore.usage(tx, account).used_octets == 0) == (not distinct)
    return result


def check_changes(tx: Tx, account: int, before: Shown, after: Shown, known: dict[str, tuple[int, int]]) -> None:
    """`changes` tells exactly the difference of two moments, to whoever knew the first."""
    for name in BOXES:
        mailbox = mailstore.find_mailbox(tx, account, name)
        mailbox_id, modseq = known[name]
        if mailbox.id != mailbox_id:
            continue
        uid_next, old = before[name]
        new = after[name][1]
        news = mailstore.changes(tx, account, mailbox.id, modseq, uid_next)
        assert news.vanished == [uid for uid in old if uid not in new]
        assert news.arrived == [uid for uid in new if uid >= uid_next]
        told = {uid: flags for uid, _, flags in news.flags}
        assert told.items() >= {uid: new[uid][1] for uid in old if uid in new and old[uid] != new[uid]}.items()
        assert all(told[uid] == new[uid][1] for uid in told)
        assert all(modseq < changed <= news.highest_modseq for _, changed, _ in news.flags)


@given(steps=st.lists(STEPS, max_size=25))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_store_agrees_with_a_dict(database: Database, blobs: Blobs, steps: list[tuple]) -> None:
    account = next(ACCOUNTS)
    incoming = await make_incoming(blobs)
    model = Model()

    def start(tx: Tx) -> None:
        mailstore.open_store(tx, account, NOW)
        mailstore.create_mailbox(tx, account, "work/a")

    def act(tx: Tx, step: tuple) -> None:
        match step:
            case ("append", box, number, flags):
                target = mailstore.find_mailbox(tx, account, box)
                messages = [NewMessage(incoming, NOW, flags=flags)] * number
                mailstore.append(tx, blobs, account, target.id, messages, NOW)
            case ("copy" | "move" as kind, source, target, uids):
                work = mailstore.move if kind == "move" else mailstore.copy
                from_, to = (mailstore.find_mailbox(tx, account, name).id for name in (source, target))
                work(tx, account, from_, to, [(uid, uid) for uid in uids], NOW)
            case ("store", box, uids, set_, clear, replaces):
                mailbox = mailstore.find_mailbox(tx, account, box)
                change = FlagChange(set_, (), clear, (), replaces=replaces)
                mailstore.store_flags(tx, account, mailbox.id, [(uid, uid) for uid in uids], change, now=NOW)
            case ("expunge", box, uids, only_deleted):
                mailbox = mailstore.find_mailbox(tx, account, box)
                ranges = [(uid, uid) for uid in uids]
                mailstore.expunge(tx, account, mailbox.id, ranges, NOW, only_deleted=only_deleted)
            case ("recreate", box):
                mailstore.delete_mailbox(tx, account, box, NOW)
                with pytest.raises(NoSuchMailbox):
                    mailstore.find_mailbox(tx, account, box)
                mailstore.create_mailbox(tx, account, box)
            case ("restore",):
                removed = sorted((row[0] for row in mailstore.removed_messages(tx, account, 0)), reverse=True)
                mailstore.restore_removed(tx, account, removed, NOW)

    await database.write(start)
    before = shown(model)
    for step in steps:
        known = await database.read(moments, account)
        await database.write(act, step)
        match step:
            case ("append", box, number, flags):
                model.append(box, number, flags)
            case ("copy" | "move" as kind, source, target, uids):
                model.copy(source, target, uids, moves=kind == "move")
            case ("store", box, uids, set_, clear, replaces):
                model.store(box, uids, set_, clear, replaces=replaces)
            case ("expunge", box, uids, only_deleted):
                model.expunge(box, uids, only_deleted=only_deleted)
            case ("recreate", box):
                model.recreate(box)
            case ("restore",):
                model.restore()
        after = await database.read(read_back, account)
        assert after == shown(model)
        await database.read(check_changes, account, before, after, known)
        before = after


def moments(tx: Tx, account: int) -> dict[str, tuple[int, int]]:
    boxes = [mailstore.find_mailbox(tx, account, name) for name in BOXES]
    return {box.name: (box.id, box.highest_modseq) for box in boxes}


async def make_incoming(blobs: Blobs, content: bytes = b"Subject: one\r\n\r\nbody\r\n") -> mailstore.Incoming:
    intake = Intake(blobs, 10_000_000, normalise=True)
    intake.write(content)
    return await intake.finish()
