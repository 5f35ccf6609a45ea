"""What features declare for the views, and the declarations of a set of features, merged."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

from ledgerpress.eventlog.unknown_third_party_events import THIRD_PARTY
from ledgerpress.views.listings.projector import ListingContribution, ListingsProjector
from ledgerpress.views.projection.projector_interface_and_composition import Projector, compose
from ledgerpress.views.recorded_time_positions import MomentsProjector
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, Topic


def kind_and_id(subject: str) -> tuple[str, str]:
    """Return the kind and the id in a subject's name: `post` in `post.<id>`, `x.<feature>` in `x.<feature>.<id>`."""
    prefix = THIRD_PARTY if subject.startswith(THIRD_PARTY) else ""
    kind, _, subject_id = subject.removeprefix(prefix).partition(".")
    return prefix + kind, subject_id


class RecentEvent(NamedTuple):
    """An event as the views know it: its stored type, and what it changed, such as `post.<id>`."""

    type: str
    subject: str

    @property
    def subject_id(self) -> str:
        """The id of what it changed: `<id>` in `post.<id>` and in `x.<feature>.<id>`."""
        return kind_and_id(self.subject)[1]


RecentEvents: TypeAlias = Callable[[Snapshot, int], Sequence[RecentEvent] | None]
"""Returns the events after a position, up to the snapshot's; `None` where a projection may have skipped one."""
Topics: TypeAlias = Callable[[Snapshot, int, Sequence[RecentEvent]], Iterable[Topic] | None]
"""Returns the topics that events after a position invalidate; `None` for everything."""


@dataclass(frozen=True, slots=True)
class DependencyRule:
    """Which topics events invalidate.

    `topics` receives the snapshot, the position before the events, and all events, those of other features too; it
    returns `None` where it does not know, which invalidates everything. `events` are the types that the rule covers.
    """

    events: frozenset[str]
    topics: Topics

    @classmethod
    def by_type(
        cls, topics: Mapping[str, Collection[Topic]], *, subject: Callable[[str], Topic] | None = None
    ) -> "DependencyRule":
        """Return a rule by which events of a type invalidate fixed topics.

        With `subject`, they also invalidate the topic of their subject's id.
        """

        def invalidated(_: Snapshot, __: int, events: Sequence[RecentEvent]) -> Iterable[Topic]:
            for event in events:
                if event.type in topics:
                    yield from topics[event.type]
                    if subject is not None:
                        yield subject(event.subject_id)

        return cls(frozenset(topics), invalidated)


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenRule:
    """Which listed items are hidden today. Items are named by the positions of their creation.

    `public` takes items and a position, and returns those that were public as of it. `no_longer_public` takes a
    position, and returns the items that were public once and are not as of it; it may return others that never were.
    """

    public: Callable[[sqlite3.Connection, Sequence[int], int], Collection[int]]
    no_longer_public: Callable[[sqlite3.Connection, int], Sequence[int]]


class FieldValue(NamedTuple):
    """A field's value: `mark` differs where the value does, `show` returns it as JSON and `Reference`s."""

    mark: object
    show: Callable[[], Any]


FieldValues: TypeAlias = Mapping[str, FieldValue]


class Reference(NamedTuple):
    """A reference to an object: the name of its GraphQL type, its id, and its name at that position."""

    type: str
    id: str
    name: str


def plain(value: object) -> FieldValue:
    """Return a value that is shown as it is."""
    return FieldValue(value, lambda: value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What events change, by the kind in its name: `kind` is `post` in `post.<id>`.

    `values` takes a snapshot and an id, and returns the fields' values as of the snapshot. `event_values` takes a
    snapshot at an event's position, the id and the event's type, and returns what that event alone brought.
    """

    kind: str
    values: Callable[[Snapshot, str], FieldValues]
    event_values: Callable[[Snapshot, str, str], FieldValues] | None = None


class FeatureViews(Protocol):
    """The section of a feature's manifest that is for the views."""

    @property
    def projectors(self) -> tuple[Projector, ...]: ...
    @property
    def listings(self) -> tuple[ListingContribution, ...]: ...
    @property
    def dependencies(self) -> tuple[DependencyRule, ...]: ...
    @property
    def hidden(self) -> tuple[HiddenRule, ...]: ...
    @property
    def subjects(self) -> tuple[Subject, ...]: ...
    @property
    def recent_events(self) -> RecentEvents | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredViews:
    """The declarations of a set of features, merged."""

    projectors: tuple[Projector, ...] = ()
    listings: tuple[ListingContribution, ...] = ()
    dependencies: tuple[DependencyRule, ...] = ()
    hidden: tuple[HiddenRule, ...] = ()
    subjects: Mapping[str, Subject] = field(default_factory=dict)
    recent_events: RecentEvents | None = None

    @classmethod
    def of(cls, features: Sequence[FeatureViews], *, kernel: Sequence[Projector] = ()) -> "DeclaredViews":
        """Merge what `features` declare; `kernel` are projectors of the kernel above the views."""
        listings = tuple(declared for feature in features for declared in feature.listings)
        projectors = [declared for feature in features for declared in feature.projectors]
        index = [feature.recent_events for feature in features if feature.recent_events is not None]
        if len(index) > 1:
            raise ValueError("two features declare recent_events")
        return cls(
            projectors=compose([*projectors, *kernel, ListingsProjector(listings), MomentsProjector()]),
            listings=listings,
            dependencies=tuple(declared for feature in features for declared in feature.dependencies),
            hidden=tuple(declared for feature in features for declared in feature.hidden),
            subjects={declared.kind: declared for feature in features for declared in feature.subjects},
            recent_events=index[0] if index else None,
        )
