"""A feature for tests: tags of posts, each with a listing of its articles. It changes no code of other features."""

from typing import Final

from ledgerpress.feature import (
    DependencyRule,
    Event,
    Feature,
    MemberChange,
    NamedListings,
    Recorded,
    Topic,
)

TAGGED: Final = "x.tags.tagged"
UNTAGGED: Final = "x.tags.untagged"


class Tagged(Event, frozen=True):
    post_id: str
    tag: str


class Untagged(Event, frozen=True):
    post_id: str
    tag: str


def _changes(recorded: Recorded[Event]) -> list[MemberChange]:
    event = recorded.event
    if not isinstance(event, Tagged | Untagged):
        return []
    return [MemberChange(event.post_id, event.tag, is_member=isinstance(event, Tagged))]


def tag_topic(tag: str) -> Topic:
    return Topic("x_tags", tag)


LISTINGS: Final = NamedListings(
    "x.tags", tables="x_tags", events=frozenset({Tagged, Untagged}), changes=_changes
)
TAGS: Final = Feature(
    name="tags",
    requires=("posts",),
    listings=(LISTINGS.contribution,),
    dependencies=(DependencyRule.by_type({TAGGED: [], UNTAGGED: []}), LISTINGS.dependencies),
)
