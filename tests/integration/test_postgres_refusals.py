"""Servers, URLs and writers that a log in PostgreSQL rejects, and the messages of the errors."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ledgerpress.adapters.postgres import connection
from ledgerpress.adapters.postgres.event_log import PostgresEventLog
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.errors import LogUnavailable, LogUnusable
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from scripts.engines.postgres import PostgresServer
from tests.integration.postgres_appends import Book, command, everything, open_at


@pytest.fixture(autouse=True)
def short_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "RETRY_TIMEOUT", 0.2)


async def test_a_server_that_does_not_sync_is_rejected() -> None:
    server = PostgresServer(settings={"fsync": "off"})
    try:
        with pytest.raises(LogUnusable, match=r"fsync = off.*set fsync = on"):
            await open_at(server.url("daily"))
    finally:
        server.close()


async def test_a_standby_is_rejected_and_its_primary_is_chosen(postgres_server: PostgresServer) -> None:
    standby = PostgresServer()
    try:
        log = await open_at(standby.url("daily"))
        await log.append(command("first"))
        await log.aclose()
        standby.stop()
        (standby.data / "standby.signal").touch()
        standby.start()
        with pytest.raises(LogUnavailable, match="replica"):
            await open_at(standby.url("daily"))
        hosts = f"127.0.0.1:{standby.port},127.0.0.1:{postgres_server.port}"
        log = await open_at(f"postgresql://postgres@{hosts}/ledgerpress?publication=either")
        assert await log.append(command("first")) == 3
        await log.aclose()
    finally:
        standby.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres@127.0.0.1:{silent},127.0.0.1:{port}/ledgerpress?publication=",
        "postgresql://postgres@/ledgerpress?host=127.0.0.1,127.0.0.1&port={silent},{port}&publication=",
    ],
)
async def test_an_unresponsive_host_does_not_delay_the_next_one(
    postgres_server: PostgresServer, url: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hosts = url.format(silent=silent.getsockname()[1], port=postgres_server.port)
        name = "silent-host" if "host=" in url else "silent"
        log = await open_at(hosts + name)
        assert await log.append(command("first")) == 3
        await log.aclose()


async def test_an_old_server_is_rejected(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MIN_VERSION", 19)
    with pytest.raises(LogUnusable, match=r"is PostgreSQL 18.*needs 19 or newer"):
        await open_at(postgres_url)


async def test_an_older_supported_server_can_store_a_log() -> None:
    older, book = PostgresServer(version=16), Book()
    try:
        log = await open_at(older.url("daily"))
        for number in range(5):
            await book.append(log, f"n{number}")
        book.check(await everything(log))
        assert len(book.positions) == 5
        await log.aclose()
    finally:
        older.close()


async def test_a_missing_server_database_or_role_is_named(postgres_server: PostgresServer) -> None:
    with pytest.raises(LogUnavailable, match="cannot be reached"):
        await open_at("postgresql://postgres:secret@127.0.0.1:1/ledgerpress?publication=daily")
    with pytest.raises(LogUnusable, match='database "nothing" does not exist'):
        await open_at(postgres_server.url("daily", database="nothing"))
    with pytest.raises(LogUnusable, match='role "nobody" does not exist'):
        await open_at(postgres_server.url("daily", user="nobody"))


@pytest.mark.parametrize(
    "part", ["sslmod=require", "foo=bar", "application_name=x", "user=a&user=b", "service=nope"]
)
async def test_an_unknown_parameter_is_rejected_before_connecting(part: str) -> None:
    with pytest.raises(LogUnusable, match=rf"{part.partition('=')[0]}.*(one of .*sslmode|repeat)"):
        await open_at(f"postgresql://postgres@127.0.0.1:1/ledgerpress?{part}&publication=daily")


@pytest.mark.parametrize(
    ("place", "parameters", "message"),
    [
        ("u@h/db", "host=h2", "has host= and a host after //: remove one of them"),
        ("u@h/db", "user=v", "has user= and a user before the @"),
        ("u:x@h/db", "password=y", "has password= and a password before the @"),
        ("u@h/db", "dbname=other", "has dbname= and a database after the host"),
        ("u@h/db", "database=other", "has database= and a database after the host"),
        ("u@h", "dbname=db&database=other", "has database= and dbname="),
        ("u@h/db", "port=5433", "has port= and a host after //, which must include the port"),
        ("u@/db", "host=h:5432&port=5433", "has a port in host= and in port="),
        ("u@/db", "host=h&port=x", "has an invalid port 'x': use a number from 1 to 65535"),
        ("u@/db", "host=h&port=99999", "has an invalid port '99999': use a number from 1 to 65535"),
        ("u@/db", "host=h:0", "has an invalid port '0'"),
        ("u@/db", "host=h,g&port=1,2,3", "has 3 ports for 2 hosts"),
        ("u@/db", "host=h,,g", "has no host before or after a comma"),
        ("u@h,/db", "sslmode=prefer", "has no host before or after a comma"),
        ("u@h/db", "target_session_attrs=bogus", "a server that is 'bogus'.*the log needs the primary"),
        ("u@h/db", "target_session_attrs=standby", "a server that is 'standby'.*the log needs the primary"),
    ],
)
async def test_a_url_with_duplicate_or_ignored_parts_is_rejected(
    place: str, parameters: str, message: str
) -> None:
    with pytest.raises(LogUnusable, match=message) as refusal:
        await open_at(f"postgresql://{place}?{parameters}&publication=daily")
    assert "password=y" not in str(refusal.value)


@pytest.mark.parametrize("target", ["read-write", "primary"])
async def test_a_url_can_require_the_primary(postgres_url: str, target: str) -> None:
    await (await open_at(f"{postgres_url}-{target}&target_session_attrs={target}")).aclose()


@pytest.mark.parametrize("name", ["sslrootcert", "sslcrl", "sslcert"])
@pytest.mark.parametrize("file", ["/nowhere/file.pem", __file__, "system"])
async def test_an_invalid_tls_file_is_named(name: str, file: str) -> None:
    url = "postgresql://postgres@127.0.0.1:1/ledgerpress?publication=daily&sslmode=verify-full"
    with pytest.raises(
        LogUnusable, match=rf"{name}='{file}' is not a file with .*certificate.* in PEM format"
    ):
        await open_at(f"{url}&{name}={file}")


async def test_an_invalid_tls_file_from_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", "/nowhere/root.pem")
    url = "postgresql://postgres@127.0.0.1:1/ledgerpress?publication=daily"
    with pytest.raises(LogUnusable, match=r"PGSSLROOTCERT=/nowhere/root\.pem is not a file"):
        await open_at(f"{url}&sslmode=verify-full")
    for unaffected_url in (url, f"{url}&sslmode=disable&sslrootcert=/nowhere/root.pem"):
        with pytest.raises(LogUnavailable, match="cannot be reached"):
            await open_at(unaffected_url)


@pytest.mark.parametrize("part", ["?sslmod=require&", "?sslmode=perhaps&"])
async def test_an_invalid_parameter_is_rejected(postgres_url: str, part: str) -> None:
    with pytest.raises(LogUnusable, match="sslmod"):
        await open_at(postgres_url.replace("?", part))


async def test_errors_contain_no_password(postgres_server: PostgresServer) -> None:
    url = postgres_server.url("daily", database="nothing").replace("postgres@", "postgres:secret@")
    with pytest.raises(LogUnusable) as refusal:
        await open_at(url)
    assert "secret" not in str(refusal.value)
    assert "secret" not in repr(connection.Server(url, "the server"))
    for parameters in (
        "port=x%3Bpassword%3Dsecret",
        "password=a&secret=b",
        "sslrootcert=x%3Bpassword%3Dsecret",
    ):
        with pytest.raises(LogUnusable) as refusal:
            await open_at(f"postgresql:///db?{parameters}&host=h&publication=daily")
        assert "secret" not in str(refusal.value)


async def test_opening_a_missing_log_for_reading_does_not_create_it(postgres_url: str) -> None:
    with pytest.raises(LogUnusable, match="there is no log 'test-"):
        await open_log(LogUrl.parse(postgres_url), Path(), create_as=None)


async def test_a_log_of_a_newer_program_is_rejected(postgres_server: PostgresServer) -> None:
    database = postgres_server.new_database("newer")
    url = postgres_server.url("daily", database=database)
    await (await open_at(url)).aclose()
    postgres_server.sql("UPDATE ledgerpress.log_head SET format = 2", database=database)
    with pytest.raises(LogUnusable, match=r"newer LedgerPress.*upgrade"):
        await open_at(url)


def test_without_asyncpg_the_error_names_the_extra_to_install(postgres_url: str, tmp_path: Path) -> None:
    program = "import sys; sys.modules['asyncpg'] = None; from ledgerpress.cli import main; main()"
    process = subprocess.run(
        [sys.executable, "-c", program, "head", "--data", tmp_path / "data", "--log", postgres_url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 3
    assert "pip install 'ledgerpress[postgres]'" in process.stderr.replace("\n", " ")


@pytest.mark.parametrize(("ahead", "why"), [(20.0, "ahead of"), (-20.0, "behind")])
async def test_a_writer_with_a_wrong_clock_cannot_write(
    postgres_server: PostgresServer, postgres_url: str, ahead: float, why: str
) -> None:
    right = await open_at(postgres_url)
    await right.append(command("first"))
    name = LogUrl.parse(postgres_url).publication
    wrong = await opened_with_clock(postgres_server, name, ahead)
    with pytest.raises(LogUnavailable, match=rf"clock is [\d.]+ seconds {why} the database server's"):
        await wrong.append(command("second"))
    assert len(await wrong.read(0, 10)) == 3
    assert await right.append(command("third")) == 6
    nearly = await opened_with_clock(postgres_server, name, 0.2 * ahead)
    assert await nearly.append(command("fourth")) == 9
    for log in (right, wrong, nearly):
        await log.aclose()


async def opened_with_clock(postgres: PostgresServer, name: str, ahead: float) -> PostgresEventLog:
    return await PostgresEventLog.open(
        connection.Server(postgres.address(), "the server"),
        name,
        create_as=lambda: uuid8("publication"),
        clock=lambda: time.time() + ahead,
    )
