"""Let commands begin in groups, and let the event loop serve queries between two groups.

A command takes much longer than most queries. If each began at once, every query would wait for all commands that
arrived before it. Commands that begin together are also cheaper: the log records them in one transaction, and the
cached responses are checked once.
"""

import asyncio
from collections import deque
from typing import Final

GROUP: Final = 16
"""The maximum number of commands that begin in one turn of the event loop."""
TURNS: Final = 16
"""The number of turns of the event loop from one group to the next. A turn without requests takes about 1 µs."""
MAX_SECONDS: Final = 0.25
"""The longest time from one group to the next, in seconds: queries can make turns long."""


class CommandPacing:
    """A queue of commands, which begin in the order in which they arrived."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_counting = False
        """Whether a group has begun, and its turns are counted."""
        self._left = 0
        """The number of commands that may still join the group in its first turn."""
        self._turns = 0
        self._deadline = 0.0

    async def begin(self) -> None:
        """Wait until a command may begin: not at all unless others began during the last turns."""
        loop = asyncio.get_running_loop()
        if not self._is_counting:
            self._is_counting, self._left = True, GROUP
            self._begin_group(loop)
        if self._left:
            self._left -= 1
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _begin_group(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turns, self._deadline = 0, loop.time() + MAX_SECONDS
        loop.call_soon(self._count_turn, loop)

    def _count_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._left = 0
        self._turns += 1
        if self._turns < TURNS and loop.time() < self._deadline:
            loop.call_soon(self._count_turn, loop)
            return
        begun = 0
        while self._waiting and begun < GROUP:
            turn = self._waiting.popleft()
            if not turn.done():  # its task may have been cancelled
                turn.set_result(None)
                begun += 1
        if begun:
            self._begin_group(loop)
        else:
            self._is_counting = False
