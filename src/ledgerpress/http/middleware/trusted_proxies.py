"""Which proxies are trusted, and which address of `X-Forwarded-For` is the client's."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.network_names import ANY, address_of

_MAX_ADDRESSES: Final = 1_000
_MAPPED_PREFIX: Final = 96
"""The length of the prefix of IPv4 addresses that are mapped to IPv6 (RFC 4291, 2.5.5.2)."""


class TrustedProxies:
    """Addresses and networks of proxies. uvicorn's `ProxyHeadersMiddleware` uses it as `trusted_hosts`.

    `*` trusts every connection, but no address in the header: the last one was written by the proxy that
    opened the connection, and clients can choose all others.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._trusts_any = ANY in entries
        self._networks = [_network(entry) for entry in entries if entry != ANY]
        self._addresses = BoundedCache[str, bool](max_entries=_MAX_ADDRESSES)

    def __contains__(self, host: str | None) -> bool:
        """Return whether the address of a connection is that of a proxy. A client of a Unix socket has no address."""
        return self._trusts_any or (host is not None and self._is_in_networks(host))

    def get_trusted_client_address(self, forwarded_for: str) -> tuple[str, int]:
        """Return the address of the client and its port, or 0. The name is uvicorn's.

        It is the last address that does not belong to a trusted proxy, since each proxy appends the address of its
        client. If all belong to proxies, it is the first.
        """
        host, port = "", 0
        for entry in reversed(forwarded_for.split(",")):
            host, port = _host_and_port(entry.strip())
            if not self._is_in_networks(host):
                break
        return host, port

    def _is_in_networks(self, host: str) -> bool:
        is_in_networks = self._addresses.get(host)
        if is_in_networks is None:
            address = address_of(host)
            is_in_networks = address is not None and any(address in network for network in self._networks)
            self._addresses.put(host, is_in_networks)
        return is_in_networks


def _network(entry: str) -> IPv4Network | IPv6Network:
    """Return the network of an entry. A network of addresses that are mapped to IPv6 is an IPv4 network."""
    if (address := address_of(entry)) is not None:
        return ip_network(address)
    network = ip_network(entry)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < _MAPPED_PREFIX:
        return network
    return ip_network((mapped, network.prefixlen - _MAPPED_PREFIX))


def _host_and_port(value: str) -> tuple[str, int]:
    """Return the host in an entry of `X-Forwarded-For`, with the port if there is one: `[2001:db8::1]:80`, `192.0.2.1:80`."""
    if value.startswith("["):
        host, _, rest = value[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = value.rpartition(":") if value.count(":") == 1 else (value, "", "")
    return host, int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
