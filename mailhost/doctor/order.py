"""The rule of order: the cause is the lowest stage that fails on every way; what fails on some ways is a note.

A sign-in is tried only where everything beneath it holds, so a leaf of E never stands beside one of C or D of its port.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import groupby

from mailhost.doctor.catalogue import found
from mailhost.doctor.probe import Path, Reach
from mailhost.doctor.targets import Protocol, Target
from mailhost.findings import Finding, Severity


class Role(Enum):
    """What a finding is in a diagnosis."""

    CAUSE = "cause"
    POSSIBLE = "possible"
    """Fits what the user quoted, could not be seen from here."""
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Ranked:
    """A finding and its role."""

    finding: Finding
    role: Role


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one server or one protocol: its cause if it fails, and notes."""

    cause: Finding | None
    notes: tuple[Finding, ...] = ()


def of_target(paths: Sequence[Path]) -> Verdict:
    """One server over all its addresses."""
    notes = [note for path in paths for note in path.notes]
    failed = [path for path in paths if path.finding is not None]
    # This device lacks IPv6 altogether: no news where the server has IPv4, too.
    if any(":" not in path.address for path in paths):
        failed = [path for path in failed if not (":" in path.address and path.reach is Reach.UNREACHABLE)]
    whole = [path for path in paths if path.finding is None]
    if whole:
        for path in failed:
            assert path.finding is not None
            only_ipv6 = ":" in path.address and path.reach is not Reach.OPEN
            if only_ipv6 and any(":" not in each.address for each in whole):
                notes.append(found("A3", path.where, *path.finding.evidence, *_took(whole)))
            else:
                notes.append(_warning(path.finding))
        return Verdict(None, tuple(notes))
    furthest = max(failed, key=lambda path: path.finding.leaf[0] if path.finding else "", default=None)
    cause = furthest.finding if furthest else None
    if cause is not None and cause.leaf == "B4" and all(":" in path.address for path in paths):
        cause = found("A2", cause.where, "no A record, only AAAA", *cause.evidence)
    return Verdict(cause, tuple(notes))


def of_protocol(paths: Sequence[Path], *, is_guess: bool) -> Verdict:
    """One protocol over all its servers. The user's own settings decide where there are any.

    Where the servers are guesses, one that answers is enough, and closed ports of others say nothing.
    """
    by_target: dict[tuple[Target, bool], list[Path]] = {}
    for path in paths:
        by_target.setdefault((path.target, path.is_set), []).append(path)
    verdicts = {key: of_target(each) for key, each in by_target.items()}
    deciding = {key: each for key, each in verdicts.items() if key[1]} or verdicts
    notes = [note for each in verdicts.values() for note in each.notes]
    failing = {key: each.cause for key, each in deciding.items() if each.cause is not None}
    if len(failing) == len(deciding):
        cause = max(failing.values(), key=lambda finding: finding.leaf[0], default=None)
        if cause is not None and any(key[1] for key in deciding):
            working = [str(key[0]) for key, each in verdicts.items() if each.cause is None]
            evidence = (*cause.evidence, *(f"this works from here: {each}" for each in working))
            cause = replace(cause, evidence=evidence)
        return Verdict(cause, tuple(notes))
    for finding in failing.values():
        if not (is_guess and finding.leaf[0] in "AB"):
            notes.append(_warning(finding))
    return Verdict(None, tuple(notes))


def rank(
    causes: Iterable[tuple[Protocol | None, Finding]], possible: Sequence[Finding], notes: Iterable[Finding]
) -> list[Ranked]:
    """Causes by stage, then what the quoted message allows, then notes, the gravest first; equal leaves are one."""
    order = list(Protocol)
    sorted_causes = sorted(causes, key=lambda pair: (pair[1].leaf[0], order.index(pair[0]) if pair[0] else -1))
    merged_causes = _merged([finding for _, finding in sorted_causes])
    taken = {finding.leaf for finding in merged_causes}
    others = [finding for finding in possible if finding.leaf not in taken]
    taken |= {finding.leaf for finding in others}
    by_weight = sorted(notes, key=lambda finding: (-finding.severity, finding.leaf[0]))
    rest = [finding for finding in _merged(by_weight) if finding.leaf not in taken]
    if not merged_causes and not others and rest and rest[0].severity is not Severity.NOTE:
        return [Ranked(rest[0], Role.CAUSE), *(Ranked(each, Role.NOTE) for each in rest[1:])]
    return [
        *(Ranked(each, Role.CAUSE) for each in merged_causes),
        *(Ranked(each, Role.POSSIBLE) for each in others),
        *(Ranked(each, Role.NOTE) for each in rest),
    ]


def _merged(findings: Sequence[Finding]) -> list[Finding]:
    """Findings of one leaf as one, with every place and every piece of evidence once; in the order of the first."""
    first_seen = {leaf: place for place, leaf in reversed(list(enumerate(each.leaf for each in findings)))}
    merged = []
    for _, group in groupby(sorted(findings, key=lambda each: first_seen[each.leaf]), key=lambda each: each.leaf):
        same = list(group)
        where = "; ".join(dict.fromkeys(each.where for each in same if each.where))
        evidence = tuple(dict.fromkeys(line for each in same for line in each.evidence))
        severity = max(each.severity for each in same)
        merged.append(replace(same[0], where=where, evidence=evidence, severity=severity))
    return merged


def _warning(finding: Finding) -> Finding:
    return replace(finding, severity=min(finding.severity, Severity.WARNING))


def _took(whole: Sequence[Path]) -> list[str]:
    return [f"{path.address} works" for path in whole if ":" not in path.address][:1]
