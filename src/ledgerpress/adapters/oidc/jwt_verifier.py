"""Verifies the JWTs of an OpenID Connect issuer (RFC 7519, with the recommendations of RFC 8725)."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import jwt
from jwt import PyJWK
from jwt.types import Options

from ledgerpress.adapters.oidc.jwks import Key, KeySource, NoKeys
from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.commands import text_rules
from ledgerpress.commands.client_identity import Unauthenticated, VerifiedClaims
from ledgerpress.eventlog.clock_randomness_ids import Clock

logger = logging.getLogger(__name__)

_KEY_TYPE: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
"""The key type (`kty`) of each family of algorithms."""
_MAX_SUBJECT: Final = 1_000
"""Characters."""
_MAX_CACHED_TOKENS: Final = 1_024
_MICROSECONDS: Final = 1_000_000
_OPTIONS: Final[Options] = {
    "require": ["exp", "iss", "aud", "sub"],
    "enforce_minimum_key_length": True,
    # Times are checked with the injected clock.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


class _CachedToken(NamedTuple):
    """A token whose signature was verified. It stays valid while the issuer has the key."""

    kid: str | None
    key: Key
    claims: Mapping[str, Any]
    verified: VerifiedClaims


@dataclass(frozen=True, kw_only=True, eq=False)
class JwtVerifier:
    """Accepts the JWTs that one issuer signed for one audience.

    Verified tokens are cached by their hash. The key and the times are checked for each request. `leeway` is in
    seconds.
    """

    keys: KeySource
    clock: Clock
    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    role_claim: str
    scope_claim: str | None = None
    leeway: int = 0
    _cache: BoundedCache[bytes, _CachedToken] = field(
        default_factory=lambda: BoundedCache(max_entries=_MAX_CACHED_TOKENS)
    )

    async def verify(self, token: str) -> VerifiedClaims:
        """Return the claims of `token`. Raises `Unauthenticated`."""
        digest = hashlib.sha256(token.encode()).digest()
        cached = self._cache.get(digest)
        if cached is None or await self._key(cached.kid) != cached.key:
            cached = await self._verify_signature(token)
            self._cache.put(digest, cached)
        self._check_times(cached.claims)
        return cached.verified

    async def _verify_signature(self, token: str) -> _CachedToken:
        """Verify everything except the times. Raises `Unauthenticated`."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise Unauthenticated("This token is neither a token of this server nor a JWT.") from None
        algorithm = header.get("alg")
        if algorithm not in self.algorithms:
            raise Unauthenticated("This server does not accept the algorithm of the JWT's signature.")
        kid = header.get("kid")
        key = await self._key(kid)
        if key is None:
            raise Unauthenticated("The JWT is not signed with a key of the issuer.")
        claims = self._decode(token, key, algorithm)
        return _CachedToken(kid, key, claims, self._verified_claims(claims))

    async def _key(self, kid: str | None) -> Key | None:
        try:
            return await self.keys.key(kid)
        except NoKeys as error:
            logger.warning("JWTs cannot be verified: %s", error)
            raise Unauthenticated("JWTs cannot be verified at present: try again later.") from None

    def _decode(self, token: str, key: Key, algorithm: str) -> dict[str, Any]:
        """Return the claims if signature, issuer and audience are valid."""
        # The key determines the algorithm, not the token: a public key must never be used as a shared secret.
        if key.get("kty") != _KEY_TYPE[algorithm[:2]] or key.get("alg", algorithm) != algorithm:
            raise Unauthenticated("The JWT is not signed with the algorithm of the issuer's key.")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                PyJWK(dict(key), algorithm),
                algorithms=self.algorithms,
                audience=self.audience,
                issuer=self.issuer,
                options=_OPTIONS,
            )
        except jwt.InvalidAudienceError:
            raise Unauthenticated("The JWT is for another audience.") from None
        except jwt.InvalidIssuerError:
            raise Unauthenticated("The JWT is from another issuer.") from None
        except jwt.MissingRequiredClaimError as error:
            raise Unauthenticated(f"The JWT lacks the claim {error.claim}.") from None
        except jwt.PyJWTError:
            raise Unauthenticated("The JWT has an invalid signature or invalid claims.") from None
        return claims

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        """Raise `Unauthenticated` unless `nbf` <= now < `exp`, within the leeway."""
        now, leeway = self.clock.now() / _MICROSECONDS, self.leeway
        if not _number(claims, "exp") + leeway > now:
            raise Unauthenticated("The JWT has expired.")
        if "nbf" in claims and not _number(claims, "nbf") - leeway <= now:
            raise Unauthenticated("The JWT is not valid yet.")

    def _verified_claims(self, claims: Mapping[str, Any]) -> VerifiedClaims:
        subject = claims["sub"]
        if not 0 < len(subject) <= _MAX_SUBJECT:
            raise Unauthenticated("The subject of the JWT is empty or too long.")
        scopes = None
        if self.scope_claim is not None:
            scopes = _words(_at(claims, self.scope_claim), split=True)
        return VerifiedClaims(
            issuer=self.issuer,
            subject=subject,
            name=_line(claims.get("name")) or _line(subject) or "Somebody",
            roles=_words(_at(claims, self.role_claim), split=False),
            scopes=scopes,
            expires_at=_microseconds(_number(claims, "exp") + self.leeway),
        )


_END_OF_TIME: Final = 2**40
"""A time, in seconds since 1970, later than the time of any clock."""


def _microseconds(seconds: float) -> int:
    """Return a time in microseconds since 1970; 0 for NaN and for earlier times."""
    return int(min(seconds, _END_OF_TIME) * _MICROSECONDS) if seconds > 0 else 0


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unauthenticated(f"The claim {name} of the JWT is not a number.")
    return value


def _at(claims: Mapping[str, Any], path: str) -> object:
    """Return the claim named `path`; if there is none, the value at the path, whose parts are separated by dots."""
    if path in claims:
        return claims[path]
    value: object = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _words(value: object, *, split: bool) -> frozenset[str]:
    """Return the strings in a claim, which is a string or a list. With `split`, split a string at whitespace."""
    if isinstance(value, str):
        return frozenset(value.split() if split else [value])
    items = value if isinstance(value, list) else ()
    return frozenset(item for item in items if isinstance(item, str))


def _line(value: object) -> str:
    """Return a name that can be recorded. May be empty."""
    return text_rules.name_from_elsewhere(value, limit=text_rules.MAX_NAME) if isinstance(value, str) else ""
