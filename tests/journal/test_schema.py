"""The tables have a column for every field of what they keep, and migrations are numbered without a hole."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dydx_console.journal import statements
from dydx_console.journal.schema import MIGRATIONS

COLUMNS = {
    "fills": statements.FILL_COLUMNS,
    "orders": statements.ORDER_COLUMNS,
    "positions": statements.POSITION_COLUMNS,
    "lives": statements.LIFE_COLUMNS,
    "transfers": statements.TRANSFER_COLUMNS,
    "funding": statements.FUNDING_COLUMNS,
    "rewards": statements.REWARD_COLUMNS,
    "equity": statements.EQUITY_COLUMNS,
    "intents": statements.INTENT_COLUMNS,
    "intent_steps": statements.STEP_COLUMNS,
    "error_metrics": statements.FAULT_COLUMNS,
    "cursors": statements.CURSOR_COLUMNS,
    "books": statements.BOOKS_COLUMNS,
}


def columns_of(table: str) -> dict[str, tuple[str, bool]]:
    """Return a table's columns with their type and whether they must have a value."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in MIGRATIONS:
            for statement in migration.statements:
                connection.execute(statement)
        rows = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return {name: (kind, bool(is_required)) for _, name, kind, is_required, _, _ in rows}


@pytest.mark.parametrize("table", COLUMNS)
def test_every_field_has_a_column_that_may_be_unknown_where_the_field_may(table: str) -> None:
    found = columns_of(table)
    for name in COLUMNS[table]:
        kind, is_required = found[name]
        assert kind in ("TEXT", "INTEGER")
        assert is_required is (name not in COLUMNS[table].optional), name


def test_no_column_holds_a_floating_point_number() -> None:
    for table in (*COLUMNS, "order_hops", "meta"):
        assert {kind for kind, _ in columns_of(table).values()} <= {"TEXT", "INTEGER"}


def test_migrations_are_numbered_without_a_hole() -> None:
    assert [migration.number for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_every_table_is_described() -> None:
    text = (Path(__file__).parent.parent.parent / "docs" / "journal.md").read_text(encoding="utf-8")
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in MIGRATIONS:
            for statement in migration.statements:
                connection.execute(statement)
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert len(tables) == 15
    assert [table for table in tables if f"| `{table}` |" not in text] == []
