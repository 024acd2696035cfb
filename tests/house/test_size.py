"""A file says one thing, a function fits a screen."""

import ast

from tests.house.source import modules

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60


def test_no_file_is_longer_than_500_lines() -> None:
    everything = [*modules(), *modules("tests/")]
    assert everything
    long = {module.path: count for module in everything if (count := module.text.count("\n")) > MAX_FILE_LINES}
    assert not long


def test_no_function_is_longer_than_60_lines() -> None:
    long = {}
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long[f"{module.path}:{node.name}"] = lines
    assert not long
