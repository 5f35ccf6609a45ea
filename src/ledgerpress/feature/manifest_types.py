"""Checks the types of the values in a third-party manifest, because its author may not use a type checker."""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, Final

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
from ledgerpress.feature.manifest import Feature
from ledgerpress.grapheme_clusters import shortened
from ledgerpress.views.feature_declarations import DependencyRule, HiddenRule, Subject
from ledgerpress.views.listings.projector import ListingContribution
from ledgerpress.views.projection.projector_interface_and_composition import events_of


def _is_first_event(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], Event)
    )


def _is_projector(value: Any) -> bool:
    return (
        not isinstance(value, type)
        and callable(getattr(value, "begin", None))
        and _has_tables(value)
        and _are_events(events_of(value))
    )


def _has_tables(value: Any) -> bool:
    return (
        isinstance(value.name, str)
        and _is_version(value.version)
        and isinstance(value.schema, str)
        and isinstance(getattr(value, "indexes", ""), str)
    )


def _are_events(value: Any) -> bool:
    """Return whether `value` is what a projector may declare as `events`: classes of events, or `None` for all."""
    return value is None or (
        isinstance(value, AbstractSet)
        and all(isinstance(class_, type) and issubclass(class_, Event) for class_ in value)
    )


def _is_version(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is(*classes: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, classes)


_TUPLES: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "requires": ("names", _is(str)),
    "events": ("EventType", _is(EventType)),
    "first_events": ("pairs of a stream and an event", _is_first_event),
    "streams": (
        "StreamCategory",
        lambda value: isinstance(value, StreamCategory) and isinstance(value.prefix, str),
    ),
    "permissions": ("Permission", _is(Permission)),
    "commands": ("CommandDeclaration", _is(CommandDeclaration)),
    "error_codes": ("names", _is(str)),
    "guards": ("GuardDeclaration", _is(GuardDeclaration)),
    "adds": ("AddedEvents", _is(AddedEvents)),
    "inputs": ("InputDeclaration", _is(InputDeclaration)),
    "content": (
        "ContentDeclaration",
        lambda value: isinstance(value, ContentDeclaration) and isinstance(value.event, EventType),
    ),
    "projectors": ("projectors, with versions from 1 and sets of classes of events", _is_projector),
    "listings": (
        "ListingContribution, with versions from 1",
        lambda value: isinstance(value, ListingContribution) and _has_tables(value),
    ),
    "dependencies": ("DependencyRule", _is(DependencyRule)),
    "hidden": ("HiddenRule", _is(HiddenRule)),
    "subjects": ("Subject", lambda value: isinstance(value, Subject) and isinstance(value.kind, str)),
}
"""The type of the items in each section: its name in errors, and a check."""


def wrong_types(feature: Feature) -> Iterator[str]:
    """Yield an error for each section of a manifest whose value has a wrong type."""
    name: Any = feature.name
    if not isinstance(name, str):
        yield f"the name must be text, not {name!r}"
    for section, (of, is_right) in _TUPLES.items():
        value = getattr(feature, section)
        # Reject a named tuple, too: the author wrote EventType(…) instead of (EventType(…),).
        if type(value) is not tuple:
            yield f"{section} must be a tuple of {of}, not {_shown(value)}"
            continue
        for item in value:
            if not _applies(is_right, item):
                yield f"{section} must be a tuple of {of}: it has {_shown(item)}"
    for section in ("schema", "pages", "routes", "settings", "cli"):
        reference = getattr(feature, section)
        if reference is not None and not (isinstance(reference, str) and _is_reference(reference)):
            yield f"{section} must be a reference, 'module:attribute', not {_shown(reference)}"


def wrong_event_types(feature: Feature) -> Iterator[str]:
    """Yield an error for each event type with a wrong class, version or upcasters, or with another type's class."""
    names: dict[type, str] = {}
    for event in dict.fromkeys((*feature.events, *(content.event for content in feature.content))):
        class_: Any = event.type
        if not (isinstance(class_, type) and issubclass(class_, Event)):
            yield f"the event {event.name!r} must have a subclass of Event, not {_shown(class_)}"
            continue
        if not _is_version(event.version):
            yield f"the event {event.name!r} must have a version from 1, not {event.version!r}"
        elif len(event.upcasters) != event.version - 1:
            yield (
                f"the event {event.name!r} has version {event.version}, so it must have {event.version - 1} upcasters, "
                f"not {len(event.upcasters)}"
            )
        if names.setdefault(event.type, event.name) != event.name:
            yield f"the events {names[event.type]!r} and {event.name!r} must not have the same class"


def _applies(is_right: Callable[[Any], bool], value: Any) -> bool:
    try:
        return is_right(value)
    except AttributeError:
        return False


def _is_reference(text: str) -> bool:
    module, colon, attribute = text.partition(":")
    return bool(module and colon and attribute)


def _shown(value: Any) -> str:
    """Return the text of a value for an error message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{shortened(text, 60)} ({type(value).__name__})"
