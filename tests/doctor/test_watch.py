"""What the diary says of a sign-in becomes a leaf, as it is written."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from mailhost.accounts.audit.model import LET_IN, NOBODY, Cause, Occurrence, SignIn
from mailhost.accounts.audit.sql import record_sign_ins
from mailhost.doctor.catalogue import leaves
from mailhost.doctor.watch import Watcher, explain
from mailhost.storage.database import Database

NOW = 1_800_000_000


def entry(cause: Cause, *, account_id: int = 7, address: str = "anna@example.test") -> SignIn:
    return SignIn(
        account_id, cause, address, "imap", 993, "192.0.2.7", "192.0.2.0/24", "TLSv1.3", "PLAIN", "Thunderbird", None
    )


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_a_leaf_unless_it_is_none(cause: Cause) -> None:
    finding = explain(entry(cause), Occurrence(NOW, "c1", 1)).finding
    assert (finding is None) == (cause in LET_IN)
    assert finding is None or finding.leaf in leaves()


@pytest.mark.parametrize(
    ("cause", "leaf"),
    [
        (Cause.WRONG_PASSWORD, "E1"),
        (Cause.REVOKED_APP_PASSWORD, "E1"),
        (Cause.ACCOUNT_PASSWORD_USED, "E2"),
        (Cause.THROTTLED, "E14"),
        (Cause.SUSPENDED, "E15"),
    ],
)
def test_causes_lead_to_the_leaf_a_client_would_be_told(cause: Cause, leaf: str) -> None:
    finding = explain(entry(cause), Occurrence(NOW, "c1", 1)).finding
    assert finding is not None
    assert finding.leaf == leaf
    assert "IMAP port 993, from 192.0.2.7" in finding.where


async def test_only_what_is_written_from_now_on_is_told(database: Database) -> None:
    await database.write(record_sign_ins, [(entry(Cause.SUSPENDED), Occurrence(NOW, "old", 1))])
    watcher = Watcher(database, 7, "example.test", lambda: NOW)
    await watcher.begin()
    stranger = entry(Cause.UNKNOWN_USER, account_id=NOBODY, address="ana@example.test")
    elsewhere = entry(Cause.UNKNOWN_USER, account_id=NOBODY, address="ana@other.test")
    other = entry(Cause.WRONG_PASSWORD, account_id=8)
    for number, sign_in in enumerate((other, elsewhere, entry(Cause.WRONG_PASSWORD), stranger, entry(Cause.SIGNED_IN))):
        await database.write(record_sign_ins, [(sign_in, Occurrence(NOW + number, f"c{number}", 1))])
    async with aclosing(watcher.attempts()) as seen:
        told = [await anext(seen) for _ in range(3)]
    assert [each.sign_in.cause for each in told] == [Cause.WRONG_PASSWORD, Cause.UNKNOWN_USER, Cause.SIGNED_IN]
    assert "user name: ana@example.test" in told[1].finding.evidence if told[1].finding else False
