"""A clock that is set by hand, so that three weeks can pass in seconds."""


class DemoClock:
    """Stands still until it is set, and never goes back. Times are in microseconds since 1970, UTC."""

    def __init__(self, start: int) -> None:
        self._now = start

    def now(self) -> int:
        return self._now

    def set(self, at: int) -> None:
        """Show `at` from now on. Raises ValueError for an earlier time."""
        if at < self._now:
            raise ValueError(f"the clock shows {self._now} and does not go back to {at}")
        self._now = at

    def advance(self, by: int) -> None:
        """Let `by` microseconds pass. Raises ValueError for a negative number."""
        self.set(self._now + by)
