"""The manifest of a feature: the only thing that the kernel and the features share.

The kernel knows no feature. It uses only what manifests declare, in the same way for first-party and third-party
features.
"""

from dataclasses import dataclass
from typing import Any

from ledgerpress.commands.command_and_guard_declarations import (
    AddedEvents,
    CommandDeclaration,
    GuardDeclaration,
    InputDeclaration,
)
from ledgerpress.commands.content_field_declarations_and_revert import ContentDeclaration
from ledgerpress.commands.roles_and_permissions import Permission
from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.views.feature_declarations import DependencyRule, HiddenRule, RecentEvents, Subject
from ledgerpress.views.listings.projector import ListingContribution
from ledgerpress.views.projection.projector_interface_and_composition import Projector


class InvalidFeature(ValueError):
    """A feature cannot be used, because its manifest breaks a rule or conflicts with another feature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """The manifest of a feature: everything that it adds. `requires` names the features that it builds on.

    The names in a third-party feature begin with `x.<name>` (`ledgerpress.feature.third_party_names`).
    """

    name: str
    requires: tuple[str, ...] = ()

    # --- writing: ledgerpress.commands.command_and_guard_declarations ---

    events: tuple[EventType[Event], ...] = ()
    """The events with the newest versions of their schemas. A released name or version MUST never change."""
    first_events: tuple[tuple[str, Event], ...] = ()
    """The first events of a new log, each with its stream."""
    streams: tuple[StreamCategory[Any], ...] = ()
    """The feature's stream categories, in which this feature and the features that require it record events.

    If the views show the version of such a stream, they MUST count events of every type.
    """
    permissions: tuple[Permission, ...] = ()
    """The permissions that this feature, and features that require it, check; each names the roles that have it."""
    commands: tuple[CommandDeclaration | str, ...] = ()
    """The commands. In this section, `guards` and `adds`, a lazy reference stands for a tuple of declarations.

    The modules of commands are then imported with the first command. Those of third-party features always are at once,
    because their declarations are checked.
    """
    error_codes: tuple[str, ...] = ()
    guards: tuple[GuardDeclaration | str, ...] = ()
    adds: tuple[AddedEvents | str, ...] = ()
    inputs: tuple[InputDeclaration, ...] = ()
    content: tuple[ContentDeclaration, ...] = ()

    # --- views: ledgerpress.views.feature_declarations ---

    projectors: tuple[Projector, ...] = ()
    """Projectors of several features with the same name are parts of one projection."""
    listings: tuple[ListingContribution, ...] = ()
    dependencies: tuple[DependencyRule, ...] = ()
    hidden: tuple[HiddenRule, ...] = ()
    subjects: tuple[Subject, ...] = ()
    recent_events: RecentEvents | None = None
    """A function that reads recent events from the views. Exactly one feature declares it."""

    # --- GraphQL, HTTP, settings, terminal: lazy references, "module:attribute" ---

    schema: str | None = None
    """A `ledgerpress.graphql.feature_declarations.SchemaContribution`, loaded when a schema is built."""
    pages: str | None = None
    """A `ledgerpress.http.pages.page_contributions_and_rendering.PageContribution`, loaded with the application."""
    routes: str | None = None
    """A function that takes a `ledgerpress.http.feature_routes.RouteContext` and returns Starlette routes."""
    settings: str | None = None
    """A `msgspec.Struct` with defaults: the section `x_<feature>` of the settings."""
    cli: str | None = None
    """A function, or a `typer.Typer`: the command `ledgerpress <feature>`."""
