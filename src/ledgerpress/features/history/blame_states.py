"""The blame of a post at certain versions, cached, so that the next request continues from the nearest one.

A computation adds its progress to the cache. So a request that exceeded the time limit succeeds if it is repeated.
"""

import asyncio
import sys
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ledgerpress.features.history.blame import BlamedBody, follow
from ledgerpress.features.posts import post_queries
from ledgerpress.views.computed_values import ComputedValues
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

MAX_STATES: Final = 16
"""The number of versions at which the blame of one post is cached."""
_BATCH: Final = 64
"""The number of bodies that are read at a time."""
_TURN_SECONDS: Final = 0.1
"""The time after which a computation adds its progress to the cache, in seconds."""
_PIECE_BYTES: Final = 160
"""The approximate memory of a piece, in bytes."""


class BlameState(NamedTuple):
    """The blame of the body of `version`, which the event at `position` recorded."""

    version: int
    position: int
    blamed: BlamedBody

    @property
    def bytes(self) -> int:
        return sys.getsizeof(self.blamed.body) + _PIECE_BYTES * sum(
            len(run.pieces) for run in self.blamed.runs
        )


class _Body(NamedTuple):
    version: int
    position: int
    text: str


_NO_VERSION: Final = BlameState(0, 0, BlamedBody())


@dataclass(slots=True)
class BlameStates:
    """The states of one post, in the order of their versions, and the turn that computes the next one."""

    states: list[BlameState] = field(default_factory=list)
    turn: asyncio.Future[BlameState] | None = None

    def nearest(self, version: int) -> BlameState:
        """Return the last state up to `version`."""
        number = bisect_right(self.states, version, key=lambda state: state.version)
        return self.states[number - 1] if number else _NO_VERSION

    def add(self, state: BlameState) -> None:
        """Add a state. If there are too many, drop the one between the two closest neighbours."""
        if self.nearest(state.version).version == state.version:
            return
        states = self.states
        states.insert(bisect_right(states, state.version, key=lambda other: other.version), state)
        if len(states) > MAX_STATES:
            inner = range(1, len(states) - 1)
            del states[min(inner, key=lambda number: states[number + 1].version - states[number - 1].version)]

    @property
    def bytes(self) -> int:
        """The approximate memory of all states, in bytes."""
        return sum(state.bytes for state in self.states)


async def blamed_body(
    snapshot: Snapshot, post: post_queries.Post, computed: ComputedValues, withdrawal: int
) -> BlamedBody:
    """Return the blame of a post's body as of the snapshot, whose last withdrawal has the position `withdrawal`."""
    key, generation = ("blame", post.seq), computed.generation(withdrawal)
    states: BlameStates = computed.get(key, generation) or BlameStates()
    computed.put(key, states, states.bytes, generation)

    def end(turn: asyncio.Future[BlameState]) -> None:
        if states.turn is turn:
            states.turn = None
        if not turn.cancelled() and turn.exception() is None:
            states.add(turn.result())
            computed.put(key, states, states.bytes, generation)

    state, bodies = states.nearest(post.version), list[_Body]()
    while bodies := _bodies_after(snapshot, post.seq, state.position, bodies):
        # A turn that is done may still be here: its callback runs in the next iteration of the event loop.
        if states.turn is None or states.turn.done():
            states.turn = asyncio.ensure_future(asyncio.to_thread(_follow, state, bodies))
            states.turn.add_done_callback(end)
        # After a timeout, the thread still finishes its turn. Concurrent requests share it.
        reached = await asyncio.shield(states.turn)
        if state.version < reached.version <= post.version:
            state = reached
    return state.blamed


def _bodies_after(snapshot: Snapshot, seq: int, position: int, read: Sequence[_Body]) -> list[_Body]:
    """Return the next bodies after `position`, in order; those in `read` have been read already."""
    if rest := [body for body in read if body.position > position]:
        return rest
    versions = post_queries.body_versions(snapshot, seq, after=position, limit=_BATCH)
    return [_Body(*version, post_queries.markdown(snapshot, version[1])) for version in versions]


def _follow(state: BlameState, bodies: Sequence[_Body]) -> BlameState:
    """Return the state after as many of `bodies` as can be followed in one turn, at least one."""
    end = time.monotonic() + _TURN_SECONDS
    for version, position, text in bodies:
        state = BlameState(version, position, follow(state.blamed, version, text))
        if time.monotonic() >= end:
            break
    return state
