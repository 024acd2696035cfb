"""A diagnosis on the terminal: the cause first, in colour for eyes, plain where it is piped."""

from __future__ import annotations

import sys
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mailhost.doctor.catalogue import Language, help_for, leaves, stage_of
from mailhost.doctor.catalogue import Text as Words
from mailhost.doctor.evidence import all_said
from mailhost.doctor.order import Ranked, Role
from mailhost.doctor.probe import Path
from mailhost.doctor.report import Report
from mailhost.findings import Finding, Severity

EXIT_CODES: Final = {None: 0, Severity.NOTE: 0, Severity.WARNING: 3, Severity.ERROR: 4}
"""1 and 2 are taken: by commands that cannot be carried out, and by ones that are written wrongly."""
_MARKS: Final = {
    Severity.ERROR: ("✗", "bold red"),
    Severity.WARNING: ("!", "bold yellow"),
    Severity.NOTE: ("·", "cyan"),
}
_MAX_EVIDENCE: Final = 8
_HEADINGS: Final = {
    "healthy": Words("Nothing is wrong as far as one can see from here.", "从这里看没有发现问题。"),
    "offline": Words(
        "There is no network, so this is what is known without one.", "没有网络，以下是无需网络即可知道的内容。"
    ),
    "possible": Words("Also possible", "其他可能"),
    "notes": Words("Notes", "其他提示"),
    "settings": Words("The right settings", "正确的设置"),
    "classics": Words("The usual causes, in the order in which to look", "常见原因，请按顺序检查"),
    "paths": Words("What was looked at", "检查过的连接"),
    "programs": Words("What programs set themselves to from the address", "各程序根据地址得到的设置"),
    "records": Words("DNS records to publish", "需要发布的 DNS 记录"),
    "signed-in": Words("Signing in was tried and works.", "已尝试登录，成功。"),
    "not-signed-in": Words(
        "No sign-in was tried. --password-stdin or --oauth does that, once for each server.",
        "没有尝试登录。使用 --password-stdin 或 --oauth 可以测试登录，每台服务器一次。",
    ),
}
_LABELS: Final = {
    "user": Words("user name", "用户名"),
    "password": Words("password", "密码"),
    "remedy": Words("What to do:", "怎么办："),
    "more": Words("More:", "详情："),
    "by hand": Words("nothing: type the settings by hand", "没有：需要手动填写"),
}
_PASSWORDS: Final = {
    "app-password": Words("app password", "应用专用密码"),
    "authorization-code": Words("authorization code", "授权码"),
    "oauth": Words("none: OAuth2 alone", "不用密码，只支持 OAuth2"),
    "bridge": Words("the one that Bridge shows", "Bridge 显示的密码"),
    "password": Words("the account's password", "账户密码"),
}


class Sheet:
    """Prints reports in one language. Lines are never cut where they are piped, and wrap on a terminal."""

    def __init__(self, language: Language) -> None:
        self._language = language
        is_terminal = sys.stdout.isatty()
        self._console = Console(highlight=False, soft_wrap=not is_terminal, width=None if is_terminal else 100_000)

    def show(self, report: Report) -> None:
        """The whole report."""
        self._line(report.subject, "bold")
        if report.is_offline:
            self._line(self._heading("offline"))
        causes = [each for each in report.findings if each.role is Role.CAUSE]
        if not causes and not report.is_offline:
            self._line(f"✓ {self._heading('healthy')}", "bold green")
        for each in causes:
            self.finding(each.finding)
        self._findings("possible", [each for each in report.findings if each.role is Role.POSSIBLE])
        self._findings("notes", [each for each in report.findings if each.role is Role.NOTE])
        self._classics(report)
        self._settings(report)
        self._list("records", report.records)
        self._paths(report.paths)
        self._programs(report)
        if report.paths and report.has_signed_in is not None and not causes:
            self._line("")
            self._line(self._heading("signed-in" if report.has_signed_in else "not-signed-in"), "dim")

    def finding(self, finding: Finding) -> None:
        """One finding in full: what, where, evidence, remedy, where to read on."""
        leaf = leaves()[finding.leaf]
        mark, style = _MARKS[finding.severity]
        head = Text.assemble(
            (f"{mark} ", style),
            (leaf.title.in_language(self._language), "bold"),
            (f"  [{finding.leaf}, {stage_of(finding.leaf).in_language(self._language)}]", "dim"),
        )
        self._line("")
        self._console.print(head)
        for line in all_said(finding.where.split("; "), self._language) if finding.where else []:
            self._indented(line, "blue")
        for line in all_said(finding.evidence[:_MAX_EVIDENCE], self._language):
            self._indented(f"- {line}", "dim", 4)
        if len(finding.evidence) > _MAX_EVIDENCE:
            self._indented(f"- … (+{len(finding.evidence) - _MAX_EVIDENCE})", "dim", 4)
        self._indented(f"{self._label('remedy')} {leaf.remedy.in_language(self._language)}", "")
        self._indented(f"{self._label('more')} {help_for(finding)}", "dim")

    # Parts

    def _findings(self, heading: str, ranked: list[Ranked]) -> None:
        if ranked:
            self._title(heading)
        for each in ranked:
            if each.finding.severity is Severity.NOTE or heading == "possible":
                self._short(each.finding)
            else:
                self.finding(each.finding)

    def _short(self, finding: Finding) -> None:
        mark, style = _MARKS[finding.severity]
        title = leaves()[finding.leaf].title.in_language(self._language)
        text = Text.assemble((f"{mark} ", style), title, (f"  [{finding.leaf}]", "dim"))
        self._console.print(Padding(text, (0, 0, 0, 2), expand=False))
        parts = (*finding.where.split("; "), *finding.evidence[:1])
        said = "; ".join(all_said((part for part in parts if part), self._language))
        if said and not parts[-1].startswith("the message says"):
            self._indented(said, "dim", 4)

    def _classics(self, report: Report) -> None:
        if not report.classics:
            return
        self._title("classics")
        for number, each in enumerate(report.classics, 1):
            name, check = each.name.in_language(self._language), each.check.in_language(self._language)
            text = Text.assemble((f"{number} {name}: ", "bold"), check)
            self._console.print(Padding(text, (0, 0, 0, 2), expand=False))

    def _settings(self, report: Report) -> None:
        if not report.settings:
            return
        self._title("settings", f" ({report.provider.title})" if report.provider else "")
        table = Table.grid(padding=(0, 2))
        for target in report.settings:
            words = (target.protocol.value.upper(), target.host, str(target.port), target.encryption.label)
            table.add_row(*words)
        self._console.print(Padding(table, (0, 0, 0, 2), expand=False))
        if (provider := report.provider) is not None:
            password = _PASSWORDS[provider.password].in_language(self._language)
            if provider.oauth and provider.password != "oauth":  # noqa: S105 - a kind of password
                password += " / OAuth2"
            self._indented(f"{self._label('user')}: {provider.user}; {self._label('password')}: {password}", "")
            if provider.rules is not None:
                self._indented(provider.rules.in_language(self._language), "dim")
            if "setup" in provider.help:
                self._indented(f"{self._label('more')} {provider.help['setup']}", "dim")

    def _paths(self, paths: list[Path]) -> None:
        if not paths:
            return
        self._title("paths")
        for path in paths:
            mark, style = ("✓", "green") if path.finding is None else ("✗", "red")
            took = " ".join(f"{step.name} {step.milliseconds} ms" for step in path.steps)
            leaf = f" [{path.finding.leaf}]" if path.finding else ""
            text = Text.assemble((f"{mark} ", style), path.where, (leaf, style), (f"  {took}", "dim"))
            self._console.print(Padding(text, (0, 0, 0, 2), expand=False))

    def _programs(self, report: Report) -> None:
        """Programs that come to the same are one line."""
        groups: dict[str, list[str]] = {}
        asked = {target.protocol for target in report.settings}
        for each in report.conclusions:
            shown = [str(target) for target in each.targets if target.protocol in asked]
            servers = ", ".join(shown) or self._label("by hand")
            groups.setdefault(servers, []).append(f"{each.program} ({each.source})" if each.source else each.program)
        if len(groups) < 2:  # all of them come to what stands above, or to nothing
            return
        self._title("programs")
        for servers, programs in groups.items():
            self._indented(servers, "")
            self._indented(", ".join(programs), "dim", 4)

    def _list(self, heading: str, lines: list[str]) -> None:
        if lines:
            self._title(heading)
        for line in lines:
            self._indented(line, "")

    # Words

    def _title(self, name: str, more: str = "") -> None:
        self._line("")
        self._line(self._heading(name) + more, "bold underline")

    def _heading(self, name: str) -> str:
        return _HEADINGS[name].in_language(self._language)

    def _label(self, name: str) -> str:
        return _LABELS[name].in_language(self._language)

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style))

    def _indented(self, text: str, style: str, by: int = 2) -> None:
        self._console.print(Padding(Text(text, style=style), (0, 0, 0, by), expand=False))
