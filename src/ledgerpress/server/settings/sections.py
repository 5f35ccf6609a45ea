"""The sections of the settings, each declared next to what it configures, and the two profiles."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

from ledgerpress.features.tokens.anonymous_role_and_oidc_settings import AccessSettings
from ledgerpress.graphql.limits.settings import CacheSettings, Limits
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.health.settings import HealthSettings, MetricsSettings
from ledgerpress.http.middleware.cors import CorsSettings
from ledgerpress.http.middleware.security_headers import HeaderSettings
from ledgerpress.server.logging import LogSettings
from ledgerpress.server.settings.server_section import EVERY_ADDRESS, LOOPBACK, ServerSettings
from ledgerpress.server.tracing.settings import TracingSettings


class Profile(StrEnum):
    """What a server is used for. It determines the defaults of all settings."""

    DEVELOPMENT = "development"
    """One person on one machine evaluates or develops LedgerPress."""
    PRODUCTION = "production"
    """Others can reach the server."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a server. Each field is a section.

    The defaults of a section are those of production. If the defaults of development differ, the class method
    `development` of the section returns them. Add a field for a new section.
    """

    server: ServerSettings
    access: AccessSettings
    http: HttpSettings
    limits: Limits
    cache: CacheSettings
    live: SubscriptionSettings
    health: HealthSettings
    metrics: MetricsSettings
    logs: LogSettings
    tracing: TracingSettings
    cors: CorsSettings
    headers: HeaderSettings
    features: Mapping[str, msgspec.Struct] = {}
    """The sections of features, by name."""


Sections: TypeAlias = Mapping[str, type[msgspec.Struct]]
"""The type of each section by its name."""


def sections(features: Sections | None = None) -> Sections:
    """Return the type of each section by its name; sections of features come last."""
    own = {field.name: field.type for field in msgspec.structs.fields(Settings) if field.name != "features"}
    return {**own, **(features or {})}


def defaults(section: type[msgspec.Struct], profile: Profile) -> Any:
    """Return the defaults of a section in `profile`."""
    if profile is Profile.DEVELOPMENT and hasattr(section, "development"):
        return section.development()
    return section()


def contradiction(settings: Settings, profile: Profile) -> str | None:
    """Return a message about settings that contradict each other, or `None`."""
    server = settings.server
    if profile is Profile.DEVELOPMENT and server.host not in LOOPBACK:
        return (
            f"server.host is {server.host}: the development profile shows internal details, so its server listens only "
            f"on {', '.join(LOOPBACK)}; to listen on another address, use `--profile production`"
        )
    try:
        settings.access.check_host(server.host)
    except ValueError as error:
        return str(error)
    if server.host in EVERY_ADDRESS and not server.allowed_hosts:
        return (
            f"server.host is {server.host}, which is not a name for clients: set server.allowed_hosts to the names "
            "under which clients reach the server"
        )
    return None
