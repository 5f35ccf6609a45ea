"""What a process knows of the log that it goes by: how far it had come when it was last heard of, and when that was."""

import time
from collections.abc import Callable, Mapping, Sequence


class LogHealth:
    """The contact with a log. It is lost when the log cannot be reached, and until something is heard of it again."""

    def __init__(
        self,
        *,
        notices: Sequence[str] = (),
        counts: Callable[[], Mapping[str, int]] = dict,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`notices` and `counts` are what an `OpenedLog` has to say; `monotonic` returns seconds."""
        self.notices = tuple(notices)
        self.head = 0
        """The position of the last event that was heard of."""
        self.regained = 0
        """How often it was lost and found again."""
        self.unresolved = 0
        """After how many appends nobody could say whether they had been recorded."""
        self.replaced: str | None = None
        """Why the log is not the one that was opened any more. Hardly anything but a restart can be done about that."""
        self._counts = counts
        self._monotonic = monotonic
        self._heard = monotonic()
        self._lost = False

    @property
    def counts(self) -> Mapping[str, int]:
        """What the log counts of itself, by name: see `OpenedLog.counts`."""
        return self._counts()

    @property
    def is_lost(self) -> bool:
        """Whether the log could not be reached when it was last tried."""
        return self._lost

    @property
    def silence(self) -> float:
        """For how many seconds nothing was heard of the log."""
        return self._monotonic() - self._heard

    def hear(self, head: int = 0) -> None:
        """Note that the log has answered, and that it has come to `head` at least.

        That does not regain the contact: it may be the answer to what was asked before it was lost.
        """
        if not self._lost:
            self._heard = self._monotonic()
        self.head = max(self.head, head)

    def regain(self) -> None:
        """Note that the log has answered when it was looked at."""
        self.regained += self._lost
        self._lost = False
        self._heard = self._monotonic()

    def lose(self) -> None:
        """Note that the log cannot be reached."""
        self._lost = True
