"""Three programs on one account, each with its own copy of it, and with changes made while it was away.

Thunderbird compresses, goes by CONDSTORE, moves by UID MOVE and labels by keywords. One resynchronises as interimap
does: by QRESYNC, with names in UTF-8. A plain one knows no extension and moves by COPY; it ends lines with a bare LF.
"""

import random
import re
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from mailhost.protocols.imap.names import decode_name
from tests.clients.mail import letter
from tests.clients.raw import RawImap, fill_many, names_in, subject_and_flags, subscribe, whole_account
from tests.running import Account, Server

FLAGS = (r"\Seen", r"\Flagged", r"\Answered", "$label1", "$Forwarded")
_FIXED = ("INBOX", "[Gmail]")
NEW_NAMES = ("Zürich", "日本/東京", "Ελλάδα/Αθήνα", "Ablage/2026/Übung", "R&D")


@dataclass
class Copy:
    """What a program holds of one mailbox: UID → subject and flags, as of a modseq."""

    validity: int
    modseq: int = 0
    messages: dict[int, tuple[str, frozenset[str]]] = field(default_factory=dict)

    def take(self, row: bytes, subject: str | None = None) -> None:
        """What one FETCH answer says; without a subject in it the message is known."""
        uid = number(rb"UID (\d+)", row)
        [flags] = re.findall(rb"FLAGS \(([^)]*)\)", row)
        if subject is None:
            subject = self.messages[uid][0]
        self.messages[uid] = (subject, frozenset(flags.decode().split()) - {r"\Recent"})


def number(pattern: bytes, data: bytes) -> int:
    """The only number that the pattern finds."""
    [found] = re.findall(pattern, data)
    return int(found)


def uids(text: bytes) -> set[int]:
    """The UIDs of a set such as 1:3,7."""
    found: set[int] = set()
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        found.update(range(int(first), int(last or first) + 1))
    return found


def as_set(numbers: list[int]) -> str:
    """1,2,3."""
    return ",".join(map(str, numbers))


class Thunderbird:
    """CONDSTORE, COMPRESS, UID MOVE; names in modified UTF-7 as they come."""

    end = b"\r\n"
    utf8 = False  # names

    def __init__(self, imap: RawImap) -> None:
        self.imap = imap
        self.copies: dict[str, Copy] = {}
        self.deleted: set[str] = set()
        self.written: set[str] = set()
        self.greet()

    def greet(self) -> None:
        self.imap.compress()
        self.imap.ask('ID ("name" "Thunderbird" "version" "153.0")')

    def names(self) -> set[str]:
        """The mailboxes there are."""
        return set(names_in(self.imap.ask('LIST (subscribed) "" "*" return (special-use)')))

    def select(self, name: str) -> bytes:
        """Open a mailbox, quota and all."""
        answers = self.imap.ask(f'SELECT "{name}" (CONDSTORE)')
        self.imap.ask(f'GETQUOTAROOT "{name}"')
        return b"".join(answers)

    def synchronise(self) -> None:
        """Make the copy of every mailbox equal to it."""
        names = self.names()
        self.copies = {name: copy for name, copy in self.copies.items() if name in names}
        for name in sorted(names):
            told = self.select(name)
            validity = number(rb"UIDVALIDITY (\d+)", told)
            if name not in self.copies or self.copies[name].validity != validity:
                self.copies[name] = Copy(validity)
            self.bring_up(self.copies[name], told)

    def bring_up(self, copy: Copy, told: bytes) -> None:
        """Read what the open mailbox has that the copy has not."""
        modseq = number(rb"HIGHESTMODSEQ (\d+)", told)
        if modseq == copy.modseq:
            return
        rows = self.imap.ask(self.everything)[:-1]
        there = {number(rb"UID (\d+)", row) for row in rows}
        self.fetch(copy, sorted(there - copy.messages.keys()))
        copy.messages = {uid: copy.messages[uid] for uid in there}
        for row in rows:
            copy.take(row)
        copy.modseq = modseq

    everything = "UID FETCH 1:* (FLAGS)"

    def fetch(self, copy: Copy, new: list[int]) -> None:
        """The subjects of messages that the copy has not."""
        for start in range(0, len(new), 500):
            wanted = as_set(new[start : start + 500])
            for row in self.imap.ask(f"UID FETCH {wanted} (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[:-1]:
                copy.take(row, subject_and_flags(row)[0])

    def move(self, chosen: list[int], target: str) -> None:
        """Messages of the open mailbox to another."""
        self.imap.ask(f'UID MOVE {as_set(chosen)} "{target}"')

    def expunge(self, chosen: list[int]) -> None:
        """Messages of the open mailbox for good."""
        self.imap.ask(rf"UID STORE {as_set(chosen)} +FLAGS (\Deleted)")
        self.imap.ask(f"UID EXPUNGE {as_set(chosen)}")

    def act(self, chance: random.Random, at_once: int, name: str) -> None:
        """What the user did while the program was away, by what the copy knows; another may have been quicker."""
        source = chance.choice([each for each in sorted(self.copies) if self.copies[each].messages])
        target = chance.choice([each for each in sorted(self.copies) if each != source])
        copy = self.copies[source]
        chosen = chance.sample(sorted(copy.messages), min(4 * at_once, len(copy.messages)))
        quarter = len(chosen) // 4
        flagged, moved, removed = chosen[: 2 * quarter], chosen[2 * quarter : 3 * quarter], chosen[3 * quarter :]
        self.select(source)
        if flagged:
            self.imap.ask(f"UID STORE {as_set(flagged)} +Flags ({chance.choice(FLAGS)})")
            self.imap.ask(f"UID STORE {as_set(flagged[::2])} -FLAGS.SILENT ({chance.choice(FLAGS)})")
        if moved:
            self.move(moved, target)
        if removed:
            self.expunge(removed)
            self.deleted |= {copy.messages[uid][0] for uid in removed}
        subject = f"{type(self).__name__} {name} {len(self.written)}"
        self.imap.ask(f'APPEND "{target}"', letter("me@example.test", "b@other.example", subject))
        self.written.add(subject)


class Resynchronising(Thunderbird):
    """QRESYNC: only what changed is told; names in UTF-8."""

    utf8 = True

    def greet(self) -> None:
        self.imap.ask("ENABLE QRESYNC UTF8=ACCEPT")

    def names(self) -> set[str]:
        return set(names_in(self.imap.ask('LIST "" "*" RETURN (SUBSCRIBED)')))

    def select(self, name: str) -> bytes:
        copy = self.copies.get(name)
        if copy is None or not copy.modseq:
            return b"".join(self.imap.ask(f'SELECT "{name}"'))
        known = f"1:{max(copy.messages, default=1)}"
        return b"".join(self.imap.ask(f'SELECT "{name}" (QRESYNC ({copy.validity} {copy.modseq} {known}))'))

    def bring_up(self, copy: Copy, told: bytes) -> None:
        for gone in re.findall(rb"VANISHED \(EARLIER\) (\S+)\r", told):
            for uid in uids(gone) & copy.messages.keys():
                del copy.messages[uid]
        newer = max(copy.messages, default=0) + 1  # of these alone the answer to SELECT said nothing
        rows = re.findall(rb"\* \d+ FETCH \([^\r]*\r\n", told) + self.imap.ask(f"UID FETCH {newer}:* (UID FLAGS)")[:-1]
        self.fetch(copy, sorted({number(rb"UID (\d+)", row) for row in rows} - copy.messages.keys()))
        for row in rows:
            copy.take(row)
        copy.modseq = number(rb"HIGHESTMODSEQ (\d+)", told)
        assert len(copy.messages) == number(rb"\* (\d+) EXISTS", told)


class Plain(Thunderbird):
    """No extension at all, and bare LF."""

    end = b"\n"
    everything = "FETCH 1:* (UID FLAGS)"

    def greet(self) -> None:
        self.imap.ask("CAPABILITY")

    def names(self) -> set[str]:
        return set(names_in(self.imap.ask('LIST "" "*"')))

    def select(self, name: str) -> bytes:
        return b"".join(self.imap.ask(f'SELECT "{name}"'))

    def move(self, chosen: list[int], target: str) -> None:
        self.imap.ask(f'UID COPY {as_set(chosen)} "{target}"')
        self.expunge(chosen)

    def expunge(self, chosen: list[int]) -> None:
        self.imap.ask(rf"UID STORE {as_set(chosen)} +FLAGS.SILENT (\DELETED)")
        self.imap.ask("EXPUNGE")


def rename(server: Server, account: Account, chance: random.Random, round_number: int) -> None:
    """Somebody renames a mailbox of many to a nested name that is not ASCII."""
    with RawImap(server, account) as imap:
        imap.ask("ENABLE UTF8=ACCEPT")
        names = names_in(imap.ask('LIST "" "*"'))
        old = chance.choice(
            sorted(
                name for name, attributes in names.items() if "\\HasNo" in attributes and not name.startswith(_FIXED)
            )
        )
        new = f"{NEW_NAMES[round_number % len(NEW_NAMES)]} {round_number}"
        imap.ask(f'RENAME "{old}" "{new}"')
        imap.ask(f'UNSUBSCRIBE "{old}"')
        subscribe(imap, new)


def held_by(device: Thunderbird) -> dict[str, dict[str, set[str]]]:
    """Mailbox → subject → flags, as `whole_account` tells it."""
    return {
        decode_name(name.encode(), utf8=device.utf8): {subject: set(flags) for subject, flags in copy.messages.values()}
        for name, copy in device.copies.items()
    }


def days_of_three(server: Server, account: Account, subjects: list[str], rounds: int) -> list[Thunderbird]:
    """The three programs after so many rounds of changes, each having synchronised once more."""
    chance = random.Random(3501)
    half = len(subjects) // 2
    fill_many(server, account, {"INBOX": subjects[:half], "Reisen/Österreich": subjects[half:-100]})
    fill_many(server, account, {"仕事": subjects[-100:-50], "仕事/予算": subjects[-50:]})
    with ExitStack() as connections:
        kinds = (Thunderbird, Resynchronising, Plain)
        devices = [kind(connections.enter_context(RawImap(server, account, end=kind.end))) for kind in kinds]
        for round_number in range(rounds):
            for device in devices:
                device.synchronise()
            for device in devices:
                device.act(chance, len(subjects) // 100, str(round_number))
            rename(server, account, chance, round_number)
        for device in devices:
            device.synchronise()
    return devices


@pytest.mark.parametrize(("count", "rounds"), [(2000, 4), pytest.param(10_000, 25, marks=pytest.mark.long)])
def test_all_copies_become_equal(server: Server, account: Account, count: int, rounds: int) -> None:
    subjects = [f"letter {number}" for number in range(count)]
    devices = days_of_three(server, account, subjects, rounds)
    truth = whole_account(server, account)
    for device in devices:
        assert held_by(device) == truth, type(device).__name__
    there = [subject for messages in truth.values() for subject in messages]
    assert len(there) == len(set(there)), "nothing is there twice"
    written = set(subjects).union(*(device.written for device in devices))
    deleted = set[str]().union(*(device.deleted for device in devices))
    assert set(there) <= written
    assert written - set(there) <= deleted, "nothing is lost but what somebody deleted"


@pytest.mark.parametrize(("count", "rounds"), [(400, 4), pytest.param(10_000, 25, marks=pytest.mark.long)])
def test_copies_of_labels_and_views_become_equal(server: Server, labelled: Account, count: int, rounds: int) -> None:
    devices = days_of_three(server, labelled, [f"letter {number}" for number in range(count)], rounds)
    truth = whole_account(server, labelled)
    for device in devices:
        assert held_by(device) == truth, type(device).__name__
    all_mail = truth["[Gmail]/All Mail"]
    for name in truth.keys() - {"[Gmail]/Spam", "[Gmail]/Trash"}:
        assert truth[name].items() <= all_mail.items(), name
