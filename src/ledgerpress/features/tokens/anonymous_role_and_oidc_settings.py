"""Settings of access: the role of anonymous requests, and the OpenID Connect issuer of JWTs."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.eventlog.multi_host_url import is_loopback

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""The signatures that can be allowed (RFC 7518, 3.1 and RFC 8037): those that only the issuer's private key can make."""


class AccessSettings(msgspec.Struct, kw_only=True, frozen=True):
    """Who may come in, and as what. What makes no sense is refused with a `ValueError`."""

    anonymous_role: Annotated[
        Role,
        Meta(
            description="What a request without an Authorization header may do. Any but reader needs a server that "
            "listens on a loopback address."
        ),
    ] = Role.READER
    oidc_issuer: Annotated[
        str | None, Meta(description="The issuer of JWTs, to the letter. Without one, JWTs are refused.")
    ] = None
    oidc_audience: Annotated[
        str | None, Meta(description="The audience that a JWT must be for; needed with an issuer.")
    ] = None
    oidc_jwks_url: Annotated[
        str | None, Meta(description="Where the issuer's keys are (a JWK set): https, or http on loopback.")
    ] = None
    oidc_jwks_file: Annotated[
        str | None,
        Meta(description="A file with the issuer's keys, instead of the URL; read anew as it changes."),
    ] = None
    oidc_algorithms: Annotated[
        tuple[str, ...],
        Meta(description="The signatures that are accepted; none but asymmetric ones can be."),
    ] = ("RS256", "ES256", "EdDSA")
    oidc_role_claim: Annotated[
        str,
        Meta(
            description="The claim that holds the role, or a list of roles; dots lead inside, as in realm_access.roles."
        ),
    ] = "role"
    oidc_scope_claim: Annotated[
        str | None,
        Meta(
            description="A claim that narrows the role: scopes as a list, or with spaces between. Not used where absent."
        ),
    ] = None
    oidc_leeway_seconds: Annotated[
        int, Meta(ge=0, le=600, description="By how much the issuer's clock may differ from this machine's.")
    ] = 60
    oidc_jwks_seconds: Annotated[
        int, Meta(ge=1, description="How long fetched keys are used before they are fetched again.")
    ] = 300
    oidc_jwks_pause_seconds: Annotated[
        float,
        Meta(ge=0, description="The least pause between two fetches, such as for keys that nobody knows."),
    ] = 10.0
    oidc_jwks_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long a fetch of the keys may take altogether.")
    ] = 5.0

    def __post_init__(self) -> None:
        """Raise `ValueError`, with words for the operator, for what makes no sense."""
        if refused := [one for one in self.oidc_algorithms if one not in ALGORITHMS]:
            raise ValueError(
                f"JWTs cannot be accepted by {', '.join(refused)}, but by {', '.join(ALGORITHMS)}"
            )
        if self.oidc_issuer is None:
            return
        if not self.oidc_audience:
            raise ValueError("with an OIDC issuer, the audience must be set too")
        if (self.oidc_jwks_url is None) == (self.oidc_jwks_file is None):
            raise ValueError("with an OIDC issuer, set either the URL of its keys (JWKS) or a file with them")

    def check_host(self, host: str) -> None:
        """Raise `ValueError`, with words for the operator, for what must not be served on `host`."""
        if self.anonymous_role is not Role.READER and not is_loopback(host):
            raise ValueError(
                f"everyone who reaches {host} would be {self.anonymous_role.value} without a token: "
                "set the anonymous role to reader, or listen on 127.0.0.1"
            )
