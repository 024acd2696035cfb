"""A life of a mailbox with everything going wrong: killed programs, killed servers, lines that break in a literal.

After each of these the program is simply started again. At the end both sides hold the same messages, octet by octet.
"""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from mailhost.config import Config, write_first
from mailhost.mailstore import Layout
from mailhost.protocols.imap.names import decode_name, encode_name
from tests.clients.hard import NAMES, Everything, differences, digest, everything, hard_letters, put, row_of
from tests.clients.lines import Broken, Line, breaks
from tests.clients.mail import MAILDIR_FLAGS, MBSYNC
from tests.clients.raw import RawImap
from tests.conftest import PostgresServer
from tests.running import Account, Server, kill, needs, running, start

RENAMED = ("Ελληνικά", "Ἑλλάς/παλαιά")
WRITTEN_NEAR, WRITTEN_FAR = ("INBOX", "Neu/Ünter/新"), ("INBOX", "Da/drüben")


class Near:
    """The near side of mbsync, on a line that may break to a server that may go."""

    def __init__(self, folder: Path, server: Server, account: Account) -> None:
        self.program = needs("mbsync", "isync")
        self.server, self.account = server, account
        self.path = folder / "near"
        self.path.mkdir()
        self.line = Line(server.ports["imaps"])
        self.config = folder / "mbsyncrc"
        values = {"port": self.line.port, "ca": server.ca, "user": account.address, "password": account.password}
        self.config.write_text(
            MBSYNC.format(near=self.path, patterns="*", state="*", more="Sync All\nCopyArrivalDate yes", **values),
            encoding="utf-8",
        )

    def run(self, *, fails: bool = False) -> None:
        """One run to its end."""
        command = [self.program, "-c", str(self.config), "-a"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said, _ = self.process.communicate(timeout=600)
        self.line.settle()
        assert bool(self.process.returncode) == fails, (fails, said.decode("utf-8", "replace")[-2000:])

    def kill(self) -> None:
        """SIGKILL to the program."""
        self.process.kill()
        raise Broken

    def kill_server(self) -> None:
        """SIGKILL to the server."""
        kill(self.server)
        raise Broken

    def start_server(self) -> None:
        """Start it again on its data, where it was killed."""
        if self.server.process.poll() is not None:
            again = start(self.server.folder)
            self.server.process, self.server.ports = again.process, again.ports
            self.line.target = again.ports["imaps"]

    def count(self) -> int:
        """How many messages are on the near side."""
        return sum(1 for path in self.path.rglob("*,U=*") if path.parent.name != "tmp")

    def folder(self, name: str) -> Path:
        """A folder of the near side by its name in UTF-8; made where it is not there."""
        folder = self.path / encode_name(name, utf8=False).decode()
        for below in ("cur", "new", "tmp"):
            (folder / below).mkdir(parents=True, exist_ok=True)
        return folder

    def everything(self) -> Everything:
        """As `everything` tells of an account."""
        found: Everything = {}
        for cur in self.path.rglob("cur"):
            name = decode_name(str(cur.parent.relative_to(self.path)).encode(), utf8=False)
            files = [*cur.iterdir(), *(cur.parent / "new").iterdir()]
            found[name] = Counter((digest(octets(path)), flags(path)) for path in files)
        return found


def octets(path: Path) -> bytes:
    """What a file of a Maildir holds, with the line ends of the wire."""
    return path.read_bytes().replace(b"\n", b"\r\n")


def flags(path: Path) -> frozenset[str]:
    return frozenset(MAILDIR_FLAGS[letter] for letter in path.name.partition(":2,")[2])


def change_near(near: Near, count: int) -> set[str]:
    """New mail, flags, deletions, a new folder and a renamed one on the near side. What it deletes."""
    deleted = set()
    for name in ("INBOX", NAMES[0]):
        folder = near.folder(name)
        for number, path in enumerate(sorted([*(folder / "cur").iterdir(), *(folder / "new").iterdir()])):
            if number % 10 == 3:
                deleted.add(digest(octets(path)))
                path.unlink()
            elif number % 10 == 4:
                path.rename(folder / "cur" / f"{path.name.partition(':')[0]}:2,FRS")
    for number, name in enumerate(WRITTEN_NEAR):
        for each, letter in enumerate(hard_letters(count // 10, 100_000 + 10_000 * number)):
            (near.folder(name) / "new" / f"{each}.written.here").write_bytes(letter.replace(b"\r\n", b"\n"))
    old, new = near.folder(RENAMED[0]), near.folder(RENAMED[1])
    shutil.rmtree(new)
    old.rename(new)
    return deleted


def change_far(server: Server, account: Account, count: int) -> set[str]:
    """The same on the far side: flags and deletions where the near side has them, too."""
    deleted = set()
    with RawImap(server, account) as imap:
        imap.ask("ENABLE UTF8=ACCEPT")
        for name in ("INBOX", NAMES[0]):
            imap.ask(f'SELECT "{name}"')
            deleted |= {row_of(row)[0] for row in imap.ask("UID FETCH 2:20,25:26 (FLAGS BODY.PEEK[])")[:-1]}
            imap.ask(r"UID STORE 2:20,25:26 +FLAGS (\Deleted)")
            imap.ask("UID EXPUNGE 2:20,25:26")
            imap.ask(r"UID STORE 22:40 -FLAGS (\Seen)")
            imap.ask(r"UID STORE 27:50 +FLAGS (\Answered $label1)")
        imap.ask(f'RENAME "{RENAMED[0]}" "{RENAMED[1]}"')
    written = zip(WRITTEN_FAR, (200_000, 210_000), strict=True)
    put(server, account, {name: hard_letters(count // 10, first) for name, first in written})
    return deleted


@contextmanager
def anywhere(engine: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Server]:
    """A server on SQLite or PostgreSQL that may be killed."""
    folder = folder / "data"
    if engine == "sqlite":
        with running(folder, "--demo") as server:
            yield server
        return
    postgres: PostgresServer = request.getfixturevalue("postgres_server")
    url = postgres.new_bare_database()
    folder.mkdir(0o700)
    write_first(folder, Config(database=url, demo=True))
    with running(folder) as server:
        yield server
    postgres.drop(url)


def keywords_aside(told: Everything) -> Everything:
    """Without what a Maildir has no letter for."""
    known = set(MAILDIR_FLAGS.values())
    return {
        name: Counter({(of, marks & known): 0 for of, marks in found})
        + sum((Counter({(of, marks & known): times}) for (of, marks), times in found.items()), Counter())
        for name, found in told.items()
    }


def first_copy(near: Near, count: int) -> None:
    """Fetch everything, through a killed program, a line that breaks inside a message and a killed server."""
    for act in (near.kill, breaks, near.kill_server):
        near.line.after(count * 400, act)
        near.run(fails=True)
        assert not near.line.is_due()
        near.start_server()
        assert near.count() < count
    near.run()


def bring_home(near: Near, count: int) -> None:
    """Carry changes both ways, through the same, with more changes on the far side in the middle of runs."""
    for number, act in enumerate((near.kill, breaks, near.kill_server)):
        first = 300_000 + 1_000 * number
        more = {name: hard_letters(20, first + 100 * which) for which, name in enumerate(("INBOX", NAMES[0]))}
        near.line.after(2_000, partial(put, near.server, near.account, more))
        near.line.after(count * 100, act, up=True)
        near.run(fails=True)
        assert not near.line.is_due()
        near.start_server()
    near.run()
    near.run()


def digests(found: Counter[tuple[str, frozenset[str]]]) -> Counter[str]:
    """Which messages, and how often each, whatever their flags."""
    return sum((Counter({of: times}) for (of, _), times in found.items()), Counter())


def doubles(found: Counter[tuple[str, frozenset[str]]]) -> list[str]:
    """Messages that are there more than once."""
    return [of for of, times in digests(found).items() if times > 1]


def letters_of(count: int) -> dict[str, list[bytes]]:
    """Half of so many letters in INBOX, the others in folders with hard names."""
    each = count // (2 * len(NAMES))
    folders = {name: hard_letters(each, count + number * each) for number, name in enumerate(NAMES)}
    return {"INBOX": hard_letters(count // 2), **folders}


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(
    ("engine", "layout", "count"),
    [
        ("sqlite", Layout.CLASSIC, 300),
        pytest.param("sqlite", Layout.CLASSIC, 4_000, marks=pytest.mark.long),
        pytest.param("postgres", Layout.CLASSIC, 4_000, marks=pytest.mark.long),
        pytest.param("sqlite", Layout.GMAIL, 4_000, marks=pytest.mark.long),
        pytest.param("postgres", Layout.GMAIL, 300, marks=pytest.mark.long),
    ],
)
def test_mbsync(request: pytest.FixtureRequest, engine: str, layout: Layout, tmp_path: Path, count: int) -> None:
    with anywhere(engine, request, tmp_path) as server:
        near = Near(tmp_path, server, server.new_account(layout))
        put(server, near.account, letters_of(count))
        with near.line:
            first_copy(near, count)
            before = everything(server, near.account)
            assert differences(near.everything(), before) == []
            deleted = change_near(near, count) | change_far(server, near.account, count)
            bring_home(near, count)
        far = everything(server, near.account)
        assert differences(near.everything(), keywords_aside(far)) == []
        assert RENAMED[1] + "/Ἀθῆναι" in far
        assert "Neu/Ünter/新" in far
        assert not {name: twice for name, found in far.items() if (twice := doubles(found))}
        was, there = (set().union(*map(digests, side.values())) for side in (before, far))
        assert was - there <= deleted
        assert len(there - was) == 4 * (count // 10) + 120, "what was written is there"
        inbox = digests(far["INBOX"])
        assert not deleted & inbox.keys()
