"""The outcome of a diagnosis, and its one shape in JSON for programs and for web pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from mailhost.doctor.catalogue import Language, help_for, leaves, stage_of
from mailhost.doctor.classic import CLASSICS, Classic
from mailhost.doctor.discovery.walk import Conclusion
from mailhost.doctor.evidence import all_said
from mailhost.doctor.order import Ranked, Role
from mailhost.doctor.probe import Path, Step
from mailhost.doctor.providers import Provider
from mailhost.doctor.targets import Protocol, Target
from mailhost.findings import Finding, Severity

SHAPE = 1
"""Raised when a field changes its meaning or goes away; new ones may come at any time."""

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


@dataclass(slots=True)
class Report:
    """What the doctor found. `subject` is what was asked about; `checked` says in words what holds."""

    subject: str
    findings: list[Ranked] = field(default_factory=list)
    provider: Provider | None = None
    settings: list[Target] = field(default_factory=list)
    sources: dict[Protocol, str] = field(default_factory=dict)
    paths: list[Path] = field(default_factory=list)
    conclusions: list[Conclusion] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    """DNS records to publish, as lines of a zone file."""
    is_offline: bool = False
    has_signed_in: bool | None = None
    """None when the question was not about a person's mail program."""
    seconds: float = 0.0

    @property
    def severity(self) -> Severity | None:
        """The gravest finding, None when all is well."""
        return max((each.finding.severity for each in self.findings), default=None)

    @property
    def classics(self) -> tuple[Classic, ...]:
        """The usual causes, where looking from here found none: no network, or all is well up to the sign-in."""
        if self.has_signed_in is None:
            return ()
        has_cause = any(each.role is Role.CAUSE for each in self.findings)
        return CLASSICS if self.is_offline or not (has_cause or self.has_signed_in) else ()

    def masked(self, mask: Callable[[str], str]) -> Report:
        """The report without secrets: everything that a server or the user said goes through the mask."""

        def cleaned(finding: Finding) -> Finding:
            return replace(finding, where=mask(finding.where), evidence=tuple(map(mask, finding.evidence)))

        return replace(
            self,
            subject=mask(self.subject),
            findings=[Ranked(cleaned(each.finding), each.role) for each in self.findings],
            paths=[
                replace(
                    path,
                    finding=cleaned(path.finding) if path.finding else None,
                    notes=list(map(cleaned, path.notes)),
                    steps=[Step(step.name, step.milliseconds, mask(step.said)) for step in path.steps],
                )
                for path in self.paths
            ],
            asked=list(map(mask, self.asked)),
        )

    def as_json(self, language: Language) -> dict[str, Json]:
        """The JSON shape: our sentences in `language`, what servers said as it was."""
        rules = self.provider.rules.in_language(language) if self.provider and self.provider.rules else ""
        return {
            "shape": SHAPE,
            "subject": self.subject,
            "verdict": self.severity.name.lower() if self.severity is not None else "healthy",
            "offline": self.is_offline,
            "findings": [_finding(each, language) for each in self.findings],
            "provider": self.provider.title if self.provider else None,
            "rules": rules,
            "classic_causes": [
                {
                    "name": each.name.in_language(language),
                    "check": each.check.in_language(language),
                    "leaves": list[Json](each.leaves),
                }
                for each in self.classics
            ],
            "settings": [{**_target(each), "source": self.sources.get(each.protocol, "")} for each in self.settings],
            "records": list(self.records),
            "paths": [_path(each) for each in self.paths],
            "programs": [
                {"program": each.program, "source": each.source, "settings": list(map(_target, each.targets))}
                for each in self.conclusions
            ],
            "asked": list(self.asked),
            "seconds": round(self.seconds, 3),
        }


def _finding(ranked: Ranked, language: Language) -> Json:
    finding, leaf = ranked.finding, leaves()[ranked.finding.leaf]
    return {
        "leaf": finding.leaf,
        "role": ranked.role.value,
        "severity": finding.severity.name.lower(),
        "stage": stage_of(finding.leaf).in_language(language),
        "title": leaf.title.in_language(language),
        "remedy": leaf.remedy.in_language(language),
        "where": "; ".join(all_said(finding.where.split("; "), language)),
        "evidence": list[Json](all_said(finding.evidence, language)),
        "help": help_for(finding),
    }


def _target(target: Target) -> dict[str, Json]:
    return {
        "protocol": target.protocol.value,
        "host": target.host,
        "port": target.port,
        "encryption": target.encryption.value,
    }


def _path(path: Path) -> Json:
    return {
        **_target(path.target),
        "address": path.address,
        "leaf": path.finding.leaf if path.finding else None,
        "steps": [{"name": step.name, "ms": step.milliseconds, "said": step.said} for step in path.steps],
        "offers": list[Json](sorted(path.offered)),
    }


def settings_first(targets: Sequence[Target], protocols: Sequence[str]) -> list[Target]:
    """Only the asked protocols, in the order asked."""
    return [target for name in protocols for target in targets if target.protocol.value == name]
