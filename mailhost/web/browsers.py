"""What people call a browser, from what it calls itself: “Firefox 140, Windows”."""

from __future__ import annotations

import re
from typing import Final

_NAMES: Final = (  # the first that is there counts: most browsers claim to be the later ones, too
    ("Edge", re.compile(r"\bEdg(?:e|A|iOS)?/(\d+)")),
    ("Opera", re.compile(r"\bOPR/(\d+)")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/(\d+)")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/(\d+)")),
    ("Chrome", re.compile(r"\b(?:Headless)?(?:Chrome|CriOS)/(\d+)")),
    ("Safari", re.compile(r"\bVersion/(\d+).* Safari/")),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser_name(agent: str) -> str:
    """The name of a User-Agent (RFC 9110 §10.1.5) that is a browser's; any other as it is."""
    if not agent.startswith("Mozilla/"):
        return agent
    name = next((f"{name} {found[1]}" for name, version in _NAMES if (found := version.search(agent))), "")
    if not name:
        return agent
    system = next((shown for word, shown in _SYSTEMS if word in agent), "")
    return f"{name}, {system}" if system else name
