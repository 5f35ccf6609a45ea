"""The public keys of an issuer (JWK set, RFC 7517), read from a file, or fetched from a URL and cached."""

import asyncio
import http.client
import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final, Protocol, TypeAlias
from urllib.parse import urlsplit

from ledgerpress.eventlog.multi_host_url import is_loopback
from ledgerpress.system_errors import reason_of

logger = logging.getLogger(__name__)

Key: TypeAlias = Mapping[str, Any]
"""A JWK as the issuer published it."""
Keys: TypeAlias = Mapping[str | None, Key]
"""Keys by their id (`kid`)."""

STALE_SECONDS: Final = 86_400
"""Seconds for which the last keys stay in use while newer keys cannot be fetched."""
MAX_BYTES: Final = 1_000_000
"""The maximum size of a JWK set."""
_CHUNK_BYTES: Final = 65_536
_KEY_TYPES: Final = {"RSA", "EC", "OKP"}


class NoKeys(Exception):
    """The issuer's keys are not available. The message states the reason for the operator."""


class KeySource(Protocol):
    async def key(self, kid: str | None) -> Key | None:
        """Return the key with the id `kid`, if there is one; without an id, the only key. Raises `NoKeys`."""
        ...


class KeysInFile:
    """Keys from a file, which is read again when it changes. While it cannot be read, the last keys stay in use."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises `NoKeys`."""
        self._path = path
        self._file_state: tuple[int, ...] = ()
        self._keys: Keys = {}
        self._read_if_changed()

    async def key(self, kid: str | None) -> Key | None:
        try:
            self._read_if_changed()
        except NoKeys as error:
            logger.warning("the last keys stay in use: %s", error)
        return _find(self._keys, kid)

    def _read_if_changed(self) -> None:
        try:
            status = self._path.stat()
            file_state = (status.st_mtime_ns, status.st_size, status.st_ino)
            if file_state == self._file_state:
                return
            self._file_state = file_state
            self._keys = parse_keys(self._path.read_bytes())
        except OSError as error:
            raise NoKeys(f"{self._path} cannot be read: {reason_of(error)}") from error
        except ValueError as error:
            raise NoKeys(f"{self._path} is not a JWK set: {error}") from error


class KeysByUrl:
    """Keys from a URL, fetched on another thread when they are first needed, and refreshed later.

    Keys older than `lifespan` stay in use while they are fetched again. Keys older than twice `lifespan` are used only
    if the last fetch failed, for up to `STALE_SECONDS`. An unknown key id starts a fetch, but not until `min_interval`
    seconds after the last attempt. So no client can make this server send many requests to the issuer.
    """

    def __init__(self, url: str, *, lifespan: float, min_interval: float, timeout: float) -> None:
        """All times are in seconds."""
        self._url = url
        self._lifespan = lifespan
        self._min_interval = min_interval
        self._timeout = timeout
        self._keys: Keys = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetch_task: asyncio.Task[None] | None = None

    async def key(self, kid: str | None) -> Key | None:
        age = time.monotonic() - self._fetched_at
        if age < STALE_SECONDS and (key := _find(self._keys, kid)):
            if age < self._lifespan:
                return key
            if age < 2 * self._lifespan or self._tried_at > self._fetched_at:
                self._start_fetch()
                return key
        if fetch_task := self._start_fetch():
            await asyncio.shield(fetch_task)
        if time.monotonic() - self._fetched_at >= STALE_SECONDS:
            raise NoKeys("the keys of the issuer cannot be fetched")
        return _find(self._keys, kid)

    def _start_fetch(self) -> asyncio.Task[None] | None:
        """Return the fetch that all callers share, started if needed; `None` if the last attempt was too recent.

        The fetch continues if its callers are cancelled.
        """
        if self._fetch_task is None or self._fetch_task.done():
            if time.monotonic() - self._tried_at < self._min_interval:
                return None
            self._fetch_task = asyncio.create_task(self._fetch(), name="keys of the issuer")
        return self._fetch_task

    async def _fetch(self) -> None:
        try:
            self._keys = parse_keys(await asyncio.to_thread(self._download))
        except (CannotFetch, ValueError) as error:
            self._tried_at = time.monotonic()
            logger.warning("the keys at %s cannot be used: %s", self._url, error)
        else:
            self._fetched_at = self._tried_at = time.monotonic()

    def _download(self) -> bytes:
        """Return the JWK set. Blocks the thread. Raises `CannotFetch`."""
        return fetch(self._url, self._timeout)


def parse_keys(text: bytes) -> Keys:
    """Return the signature keys of a JWK set, without other keys. Raises `ValueError` if there are none."""
    try:
        jwk_set = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    keys = jwk_set.get("keys") if isinstance(jwk_set, dict) else None
    usable = {}
    for key in keys if isinstance(keys, list) else ():
        if isinstance(key, dict) and key.get("kty") in _KEY_TYPES and key.get("use", "sig") == "sig":
            kid = key.get("kid")
            usable[kid if isinstance(kid, str) else None] = key
    if not usable:
        raise ValueError("it contains no public key for signatures")
    return usable


def _find(keys: Keys, kid: str | None) -> Key | None:
    if kid is None and len(keys) == 1:
        return next(iter(keys.values()))
    return keys.get(kid)


class CannotFetch(Exception):
    """The fetch failed. The message contains the reason."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Rejects redirects, since any address other than the configured one may belong to an attacker."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None


def checked_url(url: str) -> str:
    """Return `url`. Raises `ValueError` unless it is https, or http to a loopback address."""
    parts = urlsplit(url)
    if not parts.hostname or not (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
    ):
        raise ValueError(f"{url} is not an https address; http is allowed only for a loopback address")
    return url


def fetch(url: str, timeout: float) -> bytes:
    """Return the content at `url` within `timeout` seconds in total. Blocks the thread. Raises `CannotFetch`."""
    deadline = time.monotonic() + timeout
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if is_loopback(urlsplit(checked_url(url)).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"Accept": "application/jwk-set+json, application/json"})  # noqa: S310 - checked
    body = bytearray()
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout) as response:
            while chunk := response.read1(_CHUNK_BYTES):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise CannotFetch(f"it is larger than {MAX_BYTES:,} bytes")
                if time.monotonic() > deadline:
                    raise CannotFetch(f"it took longer than {timeout:g} s")
    except urllib.error.HTTPError as error:
        error.close()
        raise CannotFetch(f"status {error.code}") from error
    except (OSError, http.client.HTTPException) as error:
        raise CannotFetch(str(error)) from error
    return bytes(body)
