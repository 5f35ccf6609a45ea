"""Settings for access: the role of anonymous requests, and the OpenID Connect issuer of JWTs."""

from typing import Annotated, Final, Literal, get_args

import msgspec
from msgspec import Meta

from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.eventlog.multi_host_url import is_loopback

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
]  # fmt: skip
ALGORITHMS: Final[tuple[Algorithm, ...]] = get_args(Algorithm)
"""The signature algorithms that can be allowed, all asymmetric (RFC 7518, section 3.1, and RFC 8037).

Only the issuer's private key can create their signatures.
"""


class AccessSettings(msgspec.Struct, kw_only=True, frozen=True):
    """The role of anonymous clients, and the OpenID Connect issuer whose JWTs are accepted.

    Raises `ValueError` for invalid values.
    """

    anonymous_role: Annotated[
        Role,
        Meta(
            description="The role of requests without an Authorization header. Any role except reader requires a "
            "server that listens on a loopback address."
        ),
    ] = Role.READER
    oidc_issuer: Annotated[
        str | None,
        Meta(
            description="The issuer of JWTs, exactly as in their iss claim. Without an issuer, JWTs are rejected."
        ),
    ] = None
    oidc_audience: Annotated[
        str | None, Meta(description="The audience that JWTs must have; required with an issuer.")
    ] = None
    oidc_jwks_url: Annotated[
        str | None,
        Meta(
            description="The URL of the issuer's keys (a JWK set): https, or http on a loopback address. If neither "
            "this nor the file is set, the URL is `jwks_uri` in `<issuer>/.well-known/openid-configuration` (OpenID "
            "Connect Discovery 1.0)."
        ),
    ] = None
    oidc_jwks_file: Annotated[
        str | None,
        Meta(description="A file with the issuer's keys, instead of the URL; read again when it changes."),
    ] = None
    oidc_algorithms: Annotated[
        tuple[Algorithm, ...],
        Meta(description="The accepted signature algorithms; only asymmetric ones can be set."),
    ] = ("RS256", "ES256", "EdDSA")
    oidc_role_claim: Annotated[
        str,
        Meta(
            description="The claim with the role or a list of roles; dots select nested claims: realm_access.roles."
        ),
    ] = "role"
    oidc_scope_claim: Annotated[
        str | None,
        Meta(
            description="A claim that limits the permissions of the role: a list of scopes, or scopes separated by "
            "spaces. A JWT without this claim keeps all permissions of the role."
        ),
    ] = None
    oidc_leeway_seconds: Annotated[
        int,
        Meta(
            ge=0, le=600, description="The accepted difference between the issuer's clock and this machine's."
        ),
    ] = 60
    oidc_jwks_seconds: Annotated[
        int, Meta(ge=1, description="How long fetched keys are used before they are fetched again.")
    ] = 300
    oidc_jwks_pause_seconds: Annotated[
        float,
        Meta(ge=0, description="The minimum time between two fetches, even when JWTs name unknown keys."),
    ] = 10.0
    oidc_jwks_timeout_seconds: Annotated[
        float, Meta(gt=0, description="The timeout for finding and fetching the keys, in total.")
    ] = 5.0

    def __post_init__(self) -> None:
        """Raise `ValueError`, with a message for the operator, for invalid settings."""
        if self.oidc_issuer is None:
            return
        if not self.oidc_audience:
            raise ValueError("with an OIDC issuer, the audience must be set too")
        if self.oidc_jwks_url is not None and self.oidc_jwks_file is not None:
            raise ValueError(
                "set either the URL of the OIDC issuer's keys (JWKS) or a file with them, not both"
            )

    def check_host(self, host: str) -> None:
        """Raise `ValueError`, with a message for the operator, if the role must not be granted to clients of `host`."""
        if self.anonymous_role is not Role.READER and not is_loopback(host):
            raise ValueError(
                f"everyone who can reach {host} would have the role {self.anonymous_role.value} without a token: "
                "set the anonymous role to reader, or listen on 127.0.0.1"
            )
