"""The manifest of a feature: the only thing that the kernel and the features share.

A feature is a folder that owns one concept from the event to the page. Its `FEATURE` lists everything that it adds. The
kernel knows no feature: it works with what the manifests declare, first-party and third-party alike.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from ledgerpress.commands.command_and_guard_declarations import (
    AddedEvents,
    CommandDeclaration,
    CommandDeclarations,
    GuardDeclaration,
    InputDeclaration,
)
from ledgerpress.commands.content_field_declarations_and_revert import ContentDeclaration
from ledgerpress.commands.errors import ErrorCode
from ledgerpress.commands.skip_event import LOG_COMMANDS
from ledgerpress.eventlog.codec import Codec, EventType
from ledgerpress.eventlog.event_and_withdrawn_event import Event, withdrawn
from ledgerpress.eventlog.kernel_events import LOG_EVENTS
from ledgerpress.views.feature_declarations import DependencyRule, HiddenRule, RecentEvents, Subject
from ledgerpress.views.listings.projector import ListingContribution
from ledgerpress.views.projection.projector_interface_and_composition import Projector

if TYPE_CHECKING:
    from ledgerpress.graphql.schema import Schema
    from ledgerpress.graphql.schema_extensions import ExtensionFactory
    from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """What one feature adds. `requires` names the features below it, on which it builds."""

    name: str
    requires: tuple[str, ...] = ()

    # --- writing: ledgerpress.commands.command_and_guard_declarations ---

    events: tuple[EventType[Event], ...] = ()
    """The events with the newest versions of their schemas. A name or a version, once shipped, stays."""
    first_events: tuple[tuple[str, Event], ...] = ()
    """What a new log begins with, by stream."""
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

    # --- GraphQL, pages: lazy references, "module:attribute" ---
    schema: str | None = None
    """A `ledgerpress.graphql.feature_declarations.SchemaContribution`, loaded when a schema is built."""
    pages: str | None = None
    """A `ledgerpress.http.pages.page_contributions_and_rendering.PageContribution`, loaded when an application is made."""


def load(reference: str) -> Any:
    """Return the attribute that a lazy reference, "module:attribute", names."""
    module, _, attribute = reference.partition(":")
    return getattr(import_module(module), attribute)


class FeatureSet:
    """The features of a process in order: each one after those that it requires."""

    def __init__(self, features: Sequence[Feature]) -> None:
        """Merge the manifests. Raises `ValueError` if they contradict one another."""
        self.features = tuple(features)
        known: set[str] = set()
        for feature in self.features:
            if feature.name in known:
                raise ValueError(f"there are two features {feature.name}")
            if missing := set(feature.requires) - known:
                raise ValueError(f"feature {feature.name} requires {', '.join(sorted(missing))} before it")
            known.add(feature.name)
        self.events = (*LOG_EVENTS, *self._all(lambda feature: feature.events))
        commands = (*LOG_COMMANDS, *self._all(lambda feature: feature.commands))
        self.error_codes = self._all(lambda feature: feature.error_codes)
        self.first_events = self._all(lambda feature: feature.first_events)
        self.declarations = CommandDeclarations(
            commands={declared.command: declared for declared in commands},
            guards=self._all(lambda feature: feature.guards),
            adds=self._all(lambda feature: feature.adds),
            inputs=self._all(lambda feature: feature.inputs),
            content=self._all(lambda feature: feature.content),
        )
        _check_unique("event", [event.name for event in self.events])
        _check_unique("command", [declared.command.__name__ for declared in commands])
        _check_unique("error code", (*ErrorCode, *self.error_codes))

    def codec(self) -> Codec[Event]:
        """Return a codec that reads every version of the events, and writes the newest."""
        return Codec(self.events, withdrawn)

    def graphql_schema(self, extensions: "Sequence[ExtensionFactory]" = ()) -> "Schema":
        """Return the GraphQL schema, with Strawberry extensions. Raises `SchemaError`.

        A contribution of a feature may be incomplete, or an extension unable to take effect.
        """
        from ledgerpress.graphql.schema import build_schema  # noqa: PLC0415 - slow to import

        return build_schema(
            [load(feature.schema) for feature in self.features if feature.schema],
            commands=self.declarations.commands,
            error_codes=self.error_codes,
            event_types=[event.name for event in self.events],
            extensions=extensions,
        )

    def page_contributions(self) -> "list[PageContribution]":
        """Return what the features contribute to the pages."""
        return [load(feature.pages) for feature in self.features if feature.pages]

    def _all(self, section: Callable[[Feature], Sequence[T]]) -> tuple[T, ...]:
        return tuple(item for feature in self.features for item in section(feature))


def _check_unique(what: str, names: Sequence[str]) -> None:
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise ValueError(f"two features declare the {what} {', '.join(twice)}")
