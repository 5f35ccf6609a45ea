"""An issuer's public keys (JWK set, RFC 7517): from a file, or fetched by URL and kept for a while."""

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from ledgerpress.adapters.oidc.http_fetch import CannotFetch, fetch

logger = logging.getLogger(__name__)

Key: TypeAlias = Mapping[str, Any]
"""A JWK, as the issuer wrote it."""
Keys: TypeAlias = Mapping[str | None, Key]
"""Keys by their id (`kid`)."""

STALE_SECONDS: Final = 86_400
"""For so long the last keys are used while newer ones cannot be fetched."""
_KEY_TYPES: Final = {"RSA", "EC", "OKP"}


class NoKeys(Exception):
    """The issuer's keys are not at hand; the message says why, to the operator."""


class KeySource(Protocol):
    """Where keys are looked up."""

    async def key(self, kid: str | None) -> Key | None:
        """Return the key with that id; without an id, the only key there is. Raises `NoKeys`."""
        ...


class KeysInFile:
    """The keys in a file, read anew when it has changed. While it cannot be read, the last keys stay in use."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises `NoKeys`."""
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._keys: Keys = {}
        self._look()

    async def key(self, kid: str | None) -> Key | None:
        """Return the key with that id; without an id, the only key there is."""
        try:
            self._look()
        except NoKeys as error:
            logger.warning("the keys read last are used: %s", error)
        return _named(self._keys, kid)

    def _look(self) -> None:
        try:
            state = self._path.stat()
            seen = (state.st_mtime_ns, state.st_size, state.st_ino)
            if seen == self._seen:
                return
            self._seen = seen
            self._keys = parsed(self._path.read_bytes())
        except OSError as error:
            raise NoKeys(f"{self._path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise NoKeys(f"{self._path} is not a JWK set: {error}") from error


class KeysByUrl:
    """The keys at a URL, fetched on a thread of their own when they are first needed, and from time to time.

    Keys that are older than `lifespan` are fetched anew while they go on serving; those of twice that age serve only
    where that failed, for up to `STALE_SECONDS`. A key that is not known has them fetched at once, but no sooner than
    `pause` seconds after the last attempt: so nobody can make this server ask the issuer again and again.
    """

    def __init__(self, url: str, *, lifespan: float, pause: float, timeout: float) -> None:
        """Take the URL; all times are in seconds."""
        self._url = url
        self._lifespan = lifespan
        self._pause = pause
        self._timeout = timeout
        self._keys: Keys = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._renewal: asyncio.Task[None] | None = None

    async def key(self, kid: str | None) -> Key | None:
        """Return the key with that id; without an id, the only key there is. Raises `NoKeys`."""
        age = time.monotonic() - self._fetched_at
        if age < STALE_SECONDS and (found := _named(self._keys, kid)):
            if age < self._lifespan:
                return found
            if age < 2 * self._lifespan or self._tried_at > self._fetched_at:
                self._renewal_under_way()
                return found
        if renewal := self._renewal_under_way():
            await asyncio.shield(renewal)
        if time.monotonic() - self._fetched_at >= STALE_SECONDS:
            raise NoKeys("the keys of the issuer cannot be fetched")
        return _named(self._keys, kid)

    def _renewal_under_way(self) -> asyncio.Task[None] | None:
        """Return the one fetch that all share who want it, which goes on without them; `None` so soon after the last."""
        if self._renewal is None or self._renewal.done():
            if time.monotonic() - self._tried_at < self._pause:
                return None
            self._renewal = asyncio.create_task(self._renew(), name="keys of the issuer")
        return self._renewal

    async def _renew(self) -> None:
        try:
            self._keys = parsed(await asyncio.to_thread(fetch, self._url, self._timeout))
        except (CannotFetch, ValueError) as error:
            self._tried_at = time.monotonic()
            logger.warning("the keys at %s cannot be used: %s", self._url, error)
        else:
            self._fetched_at = self._tried_at = time.monotonic()


def parsed(text: bytes) -> Keys:
    """Return the keys for signatures in a JWK set. Keys of other kinds are left out. Raises `ValueError`."""
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    keys = found.get("keys") if isinstance(found, dict) else None
    usable = {}
    for key in keys if isinstance(keys, list) else ():
        if isinstance(key, dict) and key.get("kty") in _KEY_TYPES and key.get("use", "sig") == "sig":
            kid = key.get("kid")
            usable[kid if isinstance(kid, str) else None] = key
    if not usable:
        raise ValueError("it holds no public key for signatures")
    return usable


def _named(keys: Keys, kid: str | None) -> Key | None:
    if kid is None and len(keys) == 1:
        return next(iter(keys.values()))
    return keys.get(kid)
