"""The leaves of the decision tree, in English and in Chinese: what is wrong and what to do, one entry each."""

from __future__ import annotations

import tomllib
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from mailhost.findings import Finding, Severity


class Language(Enum):
    """What the doctor speaks."""

    ENGLISH = "en"
    CHINESE = "zh"


class Text(Struct, frozen=True, forbid_unknown_fields=True):
    """One sentence in each language."""

    en: Annotated[str, Meta(min_length=1)]
    zh: Annotated[str, Meta(min_length=1)]

    def in_language(self, language: Language) -> str:
        """The sentence."""
        return self.zh if language is Language.CHINESE else self.en


class Leaf(Struct, frozen=True, forbid_unknown_fields=True):
    """One cause that the doctor can name."""

    severity: str
    title: Text
    remedy: Text


PAGE: Final = "docs/doctor-leaves.md"
_STAGES: Final = {
    "A": Text("Name", "名称"),
    "B": Text("Connection", "连接"),
    "C": Text("Port and protocol", "端口与协议"),
    "D": Text("Encryption", "加密"),
    "E": Text("Sign-in", "登录"),
    "F": Text("After sign-in", "登录之后"),
    "G": Text("Automatic set-up", "自动配置"),
    "H": Text("Records of the domain", "域名记录"),
    "I": Text("Inside the server", "服务器内部"),
}


@cache
def leaves() -> dict[str, Leaf]:
    """Every leaf by its id, in the order of the tree."""
    text = files(__package__).joinpath("leaves.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Leaf])


def severity_of(leaf: str) -> Severity:
    """How grave it is when nothing works around it."""
    return Severity[leaves()[leaf].severity.upper()]


def stage_of(leaf: str) -> Text:
    """The name of the stage it belongs to."""
    return _STAGES[leaf[0]]


def help_for(finding: Finding) -> str:
    """Where it is explained: a page of the provider's, else the leaf's paragraph in our own manual."""
    return finding.help or f"{PAGE}#{finding.leaf.lower()}"


def found(leaf: str, where: str = "", *evidence: str, severity: Severity | None = None, help_page: str = "") -> Finding:
    """A finding of this leaf, as grave as the catalogue says unless told otherwise."""
    return Finding(leaf, severity_of(leaf) if severity is None else severity, where, evidence, help_page)
