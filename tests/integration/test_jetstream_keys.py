"""Log in to NATS servers with a credentials file, for users with JWTs, and with an nkey file, for users with a key."""

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import nkeys  # type: ignore[import-untyped]
import pytest

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.eventlog.log import NO_STREAM, OpenedLog
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from scripts.engines.nats import NatsServer, running
from tests.contract.sample_events import everything, sample_write

UNLIMITED: Final = dict.fromkeys(
    ("subs", "data", "payload", "imports", "exports", "conn", "leaf", "mem_storage", "disk_storage", "streams", "consumer"),
    -1,
)  # fmt: skip


class Key:
    """A key pair of NATS (https://docs.nats.io, NKeys)."""

    def __init__(self, prefix: int) -> None:
        self.seed = nkeys.encode_seed(os.urandom(32), prefix).decode()
        self._pair = nkeys.from_seed(bytearray(self.seed, "ascii"))
        self.public: str = self._pair.public_key.decode()

    def jwt(self, subject: "Key", kind: str, **claims: Any) -> str:
        """Return a JWT of version 2 about `subject`, signed with this key."""
        header = {"typ": "JWT", "alg": "ed25519-nkey"}
        body = {
            "jti": subject.public,
            "iat": 1_700_000_000,
            "iss": self.public,
            "sub": subject.public,
            "name": kind,
            "nats": {"type": kind, "version": 2, **claims},
        }
        signed = f"{_base64url(json.dumps(header).encode())}.{_base64url(json.dumps(body).encode())}"
        return f"{signed}.{_base64url(self._pair.sign(signed.encode()))}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def user_key() -> Key:
    return Key(nkeys.PREFIX_BYTE_USER)


def write_credentials(path: Path, account: Key) -> Path:
    """Write the credentials file of a new user of an account, in the format of `nsc`."""
    user = user_key()
    jwt = account.jwt(user, "user", pub={}, sub={}, subs=-1, data=-1, payload=-1)
    path.write_text(
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        "************************* IMPORTANT *************************\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
    return path


@pytest.fixture
def operated(tmp_path: Path) -> Iterator[tuple[NatsServer, Path]]:
    """A server in operator mode, and a directory with the credentials files of its users."""
    operator = Key(nkeys.PREFIX_BYTE_OPERATOR)
    news, system = Key(nkeys.PREFIX_BYTE_ACCOUNT), Key(nkeys.PREFIX_BYTE_ACCOUNT)
    limits = {**UNLIMITED, "wildcards": True}
    without_storage = {**limits, "mem_storage": 0, "disk_storage": 0, "streams": 0, "consumer": 0}
    accounts = {
        news.public: operator.jwt(news, "account", limits=limits),
        system.public: operator.jwt(system, "account", limits=without_storage),
    }
    preload = "\n".join(f"{name}: {jwt}" for name, jwt in accounts.items())
    server = NatsServer(
        tmp_path / "nats",
        more=f"operator: {operator.jwt(operator, 'operator')}\nsystem_account: {system.public}\n"
        f"resolver: MEMORY\nresolver_preload: {{\n{preload}\n}}",
    )
    write_credentials(tmp_path / "news.creds", news)
    write_credentials(tmp_path / "system.creds", system)
    write_credentials(tmp_path / "other.creds", Key(nkeys.PREFIX_BYTE_ACCOUNT))
    with running(server):
        yield server, tmp_path


async def opened(url: str) -> OpenedLog:
    return await open_log(LogUrl.parse(url), Path(), create_as=lambda: uuid8("publication"))


async def assert_appends_and_reads(url: str) -> None:
    log = await opened(url)
    try:
        assert await log.append([sample_write("post.a", NO_STREAM, events=2)]) == 2
        assert len(await everything(log)) == 2
    finally:
        await log.aclose()


async def rejection(url: str) -> str:
    with pytest.raises(LogUnusable) as error:
        await opened(url)
    return str(error.value)


async def test_a_log_opens_with_credentials_files(operated: tuple[NatsServer, Path]) -> None:
    server, files = operated
    system = str(files / "system.creds")
    await assert_appends_and_reads(server.url("daily", credentials=str(files / "news.creds")))
    url = server.url("weekly", credentials=str(files / "news.creds"), monitor="", system_credentials=system)
    await assert_appends_and_reads(url)


async def test_wrong_credentials_are_rejected_with_the_name_of_their_file(
    operated: tuple[NatsServer, Path],
) -> None:
    server, files = operated
    other = str(files / "other.creds")
    assert f"reject the user of {other}" in await rejection(server.url("daily", credentials=other))
    assert "reject the user without a name" in await rejection(server.url("daily"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: "",
        lambda text: text.replace("BEGIN NATS USER JWT", "JWT"),
        lambda text: text[: text.index("************")],
        lambda text: text.replace("\nSU", "\nSA"),
        lambda text: text[: text.index("\n------END USER NKEY SEED")],
        lambda text: text.replace("\n", "\r\n"),
        lambda _: user_key().seed,
    ],
    ids=["empty", "no JWT", "no seed", "not a seed of a user", "cut", "CRLF", "only a seed"],
)
async def test_a_file_that_is_not_a_credentials_file_is_rejected(
    nats_server: NatsServer, tmp_path: Path, damage: Callable[[str], str]
) -> None:
    file = write_credentials(tmp_path / "news.creds", Key(nkeys.PREFIX_BYTE_ACCOUNT))
    file.write_bytes(damage(file.read_text()).encode())
    message = await rejection(nats_server.url("daily", credentials=str(file)))
    assert f"{file} is not a NATS credentials file" in message


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[tuple[NatsServer, Path]]:
    """A server with users that have only a key, and the nkey file of one of them."""
    key = user_key()
    file = tmp_path / "news.nk"
    file.write_text(f"{key.seed}\n")
    users = f"authorization {{ users: [ {{ nkey: {key.public} }} ] }}"
    server = NatsServer(tmp_path / "nats", more=users)
    with running(server):
        yield server, file


async def test_a_log_opens_with_an_nkey_file(keyed: tuple[NatsServer, Path]) -> None:
    server, file = keyed
    await assert_appends_and_reads(server.url("daily", nkey_file=str(file)))
    other = file.with_name("other.nk")
    other.write_text(user_key().seed)
    assert f"reject the user of {other}" in await rejection(server.url("daily", nkey_file=str(other)))


@pytest.mark.parametrize(
    "text",
    ["", "SUA", Key(nkeys.PREFIX_BYTE_ACCOUNT).seed, "\xff"],
    ids=["empty", "start of a seed", "seed of an account", "not UTF-8"],
)
async def test_a_file_that_is_not_an_nkey_file_is_rejected(
    nats_server: NatsServer, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "news.nk"
    file.write_bytes(text.encode("latin-1"))
    message = await rejection(nats_server.url("daily", nkey_file=str(file)))
    assert f"{file} does not contain the seed of a user" in message
    assert "other.nk cannot be read: it does not exist" in await rejection(
        nats_server.url("daily", nkey_file=str(tmp_path / "other.nk"))
    )


async def test_a_system_user_with_an_nkey_file_can_replace_the_monitoring_address(tmp_path: Path) -> None:
    keys = {name: user_key() for name in ("news", "system", "other")}
    files = {name: tmp_path / f"{name}.nk" for name in keys}
    for name, key in keys.items():
        files[name].write_text(f"{key.seed}\n")
    accounts = (
        f"accounts: {{ NEWS: {{ jetstream: enabled, users: [ {{ nkey: {keys['news'].public} }} ] }}, "
        f"SYS: {{ users: [ {{ nkey: {keys['system'].public} }} ] }} }}\nsystem_account: SYS"
    )
    server = NatsServer(tmp_path / "nats", more=accounts)
    with running(server):

        def url(system: Path) -> str:
            news = str(files["news"])
            return server.url("daily", monitor="", nkey_file=news, system_nkey_file=str(system))

        await assert_appends_and_reads(url(files["system"]))
        assert f"reject the user of {files['other']}" in await rejection(url(files["other"]))
        missing = tmp_path / "nowhere.nk"
        assert f"the nkey file {missing} cannot be read: it does not exist" in await rejection(url(missing))


async def test_a_url_names_one_file_at_most(nats_server: NatsServer) -> None:
    message = await rejection(nats_server.url("daily", credentials="a.creds", nkey_file="b.nk"))
    assert "use either credentials= or nkey_file=" in message
