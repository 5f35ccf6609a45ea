"""An SQL script is split into its statements."""

import pytest

from ledgerpress.sqlite.connection import statements


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("CREATE TABLE a (b); CREATE TABLE c (d);\n", ["CREATE TABLE a (b);", "CREATE TABLE c (d);"]),
        ("CREATE TABLE a (b DEFAULT ';');", ["CREATE TABLE a (b DEFAULT ';');"]),
        ("CREATE TABLE a ( -- one; or two\n b);", ["CREATE TABLE a ( -- one; or two\n b);"]),
        ("CREATE TABLE a (/* one; */ b);", ["CREATE TABLE a (/* one; */ b);"]),
        (
            "CREATE TRIGGER a AFTER INSERT ON b BEGIN DELETE FROM c; DELETE FROM d; END; SELECT 1;",
            ["CREATE TRIGGER a AFTER INSERT ON b BEGIN DELETE FROM c; DELETE FROM d; END;", "SELECT 1;"],
        ),
        ("SELECT 1; -- the last\n", ["SELECT 1;"]),
        ("SELECT 1; -- one\nSELECT 2;", ["SELECT 1;", "-- one\nSELECT 2;"]),
        ("-- nothing\n", []),
        ("", []),
    ],
)
def test_statements_are_split_at_their_semicolons(script: str, expected: list[str]) -> None:
    assert [statement.strip() for statement in statements(script)] == expected
