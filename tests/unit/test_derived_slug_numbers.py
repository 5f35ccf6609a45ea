"""The numbers of derived slugs: free, also if numbers were released, and found by reading few streams."""

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from ledgerpress.commands.command_request_and_context import CommandContext
from ledgerpress.commands.streams_and_append_plan import LoadedStream, PlannedWrite
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.slugs.claim_and_release_writes import claim_derived_slug
from ledgerpress.features.slugs.model import Slug, SlugKind

OTHER = Slug("other")


class Streams:
    """A command context with slug streams only. `reads` counts the streams that were loaded."""

    name_key = bytes(32)

    def __init__(self, occupied: set[int]) -> None:
        self.reads = 0
        self._states = {self._id(number): OTHER for number in occupied}

    async def load(self, category: Any, id: str) -> LoadedStream[Slug]:
        self.reads += 1
        state = self._states.get(id, Slug())
        return LoadedStream(category.stream(id), 7 if state.owner_id else 0, state, None)

    def _id(self, number: int) -> str:
        return slugs.stream_id(SlugKind.POST, slugs.numbered("w", number), self.name_key)


def claimed(streams: Streams) -> tuple[int, PlannedWrite]:
    context = cast("CommandContext", streams)
    slug, write = asyncio.run(claim_derived_slug(context, SlugKind.POST, "W", owner_id="me"))
    return int(slug.removeprefix("w").removeprefix("-") or 1), write


@pytest.mark.parametrize(
    "posts", [0, 1, 2, 7, 8, 9, 15, 16, 17, 100, 3_500, pytest.param(1_000_000, marks=pytest.mark.slow)]
)
def test_without_released_numbers_the_next_number_is_found(posts: int) -> None:
    streams = Streams(set(range(1, posts + 1)))
    number, write = claimed(streams)
    assert number == posts + 1
    assert [event.slug for event in cast("Any", write.events)] == [slugs.numbered("w", number)]
    assert streams.reads <= 8 + 2 * posts.bit_length()


@for_all(
    st.sets(st.integers(1, 400), max_size=400)
    | st.sets(st.integers(380, 400)).map(set(range(1, 401)).difference)
)
def test_with_released_numbers_a_free_number_after_a_taken_one_is_found(occupied: set[int]) -> None:
    streams = Streams(occupied)
    number, write = claimed(streams)
    assert number not in occupied
    assert number == 1 or number - 1 in occupied
    assert write.expected == 0
    assert streams.reads <= 8 + 2 * 9
    lowest = min(set(range(1, 402)) - occupied)
    assert number == lowest or lowest > 8


def test_a_slug_that_the_post_has_already_is_not_claimed_again() -> None:
    streams = Streams({1})
    streams._states = {streams._id(1): OTHER, streams._id(2): Slug("me")}
    number, write = claimed(streams)
    assert (number, write.events) == (2, ())
