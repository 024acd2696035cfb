"""A day of Thunderbird's, in the order in which it gives its commands: two connections, one of them asleep in IDLE.

What its user did on the train is replayed when the line is back: flags first, then moves, then what was written. It
goes by what it knew when it left; meanwhile others were at the account.
"""

import re

import pytest

from tests.clients.mail import letter
from tests.clients.raw import RawImap, fill_many, names_in, whole_account
from tests.clients.test_devices import Thunderbird as Knowing
from tests.clients.test_devices import as_set, number
from tests.running import Account, Server

TRAVEL, CHILD, NEW_TRAVEL, NEW_CHILD = (
    "Reisen",
    "Reisen/&ANY-sterreich",
    "Archiv/R&APY-mer",
    "Archiv/R&APY-mer/&ANY-sterreich",
)
TRASH = {False: "Trash", True: "[Gmail]/Trash"}


class Thunderbird(Knowing):
    """As it signs in: ID, NAMESPACE, both lists; and as it opens a folder."""

    def greet(self) -> None:
        self.imap.ask("CAPABILITY")
        super().greet()
        self.imap.ask("NAMESPACE")
        self.imap.ask('LIST (subscribed) "" "*" return (special-use)')
        self.imap.ask('LIST "" "INBOX"')

    def replay(self, name: str, seen: list[int], moved: list[int], target: str) -> None:
        """What was done offline in one folder."""
        told = self.select(name)
        assert number(rb"UIDVALIDITY (\d+)", told) == self.copies[name].validity
        self.imap.ask(rf"UID STORE {as_set(seen)} +Flags (\Seen)")
        self.imap.ask(rf"UID STORE {as_set(seen[::3])} +Flags ($label1 NonJunk)")
        self.imap.ask(f'UID MOVE {as_set(moved)} "{target}"')

    def rename(self, old: str, new: str, children: dict[str, str]) -> None:
        """A folder with its subscriptions, one by one; RENAME takes the children along."""
        self.imap.ask("CLOSE")
        self.imap.ask(f'RENAME "{old}" "{new}"')
        for before, after in {old: new, **children}.items():
            self.imap.ask(f'UNSUBSCRIBE "{before}"')
            self.imap.ask(f'SUBSCRIBE "{after}"')

    def write(self, name: str, subjects: list[str]) -> set[int]:
        """What was written offline, one message at a time; the UIDs of all."""
        answers = [
            self.imap.ask(f'APPEND "{name}" (\\Seen)', letter("me@example.test", "b@other.example", subject))
            for subject in subjects
        ]
        return {number(rb"APPENDUID \d+ (\d+)", answer[-1]) for answer in answers}


def held(device: Knowing, name: str) -> dict[str, set[str]]:
    return {subject: set(flags) for subject, flags in device.copies[name].messages.values()}


@pytest.mark.parametrize("shows_labels", [False, True])
def test_a_day_with_a_train_in_it(server: Server, account: Account, labelled: Account, shows_labels: bool) -> None:
    owner, trash = labelled if shows_labels else account, TRASH[shows_labels]
    subjects = [f"letter {each}" for each in range(3000)]
    fill_many(
        server, owner, {"INBOX": subjects[:2000], TRAVEL: subjects[2000:2500], "Reisen/Österreich": subjects[2500:]}
    )
    with RawImap(server, owner) as one, RawImap(server, owner) as two, RawImap(server, owner) as phone:
        thunderbird, asleep = Thunderbird(one), Thunderbird(two)
        thunderbird.synchronise()
        known = sorted(thunderbird.copies["INBOX"].messages)
        asleep.select("INBOX")
        two.idle()

        # Others are at the account while it is offline: they remove, flag and bring.
        phone.ask("SELECT INBOX")
        phone.ask(rf"UID STORE {as_set(known[100:200])} +FLAGS.SILENT (\Deleted)")
        phone.ask("EXPUNGE")
        phone.ask(rf"UID STORE {as_set(known[150:400])} +FLAGS (\Flagged)")
        fill_many(server, owner, {"INBOX": [f"new {each}" for each in range(50)]})

        # Back online. The one asleep has heard everything by now.
        heard = b"".join(two.wake())
        assert len(re.findall(rb"\* \d+ EXPUNGE\r\n", heard)) == 100
        assert number(rb"\* (\d+) EXISTS\r\n(?!(?s:.)*EXISTS)", heard) == 1950
        thunderbird.replay("INBOX", known[50:1000], known[180:300], trash)
        drafts = [f"written in the train {each}" for each in range(30)]
        assert len(thunderbird.write(CHILD, drafts)) == 30
        thunderbird.rename(TRAVEL, NEW_TRAVEL, {CHILD: NEW_CHILD})
        thunderbird.synchronise()

        truth = whole_account(server, owner)
        assert {NEW_TRAVEL, NEW_CHILD} <= names_in(one.ask('LIST (subscribed) "" "*" return (special-use)')).keys()
        assert not any(name.startswith(TRAVEL) for name in thunderbird.copies)
        for name, decoded in {
            "INBOX": "INBOX",
            trash: trash,
            NEW_TRAVEL: "Archiv/Römer",
            NEW_CHILD: "Archiv/Römer/Österreich",
        }.items():
            assert held(thunderbird, name) == truth[decoded], name
        assert set(truth[trash]) == {f"letter {each}" for each in range(200, 300)}
        assert set(truth["INBOX"]) == {*subjects[:100], *subjects[300:2000], *(f"new {each}" for each in range(50))}
        assert truth["INBOX"]["letter 53"] == {r"\Seen", "$label1", "NonJunk"}
        assert truth["INBOX"]["letter 350"] == {r"\Seen", r"\Flagged", "$label1", "NonJunk"}
        assert set(drafts) <= truth["Archiv/Römer/Österreich"].keys()
