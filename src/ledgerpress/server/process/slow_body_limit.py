"""A bound on requests that wait long for their own bodies: they would take the places of all others."""

from typing import Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

GRACE_SECONDS: Final = 1.0
"""How long a body may take until it counts as slow: what comes in several pieces mostly is there long before."""


class SlowBodyLimit:
    """The requests whose bodies are slow. One client address may have half of what there may be, rounded up."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._waiting: dict[RequestResponseCycle, str] = {}

    def admit(self, cycle: RequestResponseCycle, address: str) -> bool:
        """Count a request whose body is slow. Return whether it may wait on."""
        self._waiting = {one: whose for one, whose in self._waiting.items() if is_unfinished(one)}
        same = sum(whose == address for whose in self._waiting.values())
        if len(self._waiting) >= self._at_most or same >= (self._at_most + 1) // 2:
            return False
        self._waiting[cycle] = address
        return True


def is_unfinished(cycle: RequestResponseCycle) -> bool:
    """Return whether a request still waits for its body, with nothing answered yet."""
    return cycle.more_body and not cycle.response_started and not cycle.disconnected
