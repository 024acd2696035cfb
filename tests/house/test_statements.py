"""What stands in a statement of SQL is our own text; what comes from people travels as a `:name` parameter."""

import ast

import pytest

from tests.house.source import Module, modules
from tests.house.statements import Statements

BELIEVED = {
    "mailhost/mailstore/rows.py:_select": "refuses a column that it does not know",
    "mailhost/storage/migrate.py:statements": "reads the files of mailhost/storage/migrations",
    "mailhost/storage/sql.py:has_rows": "gets names that the dump has checked",
    "mailhost/storage/sql.py:insert_statement": "gets names that the dump has checked",
    "mailhost/storage/sql.py:page": "gets names from the schema",
}


def test_statements_hold_no_value_of_anybody() -> None:
    statements = Statements(modules(), BELIEVED)
    assert statements.strange() == []
    assert statements.relied_on == set(BELIEVED)


def strange(text: str) -> list[str]:
    return Statements((Module("mailhost/x/sql.py", text, ast.parse(text)),)).strange()


@pytest.mark.parametrize(
    "body",
    [
        """tx.execute(f"select id from t where name = '{name}'")""",
        """tx.execute("select id from t where name = '" + name + "'")""",
        """tx.execute("select id from t where name = '%s'" % name)""",
        """tx.execute("select id from t where name = '{}'".format(name))""",
        """tx.execute(" ".join(["select id from t where name =", repr(name)]))""",
        """self._tx.change(f"update t set name = '{name}'")""",
        """tx.execute_many(f"insert into t values ('{name}')", [])""",
        """wanted = f"name = '{name}'"; tx.execute(f"select id from t where {wanted}")""",
        """wanted = []; wanted.append(name); tx.execute(f"select id from t where {' or '.join(wanted)}")""",
        """where = "where"; where += name; tx.execute(f"select id from t {where}")""",
        """tx.execute(f"select id from t where {condition(name)}")""",
        """what, where = "id", name; tx.execute(f"select {what} from t where {where}")""",
        """[(kind,)] = tx.execute("select kind from t"); tx.execute(f"select {kind} from t")""",
        """run(tx, f"delete from {name}")""",
        """database.write(run, name)""",
        """tx.execute(f"select {request.columns} from t")""",
        """match name:\n        case str() as TABLE:\n            tx.execute(f"delete from {TABLE}")""",
        """tx.execute(unheard_of())""",
    ],
)
def test_a_value_in_a_statement_is_found(body: str) -> None:
    assert strange(SURROUNDINGS + f"def f(self, tx, database, request, name):\n    {body}\nx.f(0, 0, 0, input())\n")


@pytest.mark.parametrize(
    "body",
    [
        """tx.execute("select id from t where name = :name", name=name)""",
        """tx.execute(f"select {COLUMNS} from t where flags & {~FLAG} = 0 and id > {int(name)}")""",
        """what, where = "id", condition("name"); tx.execute(f"select {what} from t where {where}")""",
        """for table, key in TABLES.items(): tx.execute(f"delete from {table} where {key} = 1")""",
        """wanted = []; wanted.append("a"); tx.execute(f"select id from t where {' or '.join(wanted)}")""",
        """tx.execute(f"select id from t where id in ({', '.join(f':k{number}' for number in range(len(name)))})")""",
        """run(tx, f"delete from {'t' if name else 'u'}")""",
        """database.write(run, "delete from t")""",
    ],
)
def test_a_statement_of_our_own_text_is_not_refused(body: str) -> None:
    assert not strange(SURROUNDINGS + f"def f(self, tx, database, name):\n    {body}\n")


SURROUNDINGS = """
TABLE = "t"
COLUMNS = "id, name"
FLAG = int(Flag.SEEN)
TABLES = {"t": "id", "u": "id"}
def condition(column):
    return f"{column} = :value"
def run(tx, statement):
    tx.execute(statement)
run(0, "delete from t")
"""
