"""Let mutations begin in groups, and let the event loop serve other requests between two groups.

A mutation takes much longer than most queries. If each began at once, every query would wait for all mutations that
arrived before it. Mutations that begin together are also cheaper: the log records them in one transaction, and the
cached responses are checked once.
"""

import asyncio
from collections import deque
from typing import Final

GROUP: Final = 16
"""The maximum number of mutations that begin in one turn of the event loop."""
TURNS: Final = 16
"""The number of turns of the event loop from one group to the next. A turn without requests takes about 1 µs."""


class MutationPacing:
    """A queue of mutations, which begin in the order in which they arrived."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop that counts turns, `None` if the next mutation may begin at once."""
        self._left = GROUP
        self._turns = 0

    async def begin(self) -> None:
        """Wait until a mutation may begin: not at all unless others began during the last turns."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # A former loop may have ended before it counted its turns.
            self._loop, self._left, self._turns = loop, GROUP, 0
            self._waiting.clear()
            loop.call_soon(self._count_turn)
        if self._left and not self._turns:
            self._left -= 1
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _count_turn(self) -> None:
        self._turns += 1
        if self._turns == TURNS:
            self._left, self._turns = GROUP, 0
            while self._waiting and self._left:
                turn = self._waiting.popleft()
                if not turn.done():  # its task may have been cancelled
                    turn.set_result(None)
                    self._left -= 1
            if self._left == GROUP:
                self._loop = None
                return
        asyncio.get_running_loop().call_soon(self._count_turn)
