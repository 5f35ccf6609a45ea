"""The versions of a post, and who added each part of its body."""

from dataclasses import dataclass
from typing import NamedTuple

from ledgerpress.features.history import change_queries as changes
from ledgerpress.features.history.blame_states import blamed_body
from ledgerpress.features.history.blamed_changes import BlamedChanges
from ledgerpress.features.posts import post_queries
from ledgerpress.views.computed_values import ComputedValues
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


class NoSuchVersion(Exception):
    """The post has no version with this number."""


@dataclass(frozen=True, slots=True)
class PostVersion:
    """A version of a post, as of the position of its event. Version 0 is empty, and its `post` is `None`."""

    number: int
    position: int
    post: post_queries.Post | None
    body: str
    category_ids: tuple[str, ...]

    @property
    def author_ids(self) -> tuple[str, ...]:
        """The authors' ids, in the order of the by-line."""
        return self.post.author_ids if self.post else ()


def version_of(snapshot: Snapshot, post: post_queries.Post, number: int) -> PostVersion | None:
    """Return a version of a post, or `None` if the post has no such version as of the snapshot."""
    if number == 0:
        return PostVersion(0, post.seq - 1, None, "", ())
    position = post_queries.position_of(snapshot, post.seq, number)
    if position is None:
        return None
    then = snapshot.at(position)
    post_then = post_queries.by_seq(then, post.seq)
    body = post_queries.markdown(then, post_then.body) if post_then else ""
    return PostVersion(number, position, post_then, body, post_queries.category_ids(then, post.seq))


def versions_of(
    snapshot: Snapshot, post: post_queries.Post, old: int, new: int
) -> tuple[PostVersion, PostVersion]:
    """Return two versions of a post. Raises `NoSuchVersion`."""
    return existing_version(snapshot, post, old), existing_version(snapshot, post, new)


def existing_version(snapshot: Snapshot, post: post_queries.Post, number: int) -> PostVersion:
    """Return a version of a post. Raises `NoSuchVersion` if it has none with this number."""
    version = version_of(snapshot, post, number)
    if version is None:
        raise NoSuchVersion(
            f"No version {number}; versions run from 0, before the post was created, to {post.version}."
        )
    return version


class BlamedText(NamedTuple):
    """Consecutive text of a body, and the change that added it."""

    text: str
    version: int
    change: changes.Change


async def blamed(snapshot: Snapshot, post: post_queries.Post) -> list[BlamedText]:
    """Return the parts of a post's body, each with the change that added it."""
    spans = (await blamed_body(snapshot, post, ComputedValues(), 0)).spans
    positions = post_queries.positions_of(snapshot, post.seq, {version for version, _ in spans})
    read = BlamedChanges(snapshot, positions.values())
    return [BlamedText(text, version, read.change(positions[version])) for version, text in spans]
