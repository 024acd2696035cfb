"""Pages of the documentation that are made from the code: `python -m tests.house.reference` writes them anew."""

from typing import get_type_hints

import msgspec

from mailhost.config import model
from mailhost.config.file import _toml
from tests.house.source import ROOT

OPENING = """# Configuration

Everything that can be set stands in one file, `mailhost.toml` in the data folder. The first start writes it, with every
setting as a comment beside its default. Changes take effect at the next start. An unknown key stops the start, which
names it. Secrets come from environment variables. This page is made from the code.
"""


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


PAGES = {ROOT / "docs" / "configuration.md": configuration, ROOT / "docs" / "decisions" / "README.md": decisions}

if __name__ == "__main__":
    for page, make in PAGES.items():
        page.write_text(make(), encoding="utf-8")
