"""What steps came to, kept for a while for subscribers who are not as far as others: within a bound for all together."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from ledgerpress.graphql.subscriptions.messages import ResultMessage
from ledgerpress.graphql.subscriptions.poll_step import Kind
from ledgerpress.views.cache_dependencies import FOREVER

_FRAMES: Final = 3
"""An event takes so many times its text: as its payload, as what a transport made of it, and as that is being sent."""
_BESIDE: Final = 500
"""What each takes beside its text, in bytes, about."""


@dataclass(frozen=True, slots=True)
class CachedStep:
    """What a step came to, on the views as of `at`, when `withdrawn` was the last position that withdrew a payload."""

    told: ResultMessage | None
    kind: Kind
    at: int
    withdrawn: int
    until: int = FOREVER
    """The moment from which on an age in it would be another, in microseconds since 1970, UTC."""

    def holds(self, at: int, withdrawn: int, now: int) -> bool:
        """Return whether it would come to the same on the views as of `at`."""
        if self.withdrawn != withdrawn or now >= self.until:
            return False
        return at == self.at or (self.kind is Kind.LOG and self.told is not None)

    @property
    def size(self) -> int:
        """How much memory it takes, in bytes, about."""
        return _BESIDE + (0 if self.told is None else _FRAMES * len(self.told.payload))


class EventCache:
    """The steps of all groups, those used last."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._steps: OrderedDict[tuple[int, int], CachedStep] = OrderedDict()
        self._of_group: dict[int, set[int]] = {}

    def __len__(self) -> int:
        return len(self._steps)

    def get(self, group: int, key: int) -> CachedStep | None:
        """Return what is kept of a group."""
        kept = self._steps.get((group, key))
        if kept is not None:
            self._steps.move_to_end((group, key))
        return kept

    def keep(self, group: int, key: int, kept: CachedStep) -> None:
        """Keep a step, and let go of those that were not used for longest where there are too many."""
        self._drop(group, key)
        self._steps[group, key] = kept
        self._of_group.setdefault(group, set()).add(key)
        self._size += kept.size
        while self._size > self._max_bytes:
            self._drop(*next(iter(self._steps)))

    def forget(self, group: int) -> None:
        """Let go of everything of a group."""
        for key in list(self._of_group.get(group, ())):
            self._drop(group, key)

    def _drop(self, group: int, key: int) -> None:
        kept = self._steps.pop((group, key), None)
        if kept is not None:
            self._size -= kept.size
            keys = self._of_group[group]
            keys.discard(key)
            if not keys:
                del self._of_group[group]
