"""Questions to the doctor on the web, as rows: so that any process can show what another one finds out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mailhost.errors import MailhostError
from mailhost.storage.database import Row, Tx

LONGEST_SECONDS: Final = 120
"""A diagnosis that did not end by then belonged to a process that is gone."""
A_HOUR: Final = 20
"""How many an account may ask in an hour; as many are kept."""


class DiagnosisRunning(MailhostError):
    """The account has a diagnosis that did not end yet."""


class TooManyDiagnoses(MailhostError):
    """The account asked as often as it may in an hour."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One question. `reports` is JSON, language → report; "" until it ended. Times are Unix seconds."""

    id: int
    asked_at: int
    ended_at: int | None
    address: str
    progress: str
    reports: str


def begin_diagnosis(tx: Tx, account_id: int, address: str, now: int) -> int:
    """Note a question and give it a number. Raises DiagnosisRunning, TooManyDiagnoses."""
    tx.execute(
        """update diagnosis set ended_at = :now
        where account_id = :account_id and ended_at is null and asked_at < :dead_before""",
        account_id=account_id,
        now=now,
        dead_before=now - LONGEST_SECONDS,
    )
    [(newest, recent)] = tx.execute(
        """select coalesce(max(id), 0), sum(case when asked_at > :since then 1 else 0 end)
        from diagnosis where account_id = :account_id""",
        account_id=account_id,
        since=now - 3600,
    )
    if (recent or 0) >= A_HOUR:
        raise TooManyDiagnoses(f"You asked {A_HOUR} times within an hour; ask again later.")
    rows = tx.execute(
        """insert into diagnosis (account_id, id, asked_at, ended_at, address, progress, reports)
        values (:account_id, :id, :now, null, :address, '', '') on conflict do nothing returning id""",
        account_id=account_id,
        id=newest + 1,
        now=now,
        address=address,
    )
    if not rows:
        raise DiagnosisRunning("Your last question is still being looked into; wait for it.")
    tx.execute(
        "delete from diagnosis where account_id = :account_id and id <= :old",
        account_id=account_id,
        old=newest + 1 - A_HOUR,
    )
    return int(newest) + 1


def note_progress(tx: Tx, account_id: int, diagnosis_id: int, progress: str) -> None:
    """Say what is being done."""
    tx.execute(
        """update diagnosis set progress = :progress
        where account_id = :account_id and id = :diagnosis_id and ended_at is null""",
        account_id=account_id,
        diagnosis_id=diagnosis_id,
        progress=progress,
    )


def end_diagnosis(tx: Tx, account_id: int, diagnosis_id: int, reports: str, now: int) -> None:
    """Keep what came of it; '' when nothing did."""
    tx.execute(
        """update diagnosis set ended_at = :now, reports = :reports, progress = ''
        where account_id = :account_id and id = :diagnosis_id""",
        account_id=account_id,
        diagnosis_id=diagnosis_id,
        reports=reports,
        now=now,
    )


def find_diagnosis(tx: Tx, account_id: int, diagnosis_id: int) -> Diagnosis | None:
    """One question of an account."""
    rows = tx.execute(
        """select id, asked_at, ended_at, address, progress, reports from diagnosis
        where account_id = :account_id and id = :diagnosis_id""",
        account_id=account_id,
        diagnosis_id=diagnosis_id,
    )
    return _diagnosis(rows[0]) if rows else None


def list_diagnoses(tx: Tx, account_id: int) -> list[Diagnosis]:
    """What the account asked, the newest first; without the reports."""
    rows = tx.execute(
        """select id, asked_at, ended_at, address, progress, '' from diagnosis
        where account_id = :account_id order by id desc limit :most""",
        account_id=account_id,
        most=A_HOUR,
    )
    return [_diagnosis(row) for row in rows]


def _diagnosis(row: Row) -> Diagnosis:
    return Diagnosis(*row)
