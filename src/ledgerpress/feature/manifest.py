"""The manifest of a feature: the only thing that the kernel and the features share.

The kernel knows no feature: it works with what the manifests declare, first-party and third-party alike.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """What one feature adds. `requires` names the features below it, on which it builds.

    The names in a third-party feature begin with `x.<name>` (`ledgerpress.feature.third_party_names`).
    """

    name: str
    requires: tuple[str, ...] = ()

    # --- writing: ledgerpress.commands.command_and_guard_declarations ---

    events: tuple[EventType[Event], ...] = ()
    """The events with the newest versions of their schemas. A name or a version, once shipped, stays."""
    first_events: tuple[tuple[str, Event], ...] = ()
    """What a new log begins with, by stream."""
    streams: tuple[StreamCategory[Any], ...] = ()
    """The categories of its streams in which this feature and those above it record events.

    Where the views show the version of such a stream, they MUST count events of every type.
    """
    permissions: tuple[Permission, ...] = ()
    """The permissions that it and the features above it require, each with the roles that have it."""
    commands: tuple[CommandDeclaration, ...] = ()
    error_codes: tuple[str, ...] = ()
    guards: tuple[GuardDeclaration, ...] = ()
    adds: tuple[AddedEvents, ...] = ()
    inputs: tuple[InputDeclaration, ...] = ()
    content: tuple[ContentDeclaration, ...] = ()

    # --- views: ledgerpress.views.feature_declarations ---

    projectors: tuple[Projector, ...] = ()
    """Those of several features that share a name are parts of one projection."""
    listings: tuple[ListingContribution, ...] = ()
    dependencies: tuple[DependencyRule, ...] = ()
    hidden: tuple[HiddenRule, ...] = ()
    subjects: tuple[Subject, ...] = ()
    recent_events: RecentEvents | None = None
    """Reads recent events from the views. One feature declares it."""

    # --- GraphQL, HTTP, settings, terminal: lazy references, "module:attribute" ---

    schema: str | None = None
    """A `ledgerpress.graphql.feature_declarations.SchemaContribution`, loaded when a schema is built."""
    pages: str | None = None
    """A `ledgerpress.http.pages.page_contributions_and_rendering.PageContribution`, loaded when an application is made."""
    routes: str | None = None
    """A function from a `ledgerpress.http.feature_routes.RouteContext` to routes of Starlette."""
    settings: str | None = None
    """A `msgspec.Struct` with defaults: the section `x_<feature>` of the settings."""
    cli: str | None = None
    """A function, or a `typer.Typer`: the command `ledgerpress <feature>`."""
