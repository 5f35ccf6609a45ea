"""Whether the log can be reached, when it last answered, and how far it had come then."""

import time
from collections.abc import Callable, Mapping, Sequence


class LogHealth:
    """The health of a log. Contact is lost when the log cannot be reached, until it answers a health check again."""

    def __init__(
        self,
        *,
        notices: Sequence[str] = (),
        counts: Callable[[], Mapping[str, int]] = dict,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`notices` and `counts` are those of an `OpenedLog`; `monotonic` returns seconds."""
        self.notices = tuple(notices)
        self.head = 0
        """The greatest position that the log has reported."""
        self.regained = 0
        """How often contact was lost and regained."""
        self.unresolved = 0
        """The number of appends whose result could not be determined."""
        self.replaced: str | None = None
        """Why the log is no longer the one that was opened. Usually only a restart helps."""
        self._counts = counts
        self._monotonic = monotonic
        self._last_contact = monotonic()
        self._lost = False

    @property
    def counts(self) -> Mapping[str, int]:
        """The log's own counters by name: see `OpenedLog.counts`."""
        return self._counts()

    @property
    def is_lost(self) -> bool:
        """Whether the last attempt to reach the log failed."""
        return self._lost

    @property
    def silence(self) -> float:
        """Seconds since the log last answered."""
        return self._monotonic() - self._last_contact

    def note_head(self, head: int = 0) -> None:
        """Note that the log has answered, and that its head is at least `head`.

        That does not regain contact: it may be the answer to a request from before contact was lost.
        """
        if not self._lost:
            self._last_contact = self._monotonic()
        self.head = max(self.head, head)

    def regain(self) -> None:
        """Note that the log has answered a health check."""
        self.regained += self._lost
        self._lost = False
        self._last_contact = self._monotonic()

    def lose(self) -> None:
        """Note that the log cannot be reached."""
        self._lost = True
