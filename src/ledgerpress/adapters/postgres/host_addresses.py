"""The addresses of a host that has several, each of which is tried by itself: one may be dead, or a standby's."""

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Any, cast

from ledgerpress.eventlog.errors import LogUnusable

RESOLVE_SECONDS = 5.0


async def addresses_of(name: str) -> list[str]:
    """Return the addresses of a host, in the order in which the system prefers them. Raises `OSError` where it has none."""
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(name, 0, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise OSError(f"nobody says which address {_shown(name)} has") from error
    except UnicodeError as error:
        raise LogUnusable(f"{_shown(name)} is no name of a host: correct the URL") from error
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    return list(dict.fromkeys(socket.getnameinfo(place, numeric)[0] for *_, place in found))


def _shown(name: str) -> str:
    # Anything else may be a password at a wrong place.
    return name if re.fullmatch(r"[\w.-]+", name) else "what the URL has as a host"


def loop_towards(address: str) -> asyncio.AbstractEventLoop:
    """Return the running loop as asyncpg is to use it, to connect to that address of the host that it is given."""
    return cast("asyncio.AbstractEventLoop", _Towards(asyncio.get_running_loop(), address))


class _Towards:
    """A loop that connects to one address, also to cancel a statement there.

    asyncpg takes no address beside a name; and TLS, Kerberos and a file of passwords have to go by the name.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, address: str) -> None:
        self._loop = loop
        self._address = address

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    # asyncpg asks which task runs in its loop.
    def __eq__(self, other: object) -> bool:
        return self is other or self._loop is other

    def __hash__(self) -> int:
        return hash(self._loop)

    async def create_connection(
        self, protocol: Callable[[], asyncio.BaseProtocol], host: str, port: int, **options: Any
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        if options.get("ssl"):
            options.setdefault("server_hostname", host)
        return await self._loop.create_connection(protocol, self._address, port, **options)
