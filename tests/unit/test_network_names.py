"""Hosts, origins and proxies: what an entry matches, and which entries are rejected when the settings are loaded."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ledgerpress.http.limits import client_address
from ledgerpress.http.middleware.trusted_proxies import TrustedProxies
from ledgerpress.network_names import is_allowed_origin, without_default_port
from ledgerpress.server.settings import InvalidSettings
from ledgerpress.server.settings.loading import load

ACCEPTED = {
    "server.trusted_proxies": ["127.0.0.1", "::1", "::ffff:10.0.0.1", "10.0.0.0/8", "fd00::/8", "*"],
    "server.allowed_hosts": ["*", "x", "News.example.org", "*.example.org", "10.1.2.3", "::1", "[::1]", "my_service"],
    "live.allowed_origins": ["https://a.example", "http://localhost:5173", "http://[::1]:1", "app://desk", "localhost"],
    "cors.origins": ["https://a.example:8443", "*", "localhost"],
    "cors.request_headers": ["Accept", "X-1"],
    "cors.exposed_headers": ["ETag"],
    "access.oidc_algorithms": ["RS256"],
}  # fmt: skip
REJECTED = [
    ("server.trusted_proxies", "nginx", "'nginx' is a name; names are not looked up"),
    ("server.trusted_proxies", "10.0.0.0/33", "'10.0.0.0/33' is neither an address nor a network"),
    ("server.trusted_proxies", "10.0.0.1/8", "write 10.0.0.0/8"),
    ("server.trusted_proxies", "127.0.0.1:80", "neither"),
    ("server.trusted_proxies", "256.1.1.1", "neither"),
    ("server.allowed_hosts", "https://x", "'https://x' has a scheme"),
    ("server.allowed_hosts", "name:8443", "'name:8443' has a port: write name"),
    ("server.allowed_hosts", "[::1]:80", "has a port: write [::1]"),
    ("server.allowed_hosts", "x/y", "has a path"),
    ("server.allowed_hosts", "a.*", "is not a name"),
    ("server.allowed_hosts", "*a.example", "is not a name"),
    ("server.allowed_hosts", "zeitung.öffentlich.example", "write zeitung.xn--ffentlich-z7a.example"),
    ("live.allowed_origins", "localhost:5173", "write https://localhost:5173"),
    ("live.allowed_origins", "https://A.example", "write https://a.example"),
    ("live.allowed_origins", "https://a.example/", "more than a scheme, a host and a port"),
    ("live.allowed_origins", "*", "has no scheme"),
    ("cors.origins", "https://a.example:443", "write https://a.example"),
    ("cors.origins", "null", "has no scheme"),
    ("cors.request_headers", "X Y", "is not the name of a header"),
    ("cors.exposed_headers", "ETag:", "is not the name of a header"),
    ("access.oidc_algorithms", "HS256", "HS256"),
]


def variable_of(name: str) -> str:
    return f"LEDGERPRESS_{name.removeprefix('server.').removeprefix('access.').replace('.', '_').upper()}"


@pytest.mark.parametrize("name", ACCEPTED)
def test_valid_entries_of_lists_are_accepted(name: str) -> None:
    entries = ACCEPTED[name]
    section, _, field = name.partition(".")
    for settings in (
        load({name: entries}, {}).settings,
        load({}, {variable_of(name): ",".join(entries)}).settings,
    ):
        assert getattr(getattr(settings, section), field) == tuple(entries)


@pytest.mark.parametrize(("name", "entry", "reason"), REJECTED)
def test_an_invalid_entry_is_rejected_from_every_source(
    name: str, entry: str, reason: str, tmp_path: Path
) -> None:
    section, _, field = name.partition(".")
    file = tmp_path / "settings.toml"
    file.write_text(f"[{section}]\n{field} = {json.dumps([entry], ensure_ascii=False)}\n", "utf-8")
    sources: dict[str, Callable[[], object]] = {
        "the command line": lambda: load({name: [entry]}, {}),
        variable_of(name): lambda: load({}, {variable_of(name): entry}),
        str(file): lambda: load({}, {}, file),
    }
    for source, load_from in sources.items():
        with pytest.raises(InvalidSettings) as caught:
            load_from()
        (mistake,) = caught.value.mistakes
        assert mistake.startswith(f"{name} from {source}")
        assert "it must be a list, each entry " in mistake
        assert reason in mistake


@pytest.mark.parametrize(
    ("entries", "connection", "forwarded_for", "client"),
    [
        (["127.0.0.1"], "::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
        (["::ffff:127.0.0.1"], "127.0.0.1", "203.0.113.9", "203.0.113.9"),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", "198.51.100.1, 203.0.113.9, ::ffff:10.9.9.9", "203.0.113.9"),
        (["::ffff:10.0.0.0/104"], "10.1.2.3", "203.0.113.9", "203.0.113.9"),
        (["::/0"], "10.1.2.3", "203.0.113.9", None),
        (["::1"], "0:0::1", "203.0.113.9:4711", "203.0.113.9"),
        (["::1"], "::1", "[2001:db8::9]:4711", "2001:db8::9"),
        (["*"], "192.0.2.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (["*", "10.0.0.0/8"], None, "198.51.100.1, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (["10.0.0.0/8"], "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        (["10.0.0.0/8"], "192.0.2.1", "203.0.113.9", None),
        (["10.0.0.0/8"], None, "203.0.113.9", None),
        ([], "127.0.0.1", "203.0.113.9", None),
    ],
)
def test_the_client_is_the_nearest_address_that_is_not_a_trusted_proxy(
    entries: list[str], connection: str | None, forwarded_for: str, client: str | None
) -> None:
    proxies = TrustedProxies(entries)
    for _ in range(2):  # the second time from the cache
        assert (connection in proxies) == (client is not None)
        if client is not None:
            assert proxies.get_trusted_client_address(forwarded_for)[0] == client


def test_a_mapped_address_has_the_rate_limit_of_its_ipv4_address() -> None:
    assert client_address(("::ffff:192.0.2.1", 1)) == client_address(("192.0.2.1", 2)) == "192.0.2.1"
    assert client_address(("2001:db8::1", 1)) == client_address(("2001:db8::2%eth0", 2)) == "2001:db8::/64"


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("http://localhost", True),
        ("http://localhost:5173", True),
        ("https://app.localhost:3000", True),
        ("http://127.0.0.1:1", True),
        ("http://[::1]:3000", True),
        ("http://localhost.evil.example", False),
        ("http://evil.example:5173", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://notlocalhost", False),
        ("http://localhost:5173/", False),
        ("null", False),
        ("localhost", False),
    ],
)
def test_localhost_means_all_pages_of_this_machine(origin: str, is_allowed: bool) -> None:
    assert is_allowed_origin(origin, ["localhost"]) is is_allowed
    assert not is_allowed_origin(origin, [])


def test_default_ports_are_left_out_of_hosts() -> None:
    assert without_default_port("https", "a.example:443") == "a.example"
    assert without_default_port("http", "a.example:443") == "a.example:443"
    assert without_default_port("app", "a.example:443") == "a.example:443"
