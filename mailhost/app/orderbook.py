"""What is known of each domain's certificate: names that cannot be in it, refusals, when to ask again.

A file beside the certificates: written by the process that orders them, read by whoever tells the operator.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, field

from mailhost.doctor.catalogue import found
from mailhost.findings import Finding, Severity
from mailhost.network.certificates import write_private

_FILE: Final = "book.json"
_FIRST_WAIT: Final = 300  # seconds after a failure; each further one doubles it
_LONGEST_WAIT: Final = 24 * 3600


class Trouble(Struct):
    """What went wrong, in the words of whoever said so; how often in a row; when it is tried again (Unix time)."""

    said: str
    tries: int
    retry_at: int


class Page(Struct):
    """One domain. Times are Unix seconds; 0 is at once."""

    elsewhere: dict[str, str] = field(default_factory=dict)
    """Names that do not lead here, with what DNS says."""
    unproved: dict[str, Trouble] = field(default_factory=dict)
    """Names that the authority could not see to be ours."""
    refusal: Trouble | None = None
    by_tls: list[str] = field(default_factory=list)
    """Names whose port 80 does not lead here, but whose port 443 does."""
    said: dict[str, str] = field(default_factory=dict)
    """What the authority said of port 80 there."""
    look_at: int = 0
    renew_at: int = 0
    ask_at: int = 0
    ends: int = 0


class Book(Struct):
    """Every domain by its name."""

    domains: dict[str, Page] = field(default_factory=dict)


def again(before: Trouble | None, said: str, now: int, not_before: datetime | None = None) -> Trouble:
    """One more failure: it is tried again after twice the wait, and not before the authority wants it to be."""
    tries = before.tries + 1 if before is not None else 1
    wait = min(_FIRST_WAIT * 2 ** min(tries - 1, 20), _LONGEST_WAIT)
    return Trouble(said, tries, max(now + wait, int(not_before.timestamp()) if not_before else 0))


def read_book(folder: Path) -> Book:
    """What is known; nothing where nothing was written, or where it cannot be read: then all is looked at anew."""
    try:
        return msgspec.json.decode((folder / _FILE).read_bytes(), type=Book)
    except (OSError, msgspec.DecodeError):
        return Book()


def write_book(folder: Path, book: Book) -> None:
    """Put it down."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(folder / _FILE, msgspec.json.format(msgspec.json.encode(book)))


def findings(book: Book, now: int) -> list[Finding]:
    """What the operator has to know."""
    told: list[Finding] = []
    for domain, page in book.domains.items():
        has_none = page.ends <= now
        missing = [f"{name}: {said}" for name, said in page.elsewhere.items()]
        missing += [f"{name}: {trouble.said}" for name, trouble in page.unproved.items()]
        if missing:
            told.append(found("H8", domain, *missing))
        if page.refusal is not None:
            again_at = datetime.fromtimestamp(page.refusal.retry_at, UTC).strftime("%Y-%m-%d %H:%MZ")
            evidence = (page.refusal.said, f"tried {page.refusal.tries} times; next at {again_at}")
            told.append(found("H9", domain, *evidence, severity=Severity.ERROR if has_none else None))
    return told
