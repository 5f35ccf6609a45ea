"""Which of several processes on the same views applies events to them, and what the others learn of it.

Any process may apply events at any time: the transaction and the checkpoints in it make that safe. If only one does,
the others do not repeat its work.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, Protocol

import msgspec

from ledgerpress.views.projection.checkpoints import Checkpoint


class ViewsAdvance(msgspec.Struct, frozen=True, array_like=True):
    """What a process has committed to a views file: events after the position `after`, up to `read_to`.

    `erased` are the positions of the payloads that were withdrawn by these events.
    """

    file: str
    after: int
    read_to: int
    checkpoints: Mapping[str, tuple[int, str | None, str | None]] | tuple[int, str | None]
    """The checkpoint of each projection; only one if all have the same, as they usually do."""
    erased: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        file: str,
        after: int,
        read_to: int,
        points: Mapping[str, Checkpoint],
        erased: Collection[int] = (),
    ) -> "ViewsAdvance":
        """Return the message for these checkpoints."""
        states: Mapping[str, tuple[int, str | None, str | None]] | tuple[int, str | None]
        first = next(iter(points.values()), None)
        if first is not None and first.error is None and all(point == first for point in points.values()):
            states = (first.position, first.leaf_hash)
        else:
            states = {name: (point.position, point.leaf_hash, point.error) for name, point in points.items()}
        return cls(file, after, read_to, states, tuple(erased))

    def points(self, names: Iterable[str]) -> dict[str, Checkpoint]:
        """Return the checkpoints after the commit; `names` are those of all projections."""
        if isinstance(self.checkpoints, tuple):
            return dict.fromkeys(names, Checkpoint(*self.checkpoints))
        return {name: Checkpoint(*state) for name, state in self.checkpoints.items()}


class ViewsWriterRole(Protocol):
    """The role of this process among those that use the same views."""

    @property
    def is_writer(self) -> bool:
        """Whether this process applies events. Once it does, it does so until it ends."""
        ...

    @property
    def has_writer(self) -> bool:
        """Whether a process that applies events responds, as known to this process."""
        ...

    async def becomes_writer(self, timeout: float) -> bool:
        """Wait for at most `timeout` seconds until this process applies events; return whether it does."""
        ...

    def committed(self, advance: ViewsAdvance) -> None:
        """Report to the other processes what this one has committed."""
        ...

    def forgot(self, position: int) -> None:
        """State that nothing is in memory that was withdrawn up to `position`."""
        ...


class _OnlyProcess:
    """The role of a process that does not know of any other."""

    is_writer = has_writer = True

    async def becomes_writer(self, timeout: float) -> bool:
        return True

    def committed(self, advance: ViewsAdvance) -> None:
        pass

    def forgot(self, position: int) -> None:
        pass


ONLY_PROCESS: Final[ViewsWriterRole] = _OnlyProcess()
