"""The source of the package as the rules of the house look at it: read once, parsed once."""

import ast
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Module:
    """One file of Python with its tree; `path` is relative to the checkout, with slashes."""

    path: str
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """`mailhost/storage/sql.py` → `storage`, `mailhost/app.py` → `app`."""
        return self.path.split("/")[1].removesuffix(".py")

    def imports(self) -> set[str]:
        """Every module imported, at any depth of the file, as dotted names."""
        names: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module)
        return names

    def packages(self) -> set[str]:
        """The first words of what is imported."""
        return {name.split(".")[0] for name in self.imports()}


@cache
def tracked() -> tuple[str, ...]:
    """Every file of the repository that git knows or would add, relative to the checkout."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return tuple(sorted(name for name in set(done.stdout.split("\0")) if name and (ROOT / name).is_file()))


@cache
def modules(folder: str = "mailhost/") -> tuple[Module, ...]:
    """Every Python file below `folder`."""
    found = []
    for name in tracked():
        if name.startswith(folder) and name.endswith(".py"):
            text = (ROOT / name).read_text(encoding="utf-8")
            found.append(Module(name, text, ast.parse(text)))
    return tuple(found)
