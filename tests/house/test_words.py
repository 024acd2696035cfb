"""Docstrings, ignores with a reason, broad excepts, events: words that readers and operators rely on."""

import ast
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.house.source import Module, modules

DOORS = ("servers", "web", "network", "cli", "app")


def public_definitions(module: Module) -> Iterator[tuple[str, ast.AST]]:
    """The module, its public classes and functions, and the public methods of its public classes."""
    yield module.path, module.tree
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in module.tree.body:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            yield f"{module.path}:{node.name}", node
            for inner in node.body if isinstance(node, ast.ClassDef) else []:
                if isinstance(inner, kinds) and not inner.name.startswith("_"):
                    yield f"{module.path}:{node.name}.{inner.name}", inner


def test_every_module_and_public_name_has_a_docstring() -> None:
    silent = [
        name
        for module in modules()
        for name, node in public_definitions(module)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not ast.get_docstring(node)
    ]
    assert not silent


def test_every_ignore_names_its_reason() -> None:
    excused = re.compile(r"#\s*(type:\s*ignore\[[\w-]+\]|noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)\W+\w")
    bare = [
        f"{module.path}:{number}"
        for module in (*modules(), *modules("tests/"))
        for number, line in enumerate(module.text.splitlines(), 1)
        if re.search(r"#\s*(type:\s*ignore|noqa)", line) and not excused.search(line)
    ]
    assert not bare


def broad_handlers(module: Module) -> int:
    """How often `except Exception`, `except BaseException` or a bare `except` stand in a file."""
    count = 0
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            name = node.type.id if isinstance(node.type, ast.Name) else None
            count += node.type is None or name == "Exception"
    return count


def test_except_exception_stands_at_most_once_per_door_file_and_nowhere_below() -> None:
    counts = Counter({module.path: broad_handlers(module) for module in modules()})
    twice = [path for path, count in counts.items() if count > 1]
    assert not twice
    below = [module.path for module in modules() if broad_handlers(module) and module.room not in DOORS]
    assert not below


def logged_events(module: Module) -> Iterator[tuple[str, int]]:
    """The first words given to `log.info(…)` and its sisters."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="log"), attr="debug" | "info" | "warning" | "error" | "exception"),
                args=[ast.Constant(value=str(event)), *_],
                lineno=line,
            ):
                yield event, line


def test_every_event_is_declared_in_observe_and_none_is_declared_in_vain() -> None:
    observe = pytest.importorskip("mailhost.observe")
    used = {}
    for module in modules():
        for event, line in logged_events(module):
            used[event] = f"{module.path}:{line}"
    undeclared = {event: place for event, place in used.items() if event not in observe.EVENTS}
    assert not undeclared
    assert not set(observe.EVENTS) - set(used)
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", event) for event in observe.EVENTS)
