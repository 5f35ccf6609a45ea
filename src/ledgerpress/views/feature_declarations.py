"""The declarations of a feature for the views, and the merged declarations of a set of features."""

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
    """Return the kind and the id that the name of a subject contains: `post` and `<id>` for `post.<id>`.

    For `x.<feature>.<id>`, the kind is `x.<feature>`.
    """
    prefix = THIRD_PARTY if subject.startswith(THIRD_PARTY) else ""
    kind, _, subject_id = subject.removeprefix(prefix).partition(".")
    return prefix + kind, subject_id


class RecentEvent(NamedTuple):
    """The stored type of an event, and its subject: the name of the object that it changed, such as `post.<id>`."""

    type: str
    subject: str

    @property
    def subject_id(self) -> str:
        """The id of the subject: `<id>` in `post.<id>` and in `x.<feature>.<id>`."""
        return kind_and_id(self.subject)[1]


RecentEvents: TypeAlias = Callable[[Snapshot, int], Sequence[RecentEvent] | None]
"""Returns the events after a position, up to the snapshot's; `None` if a projection may have skipped one of them."""
Topics: TypeAlias = Callable[[Snapshot, int, Sequence[RecentEvent]], Iterable[Topic] | None]
"""Returns the topics that the events after a position invalidate; `None` if they invalidate everything."""


@dataclass(frozen=True, slots=True)
class DependencyRule:
    """A rule that determines which topics events invalidate.

    `topics` receives the snapshot, the position before the events, and all events, including those of other features.
    If it cannot determine the topics, it returns `None`, which invalidates everything. `events` contains the event
    types that the rule covers.
    """

    events: frozenset[str]
    topics: Topics

    @classmethod
    def by_type(
        cls, topics: Mapping[str, Collection[Topic]], *, subject: Callable[[str], Topic] | None = None
    ) -> "DependencyRule":
        """Return a rule in which each event type invalidates fixed topics.

        With `subject`, an event also invalidates the topic that `subject` returns for the id of the event's subject.
        """

        def topics_of(_: Snapshot, __: int, events: Sequence[RecentEvent]) -> Iterable[Topic]:
            for event in events:
                if event.type in topics:
                    yield from topics[event.type]
                    if subject is not None:
                        yield subject(event.subject_id)

        return cls(frozenset(topics), topics_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenRule:
    """A rule that determines which listed items are hidden today.

    Items are identified by the position of their creation. `public` takes items and a position, and returns the items
    that were public as of that position. `no_longer_public` takes a position, and returns all items that were public
    before but are not public as of that position. The result may also contain items that were never public.
    """

    public: Callable[[sqlite3.Connection, Sequence[int], int], Collection[int]]
    no_longer_public: Callable[[sqlite3.Connection, int], Sequence[int]]


class FieldValue(NamedTuple):
    """The value of a field. Values with different `mark`s differ; `show` returns a value as JSON with `Reference`s."""

    mark: object
    show: Callable[[], Any]


FieldValues: TypeAlias = Mapping[str, FieldValue]


class Reference(NamedTuple):
    """A reference to an object: the name of its GraphQL type, its id, and its name as of the snapshot."""

    type: str
    id: str
    name: str


def plain(value: object) -> FieldValue:
    """Return a field value that is shown unchanged."""
    return FieldValue(value, lambda: value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A kind of object that events change. `kind` is its name, such as `post` in `post.<id>`.

    `values` takes a snapshot and an id, and returns the values of the object's fields as of the snapshot.
    `event_values` takes a snapshot at the position of an event, the id and the event's type. It returns values that
    belong to this event alone, such as the note of a correction. `event_values_before` takes the same, and returns such
    values as they were before the event.
    """

    kind: str
    values: Callable[[Snapshot, str], FieldValues]
    event_values: Callable[[Snapshot, str, str], FieldValues] | None = None
    event_values_before: Callable[[Snapshot, str, str], FieldValues] | None = None


class FeatureViews(Protocol):
    """The section of a feature's manifest that declares its views."""

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
    """The merged declarations of a set of features."""

    projectors: tuple[Projector, ...] = ()
    listings: tuple[ListingContribution, ...] = ()
    dependencies: tuple[DependencyRule, ...] = ()
    hidden: tuple[HiddenRule, ...] = ()
    subjects: Mapping[str, Subject] = field(default_factory=dict)
    recent_events: RecentEvents | None = None

    @classmethod
    def of(cls, features: Sequence[FeatureViews], *, kernel: Sequence[Projector] = ()) -> "DeclaredViews":
        """Merge the declarations of `features`. `kernel` contains projectors of kernel layers above the views.

        Raises `ValueError` if two features declare `recent_events`.
        """
        listings = tuple(listing for feature in features for listing in feature.listings)
        projectors = [projector for feature in features for projector in feature.projectors]
        index = [feature.recent_events for feature in features if feature.recent_events is not None]
        if len(index) > 1:
            raise ValueError("two features declare recent_events: only one feature can declare it")
        return cls(
            projectors=compose([*projectors, *kernel, ListingsProjector(listings), MomentsProjector()]),
            listings=listings,
            dependencies=tuple(rule for feature in features for rule in feature.dependencies),
            hidden=tuple(rule for feature in features for rule in feature.hidden),
            subjects={subject.kind: subject for feature in features for subject in feature.subjects},
            recent_events=index[0] if index else None,
        )
