"""A cache of executed steps, for subscribers at different positions of the same subscription."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.graphql.subscriptions.result_messages import ResultMessage
from ledgerpress.graphql.subscriptions.subscription_step import Kind
from ledgerpress.views.snapshot import FOREVER

_COPIES: Final = 3
"""An event takes so many times its text: as its payload, as the frame of a transport, and while that is being sent."""
_ENTRY_BYTES: Final = 500
"""What each entry takes in addition to its text, roughly."""


@dataclass(frozen=True, slots=True)
class CachedStep:
    """The result of a step on the views at `position`, when `withdrawn` was the position of the last withdrawal."""

    message: ResultMessage | None
    kind: Kind
    position: int
    withdrawn: int
    until: int = FOREVER
    """When an age in it changes, in microseconds since 1970, UTC."""

    def holds(self, position: int, withdrawn: int, now: int) -> bool:
        """Return whether the step has the same result on the views at `position`."""
        if self.withdrawn != withdrawn or now >= self.until:
            return False
        return position == self.position or (self.kind is Kind.LOG and self.message is not None)


EventCache: TypeAlias = BoundedCache[tuple[int, int], CachedStep]
"""Steps by the number of the shared subscription and the position. It MUST be cleared after a withdrawal."""


def event_cache(max_bytes: int) -> EventCache:
    """Return an empty cache of at most `max_bytes`, roughly."""
    return BoundedCache(max_bytes=max_bytes, max_entry_bytes=max_bytes, size_of=_size)


def _size(_: tuple[int, int], step: CachedStep) -> int:
    return _ENTRY_BYTES + (0 if step.message is None else _COPIES * len(step.message.payload))
