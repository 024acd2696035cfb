"""What may stand in which room, where import-linter cannot say it."""

import ast
import re
import sys

from tests.house.source import modules

PURE = {"message", "protocols"}
DRIVERS = {"apsw", "sqlite3", "psycopg", "psycopg_pool"}
ONLY_IN = {"starlette": "web", "jinja2": "web", "click": "cli"}
# A pure core knows no socket, thread, clock, log or database, in the standard library either.
IMPURE = {
    "asyncio", "concurrent", "http", "logging", "multiprocessing", "pathlib", "secrets", "select",
    "selectors", "shutil", "signal", "smtplib", "imaplib", "poplib", "socket", "socketserver", "sqlite3", "ssl",
    "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
# One word is no statement; the second word makes it one.
SQL = re.compile(
    r"^\s*(with\s+(recursive\s+)?\w+\s+as\s|select\s.+\sfrom\s|insert\s+into\s|update\s+\w+\s+set\s|delete\s+from\s"
    r"|create\s+(unique\s+)?(table|index)\s)",
    re.DOTALL,  # ours is lower-case; a sentence starts with a capital
)


def test_pure_rooms_import_only_the_standard_library() -> None:
    for module in modules():
        if module.room in PURE:
            foreign = {name for name in module.packages() if name not in sys.stdlib_module_names} - {"mailhost"}
            assert not foreign, module.path


def test_pure_rooms_know_no_socket_thread_clock_log_or_file() -> None:
    for module in modules():
        if module.room in PURE:
            assert not module.packages() & IMPURE, module.path


def test_database_drivers_are_imported_only_in_storage() -> None:
    outside = [module.path for module in modules() if module.room != "storage" and module.packages() & DRIVERS]
    assert not outside


def test_web_and_terminal_libraries_stay_in_their_doors() -> None:
    for package, room in ONLY_IN.items():
        outside = [module.path for module in modules() if module.room != room and package in module.packages()]
        assert not outside, package


def test_sql_stands_only_in_files_named_sql_and_in_the_mail_store() -> None:
    outside = []
    for module in modules():
        # The mail store is nothing but transactions, one file per action: its sql.py would be the whole room.
        if module.path.endswith("/sql.py") or module.room == "mailstore":
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value):
                outside.append(f"{module.path}:{node.lineno}")
    assert not outside


def test_sql_rule_sees_sql() -> None:
    assert SQL.match("select id, name from mailbox where id = :id")
    assert SQL.match("\n  update account set modseq = modseq + 1")
    assert not SQL.match("Select a mailbox, then fetch.")
    assert not SQL.match("update the counters")


def test_no_type_checking_imports() -> None:
    hidden = [module.path for module in modules() if re.search(r"\bTYPE_CHECKING\b", module.text)]
    assert not hidden


def test_any_stands_only_in_storage() -> None:
    loose = [
        module.path for module in modules() if module.room != "storage" and re.search(r"\bAny\b", code(module.tree))
    ]
    assert not loose


def code(tree: ast.Module) -> str:
    """Every name used in the code, without comments and strings."""
    return " ".join(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
