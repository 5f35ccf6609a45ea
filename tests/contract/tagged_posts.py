"""Random events of posts and their tags, with a simple model of the articles of each tag at every position."""

from dataclasses import dataclass, field
from random import Random
from typing import Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.envelope import Header
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.posts.model import PostArchived, PostCreated, PostPublished, PostUnpublished
from tests.contract.tags_feature import TAGGED, UNTAGGED, Tagged, Untagged

_TYPES: Final = {
    PostCreated: "post.created",
    PostPublished: "post.published",
    PostUnpublished: "post.unpublished",
    PostArchived: "post.archived",
    Tagged: TAGGED,
    Untagged: UNTAGGED,
}
TAGS: Final = ("harbour", "sport", "weather")


@dataclass
class TaggedPosts:
    """Events, and for each position the articles by tag: (date, position of creation), newest first."""

    events: list[Recorded[Event]] = field(default_factory=list)
    articles: list[dict[str, list[tuple[int, int]]]] = field(
        default_factory=lambda: [{tag: [] for tag in TAGS}]
    )
    first_tagged: dict[str, int] = field(default_factory=dict)
    _seqs: dict[str, int] = field(default_factory=dict)
    _dates: dict[str, int] = field(default_factory=dict)
    _tags: set[tuple[str, str]] = field(default_factory=set)

    def record(self, event: Event, post_id: str) -> None:
        position = len(self.events) + 1
        header = Header(
            v=1, publication="p", position=position, event_id=f"e{position}", stream=f"post.{post_id}",
            stream_version=position, type=_TYPES[type(event)], schema_version=1, recorded_at=position * 1_000,
            actor_id="a", on_behalf_of_actor_id=None, command_id=f"c{position}", correlation_id="c",
            causation_id=None, payload_commitment="00",
        )  # fmt: skip
        self.events.append(Recorded(header, event))
        match event:
            case PostCreated():
                self._seqs[post_id] = position
            case PostPublished(published_at=date):
                self._dates[post_id] = date
            case PostUnpublished() | PostArchived():
                self._dates.pop(post_id, None)
            case Tagged(tag=tag):
                self.first_tagged.setdefault(tag, position)
                self._tags.add((post_id, tag))
            case Untagged(tag=tag):
                self._tags.discard((post_id, tag))
        self.articles.append(
            {
                tag: sorted(
                    (
                        (date, self._seqs[id_])
                        for id_, date in self._dates.items()
                        if (id_, tag) in self._tags
                    ),
                    reverse=True,
                )
                for tag in TAGS
            }
        )

    def step(self, rng: Random) -> None:
        post_id, tag = f"post{rng.randrange(6)}", rng.choice(TAGS)
        if post_id not in self._seqs:
            event: Event = PostCreated(
                post_id=post_id, slug=post_id, title="T", teaser=None, body="B", author_ids=()
            )
        elif rng.random() < 0.5:
            is_tagged = (post_id, tag) in self._tags
            event = Untagged(post_id=post_id, tag=tag) if is_tagged else Tagged(post_id=post_id, tag=tag)
        elif post_id in self._dates and rng.random() < 0.7:
            event = rng.choice([PostUnpublished, PostArchived])(post_id=post_id)
        else:
            date = rng.randrange(50)
            event = PostPublished(post_id=post_id, revision=1, published_at=date, correction=None)
        self.record(event, post_id)


def tagged_posts(events: int) -> TaggedPosts:
    rng, posts = Random(5), TaggedPosts()
    for _ in range(events):
        posts.step(rng)
    return posts
