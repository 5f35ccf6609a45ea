"""Hosts with several addresses, some unreachable or of a standby; TLS and passwords use the host name."""

import asyncio
import datetime as dt
import socket
import ssl
import struct
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ledgerpress.adapters.postgres import connection, host_resolution_and_single_address_connect
from ledgerpress.adapters.postgres.connection import Server
from ledgerpress.eventlog.errors import LogUnavailable, LogUnusable
from scripts.engines.postgres import PostgresServer
from tests.integration.postgres_appends import command, open_at
from tests.integration.postgres_proxy import Proxy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")

HOST = "db.example"
ROLE = "reader"
PASSWORD = "tide"


@pytest.fixture(autouse=True)
def short_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "RETRY_TIMEOUT", 0.2)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server with a role that needs a password."""
    server = PostgresServer()
    try:
        server.sql(f"CREATE ROLE {ROLE} SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
        rules = server.data / "pg_hba.conf"
        rules.write_text(f"host all {ROLE} all scram-sha-256\n{rules.read_text('utf-8')}", "utf-8")
        server.sql("SELECT pg_reload_conf()")
        yield server
    finally:
        server.close()


@pytest.fixture
def standby() -> Iterator[PostgresServer]:
    standby = PostgresServer()
    try:
        standby.stop()
        (standby.data / "standby.signal").touch()
        standby.start()
        yield standby
    finally:
        standby.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for `HOST`, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
    return path


@asynccontextmanager
async def tls_proxy(port: int, certificate: Path, *, direct: bool) -> AsyncIterator[int]:
    """Terminate TLS in front of the server on `port`, which was built without TLS; yield the port to connect to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["postgresql"])
    tasks = set()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with suppress(OSError):
            if not direct:
                assert await reader.readexactly(8) == struct.pack("!ii", 8, 80_877_103)  # SSLRequest
                writer.write(b"S")
                await writer.start_tls(context)
            responses, requests = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(forward(reader, requests), forward(responses, writer))

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context if direct else None)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)


def resolve_names(**names: list[str]) -> None:
    """Resolve names of `.example` to these addresses in the running loop; a name without addresses times out."""
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def resolve(host: Any, port: Any, **options: Any) -> Any:
        if not str(host).endswith(".example"):
            return await real(host, port, **options)
        if not (addresses := names[host.partition(".")[0]]):
            await asyncio.sleep(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    loop.getaddrinfo = resolve  # type: ignore[method-assign]


def url(server: PostgresServer, publication: str, *, host: str = HOST, user: str = "postgres") -> str:
    return server.url(publication, user=user).replace("@127.0.0.1:", f"@{host}:")


@pytest.mark.parametrize("place", ["//", "host=", "PGHOST"])
async def test_an_unresponsive_address_does_not_delay_the_next_one(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    resolve_names(db=["127.0.0.2", "127.0.0.1"])
    log_url = url(server, f"silent-{place.strip('/=').lower()}")
    if place != "//":
        log_url = log_url.replace(f"{HOST}:{server.port}", "") + f"&port={server.port}"
    if place == "host=":
        log_url += f"&host={HOST}"
    if place == "PGHOST":
        monkeypatch.setenv("PGHOST", HOST)
    with socket.create_server(("127.0.0.2", server.port)):
        start = time.monotonic()
        log = await open_at(log_url)
        assert await log.append(command("first")) == 3
        assert time.monotonic() - start < 4
        await log.aclose()


async def test_the_address_that_accepts_writes_is_chosen(
    server: PostgresServer, standby: PostgresServer
) -> None:
    resolve_names(db=["127.0.0.2", "127.0.0.1"], old=["127.0.0.2"])
    async with Proxy.before(standby.port, at=("127.0.0.2", server.port)):
        log = await open_at(url(server, "primary"))
        assert await log.append(command("first")) == 3
        await log.aclose()
        with pytest.raises(LogUnavailable, match="replica"):
            await open_at(url(server, "primary", host="old.example"))


async def test_a_statement_is_cancelled_at_the_address_where_it_runs(
    server: PostgresServer, standby: PostgresServer
) -> None:
    resolve_names(db=["127.0.0.2", "127.0.0.1"])
    async with Proxy.before(standby.port, at=("127.0.0.2", server.port)):
        connection = await Server(url(server, "").partition("?")[0], "the server").connect()
        try:
            start = time.monotonic()
            with pytest.raises(TimeoutError):
                await connection.execute("SELECT pg_sleep(8)", timeout=0.2)
            assert await connection.fetchval("SELECT 1") == 1
            assert time.monotonic() - start < 4
        finally:
            connection.terminate()


@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
async def test_a_certificate_must_match_the_host_name(
    server: PostgresServer, certificate: Path, negotiation: str
) -> None:
    resolve_names(db=["127.0.0.2", "127.0.0.1"], other=["127.0.0.1"])
    async with tls_proxy(server.port, certificate, direct=negotiation == "direct") as port:
        by_tls = url(server, f"tls-{negotiation}").replace(str(server.port), str(port))
        by_tls += f"&sslmode=verify-full&sslrootcert={certificate}&sslnegotiation={negotiation}"
        log = await open_at(by_tls)
        assert await log.append(command("first")) == 3
        await log.aclose()
        for host in ("other.example", "127.0.0.1"):
            with pytest.raises(LogUnusable, match="certificate is not valid for"):
                await open_at(by_tls.replace(HOST, host))


async def test_a_password_is_found_by_the_host_name(server: PostgresServer, tmp_path: Path) -> None:
    resolve_names(db=["127.0.0.2", "127.0.0.1"], other=["127.0.0.1"])
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"{HOST}:{server.port}:*:{ROLE}:{PASSWORD}\n", "utf-8")
    passwords.chmod(0o600)
    await (await open_at(f"{url(server, 'passfile', user=ROLE)}&passfile={passwords}")).aclose()
    with pytest.raises(LogUnusable, match="password"):
        await open_at(f"{url(server, 'passfile', user=ROLE, host='other.example')}&passfile={passwords}")


async def test_a_name_that_cannot_be_resolved_does_not_delay_the_next_host(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_names(slow=[])
    start = time.monotonic()
    await (await open_at(url(server, "unnamed", host=f"slow.example:{server.port},127.0.0.1"))).aclose()
    assert time.monotonic() - start < 4
    monkeypatch.setattr(host_resolution_and_single_address_connect, "RESOLVE_TIMEOUT", 0.1)
    with pytest.raises(LogUnavailable, match=r"slow\.example could not be resolved in time"):
        await open_at(url(server, "unnamed", host="slow.example"))
    with pytest.raises(LogUnavailable, match="cannot be reached"):
        await open_at(url(server, "unnamed", host="nobody.invalid"))
    with pytest.raises(LogUnusable, match=r"\.\.invalid is not a host name"):
        await open_at(url(server, "unnamed", host="..invalid"))
    with pytest.raises(LogUnusable, match="the host in the URL is not a host name"):
        await open_at(url(server, "unnamed", host="..invalid;password=secret"))


async def test_an_untested_version_of_asyncpg_chooses_the_address_itself(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(host_resolution_and_single_address_connect, "TESTED_ASYNCPG", "none")
    await (await open_at(url(server, "untested", host="localhost"))).aclose()
    assert "was not tested to connect to each address of a host" in caplog.text
