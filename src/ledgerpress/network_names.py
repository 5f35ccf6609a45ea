"""Hosts, origins, proxies and header names as entries of settings, and what an entry matches.

Settings declare their entries with the types below. The settings are checked when they are loaded
(`server/settings/loading.py`), and each message names the entry that is wrong.
"""

import re
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Annotated, Final

from msgspec import Meta

ANY: Final = "*"
LOCALHOST: Final = "localhost"
"""As an origin: all pages that are served by the machine of the browser, on any port."""

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)
_ORIGIN: Final = re.compile(
    rf"([a-z][a-z0-9+.-]*)://({_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::(\d{{1,5}}))?"
)
_LOCAL_ORIGIN: Final = re.compile(
    rf"https?://(?:(?:{_LABEL}\.)*localhost|127(?:\.\d{{1,3}}){{3}}|\[::1\])(?::\d{{1,5}})?"
)
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443", "ws": "80", "wss": "443"}


def without_default_port(scheme: str, host: str) -> str:
    """Return a host without the default port of the scheme, as browsers write it (RFC 3986, 6.2.3)."""
    port = _DEFAULT_PORTS.get(scheme)
    return host.removesuffix(f":{port}") if port else host


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Return an IP address, or `None` if the text is none. An IPv4 address that is mapped to IPv6 is an IPv4 address.

    Clients of a listener for IPv6 and IPv4 have such addresses (RFC 4291, 2.5.5.2).
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_allowed_origin(origin: str, allowed: Collection[str]) -> bool:
    """Return whether a page of `origin` (RFC 6454, 6.1) is allowed by entries of the type `Origin`."""
    return ("://" in origin and origin in allowed) or (
        LOCALHOST in allowed and _LOCAL_ORIGIN.fullmatch(origin) is not None
    )


def _mistake_in_proxy(entry: str) -> str | None:
    if entry == ANY or address_of(entry):
        return None
    try:
        network = ip_network(entry, strict=False)
    except ValueError:
        if _NAME.fullmatch(entry) and not entry.replace(".", "").isdigit():
            return "is a name; names are not looked up: use the address or the network of the proxy"
        return "is neither an address nor a network"
    if str(network.network_address) != str(ip_address(entry.partition("/")[0])):
        return f"has bits beyond its prefix: write {network}"
    return None


def _mistake_in_host(entry: str) -> str | None:
    name = entry.removeprefix("*.")
    if entry == ANY or _NAME.fullmatch(name) or (name == entry and address_of(entry.strip("[]"))):
        return None
    if "//" in entry:
        return "has a scheme: write only the name"
    if "/" in entry:
        return "has a path: write only the name"
    host, _, port = entry.rpartition(":")
    if port.isdigit() and (_NAME.fullmatch(host.removeprefix("*.")) or host.endswith("]")):
        return f"has a port: write {host}, which allows every port"
    if not entry.isascii():
        try:
            return f"is not in ASCII: write {entry.encode('idna').decode()}, as browsers send it"
        except UnicodeError:
            pass
    return "is not a name"


def _mistake_in_origin(entry: str) -> str | None:
    if entry == LOCALHOST:
        return None
    match = _ORIGIN.fullmatch(entry)
    if match is None:
        if _ORIGIN.fullmatch(entry.lower()):
            return f"has capital letters: write {entry.lower()}"
        if "://" not in entry:
            return f"has no scheme: write https://{entry}"
        return "has more than a scheme, a host and a port"
    if match[3] and match[3] == _DEFAULT_PORTS.get(match[1]):
        return f"has the default port, which browsers leave out: write {match[1]}://{match[2]}"
    return None


def _mistake_in_origin_or_any(entry: str) -> str | None:
    return None if entry == ANY else _mistake_in_origin(entry)


def _mistake_in_header(entry: str) -> str | None:
    return None if _HEADER.fullmatch(entry) else "is not the name of a header"


def _entry(allowed: str, mistake: Callable[[str], str | None]) -> Meta:
    """Declare an entry. `allowed` describes it; `mistake` returns what is wrong with a value, or `None`."""
    return Meta(extra={"allowed": allowed, "mistake": mistake})


_ORIGINS: Final = (
    "an origin such as `https://www.example.org`, `localhost` for all pages of the browser's own machine"
)
ProxyAddress = Annotated[
    str, _entry("an IP address, a network such as `10.0.0.0/8`, or `*`", _mistake_in_proxy)
]
HostName = Annotated[
    str,
    _entry(
        "a name without scheme and port, `*.` and a name for its subdomains, an IP address, or `*`",
        _mistake_in_host,
    ),
]
Origin = Annotated[str, _entry(_ORIGINS, _mistake_in_origin)]
OriginOrAny = Annotated[str, _entry(f"{_ORIGINS}, or `*`", _mistake_in_origin_or_any)]
HeaderName = Annotated[str, _entry("the name of a header", _mistake_in_header)]
