"""The keys of an issuer that are found from its URL alone (OpenID Connect Discovery 1.0, section 4)."""

import json
import time
from typing import Final
from urllib.parse import urlsplit

from ledgerpress.adapters.oidc.jwks import CannotFetch, KeysByUrl, checked_url, fetch

WELL_KNOWN: Final = "/.well-known/openid-configuration"


class DiscoveredKeys(KeysByUrl):
    """Keys whose URL is in the issuer's configuration, which is fetched again before each fetch of the keys."""

    def __init__(self, issuer: str, *, lifespan: float, min_interval: float, timeout: float) -> None:
        """All times are in seconds; `timeout` covers both fetches. Raises `ValueError` if `issuer` is not a URL."""
        super().__init__(
            configuration_url(issuer), lifespan=lifespan, min_interval=min_interval, timeout=timeout
        )
        self._issuer = issuer

    def _download(self) -> bytes:
        deadline = time.monotonic() + self._timeout
        jwks_url = jwks_url_in(fetch(self._url, self._timeout), self._issuer)
        if (remaining := deadline - time.monotonic()) <= 0:
            raise CannotFetch(f"it took longer than {self._timeout:g} s")
        try:
            return fetch(jwks_url, remaining)
        except CannotFetch as error:
            raise CannotFetch(f"its jwks_uri {jwks_url} cannot be fetched: {error}") from error


def configuration_url(issuer: str) -> str:
    """Return the URL of the issuer's configuration (section 4.1). Raises `ValueError`."""
    parts = urlsplit(issuer)
    if parts.query or parts.fragment:
        raise ValueError(
            f"the OIDC issuer {issuer} has a query or a fragment, so its keys cannot be found from its URL: "
            "set the URL of its keys (JWKS)"
        )
    try:
        return checked_url(issuer.removesuffix("/") + WELL_KNOWN)
    except ValueError as error:
        raise ValueError(
            f"the keys of the OIDC issuer {issuer} can be found only if it is an https URL, or http on a loopback "
            "address; otherwise set the URL of its keys (JWKS) or a file with them"
        ) from error


def jwks_url_in(text: bytes, issuer: str) -> str:
    """Return the `jwks_uri` of a configuration. Raises `CannotFetch` if it is not that of `issuer` (section 4.3)."""
    try:
        configuration = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CannotFetch("it is not valid JSON") from error
    if not isinstance(configuration, dict):
        raise CannotFetch("it is not a JSON object")
    if (named := configuration.get("issuer")) != issuer:
        raise CannotFetch(
            f"it is the configuration of {json.dumps(named)[:200]}, not of {json.dumps(issuer)}: set the OIDC issuer "
            "exactly as its configuration has it"
        )
    jwks_url = configuration.get("jwks_uri")
    if not isinstance(jwks_url, str):
        raise CannotFetch("it has no jwks_uri")
    try:
        return checked_url(jwks_url)
    except ValueError as error:
        raise CannotFetch(f"its jwks_uri cannot be used: {error}") from error
