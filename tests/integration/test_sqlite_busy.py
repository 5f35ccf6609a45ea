"""Statements that need a lock that another connection holds."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledgerpress.sqlite import connection
from ledgerpress.sqlite.connection import empty_write_ahead_log, retry_while_busy


@pytest.fixture
def pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT", 0.05)
    path = tmp_path / "database.sqlite"
    with (
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as first,
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as second,
    ):
        first.execute("PRAGMA journal_mode = WAL")
        first.execute("CREATE TABLE t (x)")
        yield first, second


def test_a_statement_fails_when_the_lock_is_not_released_in_time(
    pair: tuple[sqlite3.Connection, sqlite3.Connection],
) -> None:
    first, second = pair
    second.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        retry_while_busy(first, "INSERT INTO t VALUES (?)", (1,))
    second.execute("ROLLBACK")
    retry_while_busy(first, "INSERT INTO t VALUES (?)", (1,))
    assert first.execute("SELECT x FROM t").fetchall() == [(1,)]


def test_the_write_ahead_log_is_not_emptied_while_an_older_state_is_read(
    pair: tuple[sqlite3.Connection, sqlite3.Connection],
) -> None:
    first, second = pair
    second.execute("BEGIN")
    second.execute("SELECT * FROM t").fetchall()
    first.execute("INSERT INTO t VALUES (1)")
    assert not empty_write_ahead_log(first)
    second.execute("ROLLBACK")
    assert empty_write_ahead_log(first)
