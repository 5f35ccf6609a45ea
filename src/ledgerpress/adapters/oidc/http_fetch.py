"""One HTTP GET, limited in bytes and seconds, without redirects, over https or to this machine."""

import http.client
import time
import urllib.error
import urllib.request
from typing import IO, Any, Final
from urllib.parse import urlsplit

from ledgerpress.eventlog.multi_host_url import is_loopback

MAX_BYTES: Final = 1_000_000
_CHUNK_BYTES: Final = 65_536


class CannotFetch(Exception):
    """The fetch failed; the message contains the reason."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Rejects redirects: another address than the configured one may belong to anybody."""

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
        raise ValueError(f"{url} is not an https address; http will do on a loopback address only")
    return url


def fetch(url: str, timeout: float) -> bytes:
    """Return the content at `url`, within `timeout` seconds in total. It blocks. Raises `CannotFetch`."""
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
