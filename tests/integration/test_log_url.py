"""One setting names the log: every command uses it, and a directory serves only one publication."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ledgerpress.cli import app
from ledgerpress.server.process.background_rebuild import rebuild_in_background
from ledgerpress.server.settings.introspection import declared
from scripts.engines.nats import temporary_server
from tests.integration.program_runs import ROOT

PAGE = Path(__file__).parents[1] / "pages" / "tide-mill.txt"
SECRET = "tide-and-mill"


@pytest.fixture(autouse=True)
def _without_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a directory and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for setting in declared().values():
        monkeypatch.delenv(setting.variable, raising=False)


def run(*arguments: str, environment: Mapping[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), env=environment)


def done(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    result = run(*arguments, environment=environment)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_node_with_its_log_elsewhere_has_views_and_a_node_record(log_url: str) -> None:
    by_setting = {"LEDGERPRESS_LOG": log_url}
    done("demo", "--data", "one", environment=by_setting)
    done("status", "--data", "one", environment=by_setting)
    files = {path.name for path in Path("one").iterdir()}
    assert "node.json" in files
    assert "log.sqlite" not in files

    head = json.loads(done("head", "--json", "--data", "one", "--log", log_url))
    assert json.loads(done("head", "--json", "--data", "two", environment=by_setting)) == head
    status = json.loads(done("status", "--json", "--data", "two", environment=by_setting))
    assert status["head"] == head["size"] == status["projections"][0]["checkpoint"]
    assert status["publication"] == head["publication"]


def test_every_command_uses_the_url(log_url: str) -> None:
    by_setting = {"LEDGERPRESS_LOG": log_url, "LEDGERPRESS_DATA": "node"}
    done("import", "page", str(PAGE), "--retrieved-at", "2024-12-22", environment=by_setting)
    assert (
        "already contains everything"
        in run("import", "page", str(PAGE), "--retrieved-at", "2024-12-22", environment=by_setting).stderr
    )
    secret = done("token", "create", "Tides", "--role", "editor", environment=by_setting)
    assert secret.startswith("lp_")
    assert "Tides" in done("token", "list", environment=by_setting)
    last = json.loads(done("events", "tail", "-n", "1", environment=by_setting))
    head = json.loads(done("head", "--json", environment=by_setting))["size"]
    assert json.loads(done("events", "show", str(head), environment=by_setting)) == last
    assert done("events", "export", "-", environment=by_setting).count("\n") == head + 1, "and the end record"
    done("withdraw", "5", "--reason", "By law.", "--yes", environment=by_setting)
    assert f"{head + 1:,} events, 1 payloads withdrawn" in done("verify", environment=by_setting)
    assert "Every row is the same" in done("rebuild", environment=by_setting)
    assert "former" in done("views", "list", environment=by_setting)
    done("views", "rollback", environment=by_setting)
    assert (
        "runs; there is nothing to resume"
        in run("projection", "resume", "posts", environment=by_setting).stderr
    )


def test_a_dry_run_creates_no_log_and_no_node(log_url: str) -> None:
    result = run(
        "import", "page", str(PAGE), "--retrieved-at", "2024-12-22", "--dry-run",
        "--data", "node", "--log", log_url,
    )  # fmt: skip
    assert result.exit_code == 3
    assert "no log" in result.stderr
    assert not Path("node").exists()


def test_the_demo_needs_a_new_publication(log_url: str) -> None:
    done("demo", "--data", "one", "--log", log_url)
    size = json.loads(done("head", "--json", "--data", "one", "--log", log_url))["size"]
    again = run("demo", "--data", "two", "--log", log_url)
    assert again.exit_code == 3
    assert "use a new publication for the demo" in again.stderr
    assert json.loads(done("head", "--json", "--data", "one", "--log", log_url))["size"] == size


def test_a_directory_with_its_own_log_cannot_be_a_node(tmp_path: Path) -> None:
    done("demo", "--data", "own")
    done("demo", "--log", f"sqlite:{tmp_path / 'there.db'}")
    done("status", "--data", "node", "--log", f"sqlite:{tmp_path / 'there.db'}")
    rejection = run("status", "--data", "own", "--log", f"sqlite:{tmp_path / 'there.db'}")
    assert rejection.exit_code == 3
    assert "own contains a log of its own, but another log was specified" in rejection.stderr
    for command in (["status"], ["verify"], ["rebuild"]):
        rejection = run(*command, "--data", "node")
        assert rejection.exit_code == 3
        assert "the directory of a node whose log is elsewhere: set the log with --log" in rejection.stderr
    assert json.loads(done("status", "--json", "--data", "own"))["site"] == "The Pellwick Tidings"


def test_views_of_another_publication_are_rejected(tmp_path: Path) -> None:
    first, second = (f"sqlite:{tmp_path / name}.db" for name in ("one", "two"))
    for log in (first, second):
        done("demo", "--log", log)
    done("status", "--data", "node", "--log", first)
    before = done("views", "list", "--data", "node", "--json")
    for command in (["status"], ["verify"], ["rebuild"], ["token", "list"]):
        rejection = run(*command, "--data", "node", "--log", second)
        assert rejection.exit_code == 3
        assert "node holds the views of publication" in rejection.stderr
        assert "use another directory" in rejection.stderr
    assert done("views", "list", "--data", "node", "--json") == before


def test_a_directory_with_other_files_cannot_be_a_node(tmp_path: Path) -> None:
    Path("full").mkdir()
    Path("full", "letter.txt").write_text("Dear editor")
    rejection = run("status", "--data", "full", "--log", f"sqlite:{tmp_path / 'there.db'}")
    assert rejection.exit_code == 3
    assert "full contains other files" in rejection.stderr


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://db/news?publication=daily", "must begin with sqlite:, postgresql: or nats:"),
        (f"postgresql://news:{SECRET}@db/news", "names no publication"),
        (f"nats://news:{SECRET}@n1:4222?publication=Daily", "has the invalid publication 'Daily'"),
    ],
)
def test_an_invalid_url_is_a_usage_error_without_its_password(url: str, message: str) -> None:
    for result in (
        run("status", "--log", url),
        run("status", environment={"LEDGERPRESS_LOG": url}),
        run("serve", "--port", "0", "--log", url),
        run("settings", environment={"LEDGERPRESS_LOG": url}),
    ):
        assert result.exit_code == 2
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert SECRET not in result.output


def test_settings_show_the_url_without_its_password() -> None:
    by_setting = {"LEDGERPRESS_LOG": f"postgresql://news:{SECRET}@db/news?publication=daily"}
    assert "server.log = postgresql://…@db/news?publication=daily" in done("settings", environment=by_setting)
    setting = json.loads(done("settings", "--json", environment=by_setting))["settings"]["server.log"]
    assert setting["value"] == "postgresql://…@db/news?publication=daily"


async def test_a_background_rebuild_receives_the_url_in_its_environment(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    call = tmp_path / "told.json"
    script = (
        "import json, os, pathlib, sys; "
        f"pathlib.Path({str(call)!r}).write_text(json.dumps([sys.argv[1:], os.environ['LEDGERPRESS_LOG']]))"
    )
    url = f"nats://news:{SECRET}@n1:4222?publication=daily"
    rebuild = asyncio.create_task(
        rebuild_in_background(tmp_path / "node", url, [sys.executable, "-c", script])
    )
    async with asyncio.timeout(60):
        while not call.exists() or not call.read_text():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)
    rebuild.cancel()
    with suppress(asyncio.CancelledError):
        await rebuild
    assert json.loads(call.read_text()) == [
        ["rebuild", "--if-outdated", "--data", str(tmp_path / "node")],
        url,
    ]


def test_a_setting_allows_unsynced_servers_and_status_shows_it() -> None:
    with temporary_server(sync_interval=None) as server:
        url = server.url("daily")
        rejection = run("demo", "--log", url)
        assert rejection.exit_code == 3
        assert "allow_unsynced" in rejection.stderr
        environment = {"LEDGERPRESS_LOG": url, "LEDGERPRESS_ALLOW_UNSYNCED": "true"}
        done("demo", environment=environment)
        assert "notice       unsynced: " in done("status", environment=environment)
        (notice,) = json.loads(done("status", "--json", environment=environment))["log"]["notices"]
        assert notice.startswith("unsynced: ")


def test_allow_unsynced_is_rejected_for_sqlite() -> None:
    rejection = run("serve", "--port", "0", "--allow-unsynced")
    assert rejection.exit_code == 2
    assert "allow_unsynced applies only to a log in NATS, but the log is sqlite:" in rejection.stderr


@pytest.mark.parametrize(
    ("url", "library", "extra"),
    [
        ("postgresql://127.0.0.1:1/db?publication=daily", "asyncpg", "postgres"),
        ("nats://127.0.0.1:1?publication=daily", "nats", "jetstream"),
    ],
)
def test_a_missing_extra_is_named(url: str, library: str, extra: str) -> None:
    script = f"import sys; sys.modules[{library!r}] = None; from ledgerpress.cli import app; app()"
    command = [sys.executable, "-c", script, "status", "--log", url]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 3
    assert f"pip install 'ledgerpress[{extra}]'" in process.stderr
