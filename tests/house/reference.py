"""Pages of the documentation that are made from the code: `python -m tests.house.reference` writes them anew."""

from typing import get_type_hints

import msgspec

from mailhost.config import model
from mailhost.config.file import _toml
from mailhost.doctor.catalogue import leaves, stage_of
from mailhost.doctor.providers import built_in
from tests.house import imap
from tests.house.source import ROOT

OPENING = """# Configuration

Everything that can be set stands in one file, `mailhost.toml` in the data folder. The first start writes it, with every
setting as a comment beside its default. Changes take effect at the next start. An unknown key stops the start, which
names it. Secrets come from environment variables. This page is made from the code.
"""

HERE = "# Here: "
"""Begins the second line of a program's transcript: why it works."""


def table(owner: msgspec.Struct) -> list[str]:
    """One row for each setting of a section that is no section itself."""
    hints = get_type_hints(type(owner), include_extras=True)
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for each in msgspec.structs.fields(owner):
        value = getattr(owner, each.name)
        if not isinstance(value, msgspec.Struct):
            words = " ".join(meta.description for meta in hints[each.name].__metadata__ if meta.description)
            rows.append(f"| `{each.name}` | `{_toml(value)}` | {words} |")
    return rows


def configuration() -> str:
    """The whole page."""
    config = model.Config()
    lines = [OPENING, *table(config)]
    for each in msgspec.structs.fields(config):
        section = getattr(config, each.name)
        if isinstance(section, msgspec.Struct):
            lines += ["", f"## [{each.name}]", "", " ".join((type(section).__doc__ or "").split()), "", *table(section)]
    relaxed = ", ".join(f"`{name} = {value}`" for name, value in model.RELAXED.items())
    lines += [
        "",
        "## Demonstrations",
        "",
        f"`demo = true` (or `up --demo`) relaxes limits that the file does not set: {relaxed}.",
    ]
    return "\n".join(lines) + "\n"


def decisions() -> str:
    """The index of the decisions: number, title."""
    lines = [
        "# Decisions",
        "",
        "One page for each choice that closes a door: context, choice, what was given up, what reopens it.",
        "",
    ]
    for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{title}]({path.name})")
    return "\n".join(lines) + "\n"


def doctor_leaves() -> str:
    """Every cause the doctor knows, with its remedy, in both languages; each has an anchor of its own."""
    lines = [
        "# What the doctor can find",
        "",
        "One paragraph for each leaf of the decision tree; a chapter's letter is its stage. Made from the code.",
    ]
    chapter = ""
    for leaf, texts in leaves().items():
        if leaf[0] != chapter:
            chapter = leaf[0]
            lines += ["", f"## {chapter} {stage_of(leaf).en} · {stage_of(leaf).zh}"]
        lines += ["", f'### <a id="{leaf.lower()}"></a>{leaf} {texts.title.en} · {texts.title.zh}']
        lines += ["", texts.remedy.en, "", texts.remedy.zh]
    return "\n".join(lines) + "\n"


def doctor_providers() -> str:
    """The provider table."""
    lines = [
        "# Providers the doctor knows",
        "",
        "What large providers tell their users, as facts. This page is made from `mailhost/doctor/providers.toml`.",
        "",
        "| provider | reading (IMAP) | reading (POP3) | sending | password |",
        "|---|---|---|---|---|",
    ]
    for provider in built_in().values():
        cells = [
            ", ".join(f"`{server}`" for server in servers) for servers in (provider.imap, provider.pop, provider.smtp)
        ]
        kind = provider.password + (", OAuth2" if provider.oauth and provider.password != "oauth" else "")
        lines.append(f"| {provider.title} | {' | '.join(cells)} | {kind} |")
    return "\n".join(lines) + "\n"


def programs() -> str:
    """Programs known to break elsewhere: what the first two lines of their transcripts say."""
    lines = [
        "# Programs that break elsewhere",
        "",
        "What mail programs do that broke them on one server or another, and why they work here. Each row stands on a",
        "session that the tests play; what is withheld from single programs is in",
        "[Mail programs](../clients.md#programs-that-break-otherwise). This page is made from the sessions.",
        "",
        "| program | what it does | here |",
        "|---|---|---|",
    ]
    for path in sorted((ROOT / "tests" / "transcripts" / "imap").glob("client-*.txt")):
        said, here = path.read_text(encoding="utf-8").splitlines()[:2]
        if here.startswith(HERE):
            program, _, habit = said.removeprefix("# ").partition(": ")
            link = f"[{program}](../../tests/transcripts/imap/{path.name})"
            lines.append(f"| {link} | {habit} | {here.removeprefix(HERE)} |")
    return "\n".join(lines) + "\n"


PAGES = {
    ROOT / "docs" / "doctor-leaves.md": doctor_leaves,
    ROOT / "docs" / "doctor-providers.md": doctor_providers,
    ROOT / "docs" / "configuration.md": configuration,
    ROOT / "docs" / "decisions" / "README.md": decisions,
    ROOT / "docs" / "reference" / "imap.md": imap.page,
    ROOT / "docs" / "reference" / "programs.md": programs,
}

if __name__ == "__main__":
    for page, make in PAGES.items():
        page.write_text(make(), encoding="utf-8")
