"""Mail in files: mbox files and Maildirs, read one message at a time and written octet for octet."""

from __future__ import annotations

import mmap
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from pathlib import Path
from typing import Final

from mailhost.mailstore import Flag
from mailhost.message.headers import parse_fields
from mailhost.protocols.imap.utf7 import decode_utf7, encode_utf7

_SEPARATOR: Final = re.compile(rb"From (?:\S+ +)?.*\d\d:\d\d.*")  # every writer puts a time there; prose hardly does
_QUOTED: Final = re.compile(rb"^>(>*From )", re.MULTILINE)
_TO_QUOTE: Final = re.compile(rb"^(>*From )", re.MULTILINE)
_STATUS: Final = {b"R": Flag.SEEN, b"A": Flag.ANSWERED, b"F": Flag.FLAGGED, b"D": Flag.DELETED, b"T": Flag.DRAFT}
_INFO: Final = {"D": Flag.DRAFT, "F": Flag.FLAGGED, "R": Flag.ANSWERED, "S": Flag.SEEN, "T": Flag.DELETED}


@dataclass(frozen=True, slots=True)
class Letter:
    """One message of a file. `place` orders the letters of one source; a later run goes on behind it."""

    place: str
    content: bytes
    date: int | None  # when it was delivered, as far as the file tells
    flags: Flag
    size: int  # what it adds to the progress


def read_mbox(path: Path, after: str, most: int) -> Iterator[Letter]:
    """The letters of an mbox file behind the place `after`; quoted From lines (mboxrd) are as they were sent.

    Of one that is longer than `most` octets no more is read than shows that it is.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = int(after or 0)
            while start < len(data):
                end = _next_separator(data, start)
                line_end = data.find(b"\n", start, end)
                separator = data[start:line_end] if data[start : start + 5] == b"From " else b""
                body_start = line_end + 1 if separator else start
                longest = 2 * most  # unquoting takes away less than half
                content = _QUOTED.sub(rb"\1", data[body_start : min(end, body_start + longest)])
                if end < len(data) or content.endswith(b"\n\n"):
                    content = content.removesuffix(b"\n").removesuffix(b"\r")  # the empty line in front of the next one
                if content:
                    date = _separator_date(separator.decode("latin-1"))
                    yield Letter(f"{end:020}", content, date, _status_flags(content), end - start)
                start = end


def _next_separator(data: mmap.mmap, start: int) -> int:
    """Where the letter that begins at `start` ends: at the next From line that stands behind an empty one."""
    at = start
    while (at := data.find(b"\nFrom ", at + 1)) >= 0:
        if data[at - 1 : at] == b"\n" or data[at - 2 : at] == b"\n\r":
            line = data[at + 1 : data.find(b"\n", at + 1) if data.find(b"\n", at + 1) > 0 else len(data)]
            if _SEPARATOR.match(line[:200]):
                return at + 1
    return len(data)


def _separator_date(line: str) -> int | None:
    words = line.split(None, 2)
    try:
        parsed = parsedate_tz(words[2]) if len(words) == 3 else None
        return mktime_tz(parsed) if parsed else None
    except (ValueError, OverflowError):
        return None


def _status_flags(content: bytes) -> Flag:
    """What mbox programs keep in header fields of their own."""
    flags = Flag(0)
    if b"\nStatus:" in content or b"\nX-Status:" in content:
        header = content.partition(b"\n\n")[0].partition(b"\r\n\r\n")[0] + b"\n"
        for name, value, _ in parse_fields(header):
            if name in (b"status", b"x-status"):
                for letter, flag in _STATUS.items():
                    flags |= flag if letter in value else Flag(0)
    return flags


@dataclass(frozen=True, slots=True)
class MaildirFolder:
    """One folder of a Maildir: its name below the mailbox it goes to, "" for the Maildir itself."""

    name: str
    path: Path


def maildir_folders(path: Path) -> list[MaildirFolder]:
    """The Maildir and its subfolders (Maildir++: `.A.B` stands for A/B)."""
    folders = [MaildirFolder("", path)] if _is_maildir(path) else []
    for entry in sorted(path.iterdir()):
        if entry.name.startswith(".") and _is_maildir(entry):
            parts = entry.name[1:].split(".")
            folders.append(MaildirFolder("/".join(_decoded(part) for part in parts), entry))
    return folders


def _is_maildir(path: Path) -> bool:
    return (path / "cur").is_dir() or (path / "new").is_dir()


def _decoded(part: str) -> str:
    try:
        return decode_utf7(part.encode())
    except ValueError:
        return part


def read_maildir(folder: Path, after: str, most: int) -> Iterator[Letter]:
    """The letters of one Maildir folder, in the order of their unique names.

    They are plain files: links may lead to what is not the owner's, and pipes nowhere. Of one longer than `most`
    octets no more is read than shows that it is.
    """
    found: list[tuple[str, Path]] = []
    for sub in ("cur", "new"):
        if (folder / sub).is_dir():
            entries = [entry for entry in os.scandir(folder / sub) if entry.is_file(follow_symlinks=False)]
            found += [(entry.name.partition(":")[0], Path(entry.path)) for entry in entries]
    for place, path in sorted(found):
        if place > after and not place.startswith("."):
            status = path.stat()
            info = path.name.partition(":2,")[2]
            flags = Flag(0)
            for letter in info:
                flags |= _INFO.get(letter, Flag(0))
            with path.open("rb") as file:
                content = file.read(most + 1)
            yield Letter(place, content, int(status.st_mtime), flags, status.st_size)


class MboxWriter:
    """Writes an mbox file (mboxrd): lines end in LF and From lines are quoted, so that import finds the same again."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")

    def write(self, content: bytes, date: int, flags: Flag) -> None:  # noqa: ARG002 - mbox has no place for flags
        """Add one letter."""
        moment = time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(date))
        quoted = _TO_QUOTE.sub(rb">\1", content.replace(b"\r\n", b"\n"))
        end = b"\n" if quoted.endswith(b"\n") else b"\n\n"
        self._file.write(f"From MAILER-DAEMON {moment}\n".encode() + quoted + end)

    def close(self) -> None:
        """The file is whole."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class MaildirWriter:
    """Writes one Maildir folder; each file holds the message's octets and nothing else."""

    def __init__(self, root: Path, name: str) -> None:
        parts = [encode_utf7(part).decode().replace(".", "&AC4-") for part in name.split("/")]
        self._folder = root if name == "INBOX" else root / ("." + ".".join(parts))
        for sub in ("cur", "new", "tmp"):
            (self._folder / sub).mkdir(parents=True, exist_ok=True)
        self._host = socket.gethostname().replace("/", "_").replace(":", "_")
        self._count = 0

    def write(self, content: bytes, date: int, flags: Flag) -> None:
        """Add one letter."""
        self._count += 1
        letters = "".join(sorted(letter for letter, flag in _INFO.items() if flags & flag))
        path = self._folder / "cur" / f"{date:010}.M{self._count:08}P{os.getpid()}.{self._host}:2,{letters}"
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.utime(file.fileno(), (date, date))
            os.fsync(file.fileno())

    def close(self) -> None:
        """Have the folder on disk."""
        handle = os.open(self._folder / "cur", os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(handle)
        os.close(handle)
