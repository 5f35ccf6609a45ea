"""Messages of the command line say what is wrong and what to do, not the messages of libraries."""

import errno
import os
import resource
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ledgerpress.adapters.sqlite_log.log_file import is_log
from ledgerpress.cli import app
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.system_errors import reason_of

LIBRARY_WORDS = (
    "No such", "Missing", "Invalid value", "Usage:", "Got unexpected", "Error:", "Errno", "errno", "sqlite3",
    "requires an argument", "unable to open", "valid integer", "malformed", "database is", "Traceback",
)  # fmt: skip


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("messages") / "store"
    page = data.parent / "page.txt"
    page.write_text("Tide mill\nDecember 5, 2024\nThe mill turns again, and the miller is glad of it.\n")
    assert run("import", "page", page, "--retrieved-at", "2024-12-22", "--data", data).exit_code == 0
    return data


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("frobnicate", "there is no command frobnicate; see `ledgerpress --help`"),
        ("statsu", "there is no command statsu; did you mean status?; see `ledgerpress --help`"),
        ("token creat", "there is no command creat; did you mean create?; see `ledgerpress token --help`"),
        ("status --jsn", "there is no option --jsn; did you mean --json?; see `ledgerpress status --help`"),
        ("status --data", "--data needs a value; see `ledgerpress --help`"),
        ("status --json=yes", "--json takes no value; see `ledgerpress --help`"),
        ("status a b", "too many arguments: a b; see `ledgerpress status --help`"),
        ("history", "SLUG is missing; see `ledgerpress history --help`"),
        ("withdraw 7", "--reason is missing; see `ledgerpress withdraw --help`"),
        (
            "withdraw seven --reason x",
            "POSITION: “seven” is not a whole number; see `ledgerpress withdraw --help`",
        ),
        (
            "withdraw 0 --reason x",
            "POSITION: 0 is less than 1, the smallest possible value; see `ledgerpress withdraw --help`",
        ),
        (
            "history x --limit 0",
            "--limit: 0 is less than 1, the smallest possible value; see `ledgerpress history --help`",
        ),
        (
            "status --color blue",
            "--color: “blue” is not one of auto, always, never; see `ledgerpress status --help`",
        ),
        (
            "token create x --role king",
            "--role: “king” is not one of reader, author, editor, auditor, admin; see `ledgerpress token create --help`",
        ),
        (
            "--frob",
            "there is no option --frob; see `ledgerpress --help`",
        ),
    ],
)
def test_wrong_usage_is_one_line(command: str, message: str) -> None:
    result = run(*command.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"ledgerpress: {message}\n"


def test_help_has_a_short_option() -> None:
    for command in ("", "status", "events", "events tail"):
        short, long = (run(*command.split(), option) for option in ("-h", "--help"))
        assert (short.exit_code, short.stdout) == (0, long.stdout)
        assert "-h, --help" in short.stdout


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("verify --head nowhere.json", 2, "nowhere.json cannot be read: it does not exist; check the path"),
        ("views restore nowhere", 2, "nowhere cannot be read: it does not exist; check the path"),
        ("log restore nowhere", 2, "nowhere cannot be read: it does not exist; check the path"),
        ("events import nowhere", 2, "nowhere cannot be read: it does not exist; check the path"),
        ("import page nowhere --retrieved-at 2024-12-22", 2, "nowhere cannot be read: it does not exist"),
        (
            "log copy @nowhere nats://127.0.0.1/x",
            2,
            "nowhere cannot be read: it does not exist; check the path",
        ),
        ("events import . --head nowhere", 2, "nowhere cannot be read: it does not exist; check the path"),
        ("events import .", 2, "cannot be read: it is a directory, not a file"),
        ("log restore .", 2, "cannot be read: it is a directory, not a file"),
        ("views restore .", 2, "cannot be read: it is a directory, not a file"),
        ("verify --head .", 2, "cannot be read: it is a directory, not a file"),
        ("import page . --retrieved-at 2024-12-22", 2, "cannot be read: it is a directory, not a file"),
        ("events export {store}/log.sqlite/x", 3, "a part of the path is a file, not a directory"),
        ("events export {store}/log.sqlite", 3, "it exists already; choose another name"),
        ("status --data {store}/log.sqlite", 3, "log.sqlite"),
    ],
)
def test_errors_of_the_system_are_explained(store: Path, command: str, code: int, words: str) -> None:
    arguments = [word.format(store=store) for word in command.split()]
    if "--data" not in arguments:
        arguments += ["--data", str(store)]
    result = run(*arguments)
    assert (result.exit_code, words in result.stderr) == (code, True), result.stderr
    assert not [word for word in LIBRARY_WORDS if word in result.stderr]


def test_every_known_error_of_the_system_is_explained_without_the_words_of_a_library() -> None:
    for number in errno.errorcode:
        reason = reason_of(OSError(number, os.strerror(number)))
        assert reason
        assert os.strerror(number) not in reason


def test_a_log_that_sqlite_cannot_open_is_explained(store: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    log = store / "log.sqlite"
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        with pytest.raises(LogUnusable) as unusable:
            is_log(log)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    message = str(unusable.value)
    assert message.startswith(f"{log} cannot be read: ")
    assert "check the path and the owner" in message
    assert is_log(log)


def test_errors_of_sqlite_are_explained(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError) as missing:
        sqlite3.connect(f"file:{tmp_path}/nowhere?mode=ro", uri=True).execute("SELECT 1")
    assert "check the path" in reason_of(missing.value)
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"not a database at all" * 1_000)
    connection = sqlite3.connect(damaged)
    with pytest.raises(sqlite3.DatabaseError) as wrong:
        connection.execute("SELECT * FROM sqlite_schema")
    connection.close()
    assert reason_of(wrong.value) == "it is not a SQLite database"


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        (
            "withdraw",
            ["Usage: ledgerpress withdraw [OPTIONS] {POSITION}", "  POSITION  The", "  --reason TEXT  The"],
        ),
        ("events tail", ["  -n, --count NUMBER  The", "  --data PATH         The"]),
        ("log copy", ["  FROM_URL  The log to copy"]),
        (
            "token create",
            ["  NAME  The name", "  --scope TEXT", "  --role <reader|author|editor|auditor|admin>"],
        ),
    ],
)
def test_the_help_names_values_for_people(command: str, lines: list[str]) -> None:
    words = run(*command.split(), "--help").stdout
    for line in lines:
        assert line in words
    for type_ in ("<str", "<int", "<path", "list["):
        assert type_ not in words
