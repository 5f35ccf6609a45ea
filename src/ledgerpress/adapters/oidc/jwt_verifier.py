"""Verifies the JWTs of an OpenID Connect issuer (RFC 7519, by the advice of RFC 8725)."""

import hashlib
import logging
import unicodedata
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import jwt
from jwt import PyJWK
from jwt.types import Options

from ledgerpress.adapters.oidc.jwks import Key, KeySource, NoKeys
from ledgerpress.commands import text_rules
from ledgerpress.commands.identity import Unauthenticated
from ledgerpress.eventlog.clock import Clock
from ledgerpress.features.tokens.authentication import VerifiedClaims

logger = logging.getLogger(__name__)

_KEY_TYPE: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
"""The type of key (`kty`) that each family of algorithms takes."""
_LONGEST_SUBJECT: Final = 1_000
_KNOWN: Final = 1_024
"""So many tokens are known at a time."""
_MICROSECONDS: Final = 1_000_000
_OPTIONS: Final[Options] = {
    "require": ["exp", "iss", "aud", "sub"],
    "enforce_minimum_key_length": True,
    # Times are told by the clock that is injected.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


class _Known(NamedTuple):
    """A token whose signature was found to be right, as long as the issuer still has the key."""

    kid: str | None
    key: Key
    claims: Mapping[str, Any]
    claimed: VerifiedClaims


class JwtVerifier:
    """Accepts the JWTs that one issuer signed for one audience.

    Which signatures are right is kept for a while, under the tokens' hashes; the key and the times are looked at with
    each request.
    """

    def __init__(
        self,
        keys: KeySource,
        clock: Clock,
        *,
        issuer: str,
        audience: str,
        algorithms: Sequence[str],
        role_claim: str,
        scope_claim: str | None = None,
        leeway: int = 0,
    ) -> None:
        """Take what tokens are checked against. `leeway` is in seconds."""
        self._keys = keys
        self._clock = clock
        self._issuer = issuer
        self._audience = audience
        self._algorithms = tuple(algorithms)
        self._role_claim = role_claim
        self._scope_claim = scope_claim
        self._leeway = leeway
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    async def verify(self, token: str) -> VerifiedClaims:
        """Return what `token` says. Raises `Unauthenticated`."""
        mark = hashlib.sha256(token.encode()).digest()
        known = self._known.get(mark)
        if known is None or await self._key(known.kid) != known.key:
            known = await self._looked_at(token)
            self._known[mark] = known
            if len(self._known) > _KNOWN:
                self._known.popitem(last=False)
        self._check_times(known.claims)
        return known.claimed

    async def _looked_at(self, token: str) -> "_Known":
        """Return what there is to know of a token, but for the time. Raises `Unauthenticated`."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise Unauthenticated("This token is neither one of this server nor a JWT.") from None
        algorithm = header.get("alg")
        if algorithm not in self._algorithms:
            raise Unauthenticated("The JWT is not signed by an algorithm that is accepted here.")
        kid = header.get("kid")
        key = await self._key(kid)
        if key is None:
            raise Unauthenticated("The JWT is signed by a key that is not the issuer's.")
        claims = self._verified(token, key, algorithm)
        return _Known(kid, key, claims, self._claimed(claims))

    async def _key(self, kid: str | None) -> Key | None:
        try:
            return await self._keys.key(kid)
        except NoKeys as error:
            logger.warning("JWTs cannot be verified: %s", error)
            raise Unauthenticated("JWTs cannot be verified at present: try again later.") from None

    def _verified(self, token: str, key: Key, algorithm: str) -> dict[str, Any]:
        """Return the claims, once signature, issuer and audience are found to be right."""
        # The key says what it may be used for, not the token: a public key must never pass for a shared secret.
        if key.get("kty") != _KEY_TYPE[algorithm[:2]] or key.get("alg", algorithm) != algorithm:
            raise Unauthenticated("The JWT is not signed by the algorithm of the issuer's key.")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                PyJWK(dict(key), algorithm),
                algorithms=self._algorithms,
                audience=self._audience,
                issuer=self._issuer,
                options=_OPTIONS,
            )
        except jwt.InvalidAudienceError:
            raise Unauthenticated("The JWT is for another audience.") from None
        except jwt.InvalidIssuerError:
            raise Unauthenticated("The JWT is from another issuer.") from None
        except jwt.MissingRequiredClaimError as error:
            raise Unauthenticated(f"The JWT lacks the claim {error.claim}.") from None
        except jwt.PyJWTError:
            raise Unauthenticated("The JWT is not as its issuer signed it.") from None
        return claims

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        """Raise `Unauthenticated` unless now, give or take the leeway, is from `nbf` up to, and without, `exp`."""
        now, leeway = self._clock.now() / _MICROSECONDS, self._leeway
        if not _number(claims, "exp") + leeway > now:
            raise Unauthenticated("The JWT has expired.")
        if "nbf" in claims and not _number(claims, "nbf") - leeway <= now:
            raise Unauthenticated("The JWT is not good yet.")

    def _claimed(self, claims: Mapping[str, Any]) -> VerifiedClaims:
        subject = claims["sub"]
        if not 0 < len(subject) <= _LONGEST_SUBJECT:
            raise Unauthenticated("The JWT names no subject.")
        scopes = None
        if self._scope_claim is not None:
            scopes = _words(_at(claims, self._scope_claim), split=True)
        return VerifiedClaims(
            issuer=self._issuer,
            subject=subject,
            name=_line(claims.get("name")) or _line(subject) or "Somebody",
            roles=_words(_at(claims, self._role_claim), split=False),
            scopes=scopes,
        )


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unauthenticated(f"The claim {name} of the JWT is not a number.")
    return value


def _at(claims: Mapping[str, Any], path: str) -> object:
    """Return the claim of that name; failing that, what the path, parted by dots, leads to."""
    if path in claims:
        return claims[path]
    found: object = claims
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _words(value: object, *, split: bool) -> frozenset[str]:
    """Return the strings that a claim holds: one, or a list."""
    if isinstance(value, str):
        return frozenset(value.split() if split else [value])
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else frozenset()


def _line(value: object) -> str:
    """Return a name as one can be recorded, or nothing."""
    if not isinstance(value, str):
        return ""
    seen = (
        one
        for one in value
        if unicodedata.category(one)[0] != "C" and unicodedata.category(one) not in {"Zl", "Zp"}
    )
    return unicodedata.normalize("NFC", "".join(seen)).strip()[: text_rules.MAX_NAME].strip()
