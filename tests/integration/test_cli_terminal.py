"""The command line on a terminal: questions, colors, a pager, narrow screens and wide characters."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from rich.cells import cell_len
from rich.text import Text
from typer.testing import CliRunner, Result

from ledgerpress.cli import app
from ledgerpress.cli.printing_and_exit_codes import Output, out
from ledgerpress.cli.rendering.pager import paged
from tests.integration.terminal import environment, on_terminal

ESCAPE = "\x1b["
TITLE = "潮汐磨坊今天早晨重新开始转动，磨坊主人和他的猫都非常高兴，港口的人们也来观看"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def head(data: Path) -> int:
    size: int = json.loads(run("head", "--json", "--data", data).stdout)["size"]
    return size


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a published article, whose title is wider than a narrow terminal."""
    data, page = tmp_path / "store", tmp_path / "page.txt"
    page.write_text(f"{TITLE}\nDecember 5, 2024\nThe mill turns again, and the miller is glad of it.\n")
    assert run("import", "page", page, "--retrieved-at", "2024-12-22", "--data", data).exit_code == 0
    return data


def position_of(data: Path, type_: str) -> str:
    """Return the position of the last event of a type."""
    lines = run("events", "tail", "-n", "100", "--data", data).stdout.splitlines()
    return str([event["position"] for event in map(json.loads, lines) if event["type"] == type_][-1])


def piped(*arguments: str | Path, settings: dict[str, str] | None = None) -> str:
    """Return what the program prints to a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "ledgerpress", *map(str, arguments)],
        env=environment(settings or {}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def slug_of(data: Path) -> str:
    lines = run("events", "tail", "-n", "100", "--data", data).stdout.splitlines()
    (subject,) = {event["subject"] for event in map(json.loads, lines) if event["type"] == "post.created"}
    post_id: str = subject.partition(".")[2]
    return post_id


def test_a_withdrawal_shows_what_it_erases_and_asks(store: Path) -> None:
    position = position_of(store, "post.created")
    before = head(store)
    refused = on_terminal("withdraw", position, "--reason", "By law.", "--data", store, answers="n\n")
    assert refused.code == 5
    for text in (position, "post.created", TITLE[:20], "The mill turns again", "actor", "The public article"):
        assert text in refused.shown
    assert "nothing was erased" in refused.shown
    assert head(store) == before
    done = on_terminal("withdraw", position, "--reason", "By law.", "--data", store, answers="y\n")
    assert done.code == 0
    assert "is withdrawn" in done.shown
    assert head(store) == before + 1


@pytest.mark.parametrize("answer", ["\n", "\x04", "no\n", "maybe\n"])
def test_only_yes_confirms(store: Path, answer: str) -> None:
    before = head(store)
    position = position_of(store, "post.created")
    assert on_terminal("withdraw", position, "--reason", "x", "--data", store, answers=answer).code == 5
    assert head(store) == before


def test_without_a_terminal_a_withdrawal_needs_yes(store: Path) -> None:
    before, command = head(store), ("withdraw", position_of(store, "post.created"), "--reason", "By law.")
    refused = run(*command, "--data", store)
    assert (refused.exit_code, head(store)) == (5, before)
    assert "--yes" in refused.stderr
    assert "The mill turns again" in refused.stderr
    assert run(*command, "--yes", "--data", store).exit_code == 0


def test_revoking_a_token_asks(store: Path) -> None:
    created = json.loads(run("token", "create", "Feed", "--role", "reader", "--json", "--data", store).stdout)
    command = ("token", "revoke", created["id"], "--data", store)
    assert run(*command).exit_code == 5
    assert on_terminal(*command, answers="n\n").code == 5
    assert "good" in run("token", "list", "--data", store).stdout
    shown = on_terminal(*command, answers="yes\n")
    assert (shown.code, "“Feed”, role reader" in shown.shown) == (0, True)
    assert "revoked" in run("token", "list", "--data", store).stdout
    assert run(*command).exit_code == 0, "nothing changes, so there is no question"


COUNTING: Final = """
import ledgerpress.server.store as store
original = store.open_when_available
def counted(*arguments, **options):
    print("the log is opened")
    return original(*arguments, **options)
store.open_when_available = counted
"""


@pytest.mark.parametrize("answer", ["y", "n"])
@pytest.mark.parametrize(
    "command",
    [
        "withdraw 5 --reason x",
        "erase post POST --reason x",
        "clock confirm --reason x",
        "clock correct --reason x --from 5 --ahead 1h",
        "token revoke TOKEN",
    ],
)
def test_a_command_that_asks_opens_the_store_once(
    store: Path, tmp_path: Path, command: str, answer: str
) -> None:
    created = json.loads(run("token", "create", "Feed", "--role", "reader", "--json", "--data", store).stdout)
    before = head(store)
    (tmp_path / "sitecustomize.py").write_text(COUNTING)
    arguments = command.replace("TOKEN", created["id"]).replace("POST", slug_of(store)).split()
    session = on_terminal(
        *arguments, "--data", store, answers=f"{answer}\n", settings={"PYTHONPATH": str(tmp_path)}
    )
    assert session.shown.count("the log is opened") == 1, session.shown
    assert session.shown.count("[y/N]") == 1
    assert (session.code, head(store) > before) == ((0, True) if answer == "y" else (5, False))


def test_commands_that_can_be_reversed_do_not_ask(store: Path) -> None:
    assert run("rebuild", "--data", store).exit_code == 0
    assert run("views", "rollback", "--data", store).exit_code == 0
    assert run("views", "drop", "--data", store).exit_code == 0


def test_events_are_readable_on_a_terminal_and_json_elsewhere(store: Path) -> None:
    command = ("events", "tail", "-n", "3", "--data", store)
    shown = on_terminal(*command, settings={"NO_COLOR": "1"}).shown
    assert "post.published" in shown
    assert "specversion" not in shown
    lines = piped(*command)
    assert len([json.loads(line) for line in lines.splitlines()]) == 3
    assert on_terminal(*command, "--json", columns=10_000).shown == lines


@pytest.mark.parametrize(
    ("options", "settings", "has_color"),
    [
        ([], {}, True),
        ([], {"NO_COLOR": "1"}, False),
        ([], {"NO_COLOR": ""}, True),
        ([], {"TERM": "dumb"}, False),
        (["--color", "never"], {}, False),
        (["--color=never"], {"FORCE_COLOR": "1"}, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "auto"], {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)
def test_colors_on_a_terminal(
    store: Path, options: list[str], settings: dict[str, str], has_color: bool
) -> None:
    shown = on_terminal("history", slug_of(store), "--data", store, *options, settings=settings)
    assert (shown.code, ESCAPE in shown.shown) == (0, has_color)


def test_colors_in_a_pipe(store: Path) -> None:
    command = ("history", slug_of(store), "--data", store)
    assert ESCAPE not in piped(*command)
    assert ESCAPE in piped(*command, settings={"FORCE_COLOR": "1"})
    assert ESCAPE in piped(*command, "--color", "always")
    assert ESCAPE in piped("--color", "always", "history", *command[1:])


def test_a_long_history_is_shown_with_the_pager(store: Path, tmp_path: Path) -> None:
    paged = tmp_path / "paged"
    pager = {"PAGER": f"sh -c 'cat > {paged}'", "NO_COLOR": "1"}
    command = ("history", slug_of(store), "--data", store)
    shown = on_terminal(*command, settings=pager)
    assert (shown.code, shown.shown) == (0, "")
    assert paged.read_text() == piped(*command)
    paged.unlink()
    assert "post.created" in on_terminal(*command, "--no-pager", settings=pager).shown
    assert run(*command).exit_code == 0
    assert not paged.exists()


@pytest.mark.parametrize("pager", ["true", "no-such-pager", "", "cat", "'"])
def test_a_pager_may_stop_or_be_missing(store: Path, pager: str) -> None:
    shown = on_terminal("history", slug_of(store), "--data", store, settings={"PAGER": pager})
    assert shown.code == 0
    assert "Traceback" not in shown.shown


def test_a_pager_that_the_user_leaves_ends_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """More output than a pipe holds, so that writing fails in any case, in text and in a table of rich."""
    monkeypatch.setenv("PAGER", "true")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(Output, "is_terminal", True)
    reached = []
    for row in ("x" * 1_000, Text("x" * 1_000)):
        with paged():
            for _ in range(1_000):
                out.print(row)
            reached.append(row)
    assert reached == []


def test_a_closed_pipe_ends_the_command_without_a_message(store: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "ledgerpress", "history", slug_of(store), "--data", str(store)]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_on_a_narrow_terminal_a_table_becomes_blocks(store: Path) -> None:
    wide = on_terminal("status", "--data", store, columns=200, settings={"NO_COLOR": "1"}).shown
    narrow = on_terminal("status", "--data", store, columns=40, settings={"NO_COLOR": "1"}).shown
    assert any(line.startswith("projection  state") for line in wide.splitlines())
    assert "projection  articles\n" in narrow or "projection  changes\n" in narrow
    assert "checkpoint  " in narrow


def test_wide_characters_are_cut_to_the_columns_of_the_terminal(store: Path) -> None:
    shown = on_terminal("events", "tail", "-n", "50", "--data", store, columns=40, settings={"NO_COLOR": "1"})
    (title,) = [line for line in shown.shown.splitlines() if line.strip().startswith("title:")]
    assert title.endswith("…")
    assert 30 <= cell_len(title) <= 40
