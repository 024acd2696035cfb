"""The gmail layout agrees with a model of labels: random changes on both engines, every row looked at after each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailhost import mailstore
from mailhost.mailstore import Flag, FlagChange, LabelSettings, Layout, NewMessage, OnExpunge
from mailhost.mailstore.knowing import KnownMailboxes
from mailhost.mailstore.labelling import LabelChange, LabelMode, store_labels
from mailhost.storage.blobs import Blobs
from mailhost.storage.database import Database, Tx
from tests.mailstore.labelled import check_known, check_labels, check_told, moment, placements_of, set_layout

NOW = 1_700_000_000
ACCOUNTS = count(5000)
NAMES = {
    "inbox": "INBOX",
    "all": "[Gmail]/All Mail",
    "starred": "[Gmail]/Starred",
    "important": "[Gmail]/Important",
    "sent": "[Gmail]/Sent Mail",
    "drafts": "[Gmail]/Drafts",
    "spam": "[Gmail]/Spam",
    "trash": "[Gmail]/Trash",
    "work": "work",
    "deep": "a/b",
}
WIRE = {
    "inbox": "\\Inbox",
    "starred": "\\starred",
    "important": "\\Important",
    "sent": "\\Sent",
    "drafts": "\\Draft",
    "spam": "\\Spam",
    "trash": "\\Trash",
    "work": "work",
    "deep": "a/b",
}
ENDS = {"spam", "trash"}
SETTINGS = (
    LabelSettings(),
    LabelSettings(auto_expunge=False),
    LabelSettings(auto_expunge=False, on_expunge=OnExpunge.TRASH),
    LabelSettings(auto_expunge=False, on_expunge=OnExpunge.DELETE),
)

BOX = st.sampled_from(sorted(NAMES))
PICKS = st.lists(st.integers(0, 7), min_size=1, max_size=3, unique=True)
FLAGS = st.sampled_from([0, 1, 4, 16, 5, 20])
LABELS = st.lists(st.sampled_from(sorted(WIRE)), max_size=2, unique=True)
STEPS = st.one_of(
    st.tuples(st.just("append"), BOX, FLAGS),
    st.tuples(st.just("copy"), BOX, BOX, PICKS),
    st.tuples(st.just("move"), BOX, BOX, PICKS),
    st.tuples(st.just("store"), BOX, PICKS, FLAGS, FLAGS, st.booleans()),
    st.tuples(st.just("label"), BOX, PICKS, st.sampled_from(LabelMode), LABELS),
    st.tuples(st.just("expunge"), BOX, PICKS, st.booleans()),
    st.tuples(st.just("delete"), st.sampled_from(("work", "deep"))),
    st.tuples(st.just("settings"), st.sampled_from(SETTINGS)),
    st.tuples(st.just("restore")),
    st.tuples(st.just("switch")),
)


@dataclass
class Message:
    labels: set[str] = field(default_factory=set)  # never "all" or "starred"; one of ENDS stands alone
    flags: int = 0
    marked: set[str] = field(default_factory=set)  # where it is \Deleted

    def boxes(self) -> set[str]:
        if self.labels & ENDS:
            return self.labels
        return self.labels | {"all"} | ({"starred"} if self.flags & Flag.FLAGGED else set())


class Model:
    """Labels as a person would explain them."""

    def __init__(self) -> None:
        self.live: dict[int, Message] = {}
        self.removed: dict[int, Message] = {}
        self.next_id = 1
        self.settings = LabelSettings()

    def add(self, message: Message, label: str) -> None:
        if label in message.boxes():
            return
        if label in ENDS:
            message.labels = {label}
        else:
            message.labels -= ENDS
            if label == "starred":
                message.flags |= Flag.FLAGGED
            elif label != "all":
                message.labels.add(label)
        message.marked &= message.boxes()

    def remove(self, message: Message, label: str) -> None:
        if label == "starred" and "starred" in message.boxes():
            message.flags &= ~Flag.FLAGGED
        if label not in ENDS:
            message.labels.discard(label)
        message.marked &= message.boxes()

    def star(self, message: Message, flags: int) -> None:
        message.flags = message.flags & ~Flag.FLAGGED | flags
        message.marked &= message.boxes()

    def erase(self, number: int) -> None:
        self.removed[number] = self.live.pop(number)
        self.removed[number].marked = set()

    def expunge(self, box: str, number: int) -> None:
        message = self.live[number]
        behaviour = OnExpunge.ARCHIVE if self.settings.auto_expunge else self.settings.on_expunge
        if box in ENDS or (box == "drafts" and not message.labels - {box, "important"}):
            self.erase(number)
        elif box == "drafts":
            self.remove(message, box)
        elif box == "all" and behaviour is OnExpunge.ARCHIVE:
            message.marked.discard("all")
        elif box == "all" or (
            behaviour is not OnExpunge.ARCHIVE
            and box not in ("starred", "important")
            and not message.labels - {box, "important"}
        ):
            if behaviour is OnExpunge.TRASH:
                self.add(message, "trash")
            else:
                self.erase(number)
        else:
            self.remove(message, box)

    def append(self, box: str, flags: int) -> None:
        message = Message(flags=flags & ~Flag.DELETED)
        self.live[self.next_id] = message
        self.add(message, box)
        if flags & Flag.DELETED:
            message.marked.add(box)
            self._obey_marks(box, [self.next_id])
        self.next_id += 1

    def copy(self, source: str, target: str, numbers: Sequence[int], *, moves: bool) -> None:
        for number in numbers:
            self.add(self.live[number], target)
            if moves and source != target:
                self.remove(self.live[number], source)

    def store(self, box: str, numbers: Sequence[int], set_: int, clear: int, *, replaces: bool) -> None:
        for number in numbers:
            message = self.live[number]
            before = message.flags | (Flag.DELETED if box in message.marked else 0)
            after = set_ if replaces else (before & ~clear) | set_
            message.flags = after & ~Flag.DELETED
            (message.marked.add if after & Flag.DELETED else message.marked.discard)(box)
        if (set_ | clear) & (Flag.FLAGGED | Flag.DELETED) or replaces:
            self._obey_marks(box, numbers)
        for number in numbers:
            if number in self.live:
                self.live[number].marked &= self.live[number].boxes()

    def _obey_marks(self, box: str, numbers: Sequence[int]) -> None:
        if self.settings.auto_expunge:
            for number in numbers:
                if box in self.live[number].marked and box in self.live[number].boxes():
                    self.expunge(box, number)

    def label(self, box: str, numbers: Sequence[int], mode: LabelMode, names: Sequence[str]) -> None:
        for number in numbers:
            message = self.live[number]
            if mode is LabelMode.REMOVE:
                for each in names:
                    if each != box:
                        self.unlabel(message, each)
                continue
            for each in sorted(names, key=lambda each: each in ENDS):
                if each == "starred":
                    self.star(message, Flag.FLAGGED)
                else:
                    self.add(message, each)
            if mode is LabelMode.REPLACE and not set(names) & ENDS:
                for each in (message.boxes() | {"starred"}) - {*names, box, "all"}:
                    self.unlabel(message, each)

    def unlabel(self, message: Message, label: str) -> None:
        if label == "starred":
            self.star(message, 0)
        else:
            self.remove(message, label)

    def shown(self) -> dict[int, tuple[frozenset[str], int, frozenset[str]]]:
        return {
            number: (frozenset(message.boxes()), message.flags, frozenset(message.marked))
            for number, message in self.live.items()
        }


def read_back(tx: Tx, account: int) -> dict[int, tuple[frozenset[str], int, frozenset[str]]]:
    by_name = {name: key for key, name in NAMES.items()}
    keys = {box.id: by_name.get(box.name, box.name) for box in mailstore.list_mailboxes(tx, account)}
    return {
        number: (
            frozenset(keys[box] for box in places),
            next(iter(places.values()))[1] & ~Flag.DELETED,
            frozenset(keys[box] for box, (_, flags) in places.items() if flags & Flag.DELETED),
        )
        for number, places in placements_of(tx, account).items()
    }


def picked(model: Model, box: str, picks: list[int]) -> list[int]:
    inside = [number for number, message in sorted(model.live.items()) if box in message.boxes()]
    return [inside[pick] for pick in picks if pick < len(inside)]


def take_step(tx: Tx, blobs: Blobs, account: int, step: tuple, numbers: list[int], message: NewMessage) -> None:
    def box_id(key: str) -> int:
        return mailstore.find_mailbox(tx, account, NAMES[key]).id

    def ranges(key: str) -> list[tuple[int, int]]:
        places = placements_of(tx, account)
        uids = sorted(places[number][box_id(key)][0] for number in numbers)
        return [(uid, uid) for uid in uids]

    match step:
        case ("append", box, _):
            mailstore.append(tx, blobs, account, box_id(box), [message], NOW)
        case ("copy" | "move" as kind, source, target, _):
            work = mailstore.move if kind == "move" else mailstore.copy
            copied = work(tx, account, box_id(source), box_id(target), ranges(source), NOW)
            assert len(copied.source_uids) == len(copied.target_uids) == len(numbers)
        case ("store", box, _, set_, clear, replaces):
            change = FlagChange(set_, (), clear, (), replaces=replaces)
            mailstore.store_flags(tx, account, box_id(box), ranges(box), change, now=NOW)
        case ("label", box, _, mode, names):
            change = LabelChange(mode, tuple(WIRE[name] for name in names))
            store_labels(tx, account, box_id(box), ranges(box), change, now=NOW)
        case ("expunge", box, _, only_deleted):
            mailstore.expunge(tx, account, box_id(box), ranges(box), NOW, only_deleted=only_deleted)
        case ("delete", box):
            mailstore.delete_mailbox(tx, account, NAMES[box], NOW)
            mailstore.create_mailbox(tx, account, NAMES[box])
        case ("settings", chosen):
            mailstore.set_label_settings(tx, account, chosen)
        case ("restore",):
            mailstore.restore_removed(tx, account, numbers, NOW)
        case ("switch",):
            set_layout(tx, account, Layout.CLASSIC, NOW)
            set_layout(tx, account, Layout.GMAIL, NOW)


def follow(model: Model, step: tuple, numbers: list[int]) -> None:
    match step:
        case ("append", box, flags):
            model.append(box, flags)
        case ("copy" | "move" as kind, source, target, _):
            model.copy(source, target, numbers, moves=kind == "move")
        case ("store", box, _, set_, clear, replaces):
            model.store(box, numbers, set_, clear & ~set_, replaces=replaces)
        case ("label", box, _, mode, names):
            model.label(box, numbers, mode, names)
        case ("expunge", box, _, only_deleted):
            for number in numbers:
                if not only_deleted or box in model.live[number].marked:
                    model.expunge(box, number)
        case ("delete", box):
            for message in model.live.values():
                model.remove(message, box)
        case ("settings", chosen):
            model.settings = chosen
        case ("switch",):
            for message in model.live.values():  # a view that folders do not have forgets what was marked in it
                message.marked -= {"all", "starred"} if message.labels else {"starred"}


@given(steps=st.lists(STEPS, max_size=25))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_labels_agree_with_a_model(database: Database, blobs: Blobs, arrive, steps: list[tuple]) -> None:
    account = next(ACCOUNTS)
    incoming = await arrive()
    model = Model()
    known = KnownMailboxes(database)

    def start(tx: Tx) -> None:
        mailstore.open_store(tx, account, NOW, shows_labels=True)
        for name in ("work", "a/b"):
            mailstore.create_mailbox(tx, account, name)

    def act(tx: Tx, step: tuple, numbers: list[int]) -> None:
        flags = step[2] if step[0] == "append" else 0
        before = moment(tx, account)
        take_step(tx, blobs, account, step, numbers, NewMessage(incoming, NOW, flags=flags))
        check_labels(tx, account)
        check_told(tx, account, before)

    await database.write(start)
    for step in steps:
        if step[0] == "settings" and step[1].auto_expunge and any(each.marked for each in model.live.values()):
            continue  # what was marked before stays marked until somebody expunges it
        numbers = sorted(model.removed) if step == ("restore",) else []
        if step[0] in ("copy", "move", "store", "label", "expunge"):
            numbers = picked(model, step[1], step[3] if step[0] in ("copy", "move") else step[2])
        await database.write(act, step, numbers)
        await check_known(database, known, account)
        follow(model, step, numbers)
        shown = await database.read(read_back, account)
        if step == ("restore",):
            # They come back to where they were last, at least to All Mail or to Trash: the rows tell.
            assert shown.keys() == model.live.keys() | set(numbers)
            for number in numbers:
                labels = set(shown[number][0]) - {"all", "starred"}
                model.live[number] = Message(labels, shown[number][1])
                del model.removed[number]
        assert shown == model.shown(), step
