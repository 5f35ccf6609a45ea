"""Resolves a host, and connects to each address separately: an address may be dead, or belong to a standby."""

import asyncio
import logging
import re
import socket
from collections.abc import Callable
from typing import Any, Final, cast

import asyncpg

from ledgerpress.eventlog.errors import LogUnusable

logger = logging.getLogger(__name__)

RESOLVE_TIMEOUT = 5.0
"""Seconds that the resolution of a host may take."""
TESTED_ASYNCPG: Final = "0.32."
"""The releases of asyncpg that are known to connect only with `loop.create_connection`."""


async def addresses_of(name: str) -> list[str]:
    """Return the addresses of a host, in the system's order of preference. Raises `OSError` if it has none."""
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT):
            infos = await asyncio.get_running_loop().getaddrinfo(name, 0, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise OSError(f"{_displayed(name)} could not be resolved in time") from error
    except UnicodeError as error:
        raise LogUnusable(f"{_displayed(name)} is not a host name: correct the URL") from error
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    addresses = [socket.getnameinfo(sockaddr, numeric)[0] for *_, sockaddr in infos]
    return list(dict.fromkeys(addresses))


def _displayed(name: str) -> str:
    # Any other text may be a misplaced password, which must not be displayed.
    return name if re.fullmatch(r"[\w.-]+", name) else "the host in the URL"


def loop_connecting_to(address: str) -> asyncio.AbstractEventLoop | None:
    """Return an event loop for `asyncpg.connect` that connects to `address` instead of resolving the host.

    Returns `None` if the version of asyncpg was not tested with this; asyncpg then chooses the address itself.
    """
    if not asyncpg.__version__.startswith(TESTED_ASYNCPG):
        logger.warning(
            "asyncpg %s was not tested to connect to each address of a host: asyncpg chooses an address itself",
            asyncpg.__version__,
        )
        return None
    return cast("asyncio.AbstractEventLoop", _SingleAddressLoop(asyncio.get_running_loop(), address))


class _SingleAddressLoop:
    """A proxy of the event loop that always connects to one address, even to cancel a statement.

    asyncpg has no parameter for an address in addition to the name, and TLS, Kerberos and password files need the name.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, address: str) -> None:
        self._loop = loop
        self._address = address

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    # asyncpg looks up the current task of its loop, which needs equality with the real loop.
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
