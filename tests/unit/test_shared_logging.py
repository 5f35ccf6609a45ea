"""Several processes write to one pipe: the system mixes only writes that are longer than PIPE_BUF."""

import io
import logging
from select import PIPE_BUF

from ledgerpress.server.logging import BufferedHandler, TextFormatter


class Stream(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return super().write(text)


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("a", logging.INFO, __file__, 1, message, None, None)


async def test_lines_are_written_whole_and_in_writes_that_the_system_does_not_mix() -> None:
    stream = Stream()
    handler = BufferedHandler(stream, TextFormatter(), PIPE_BUF)
    for number in range(200):
        handler.access(f"GET /{number} {'é' * 50}", {"ms": 1})
    handler.emit(record("x" * 3_900))
    assert all(text.endswith("\n") and len(text.encode()) <= PIPE_BUF for text in stream.writes)
    assert len(stream.getvalue().splitlines()) == 201
    assert len(stream.writes) < 20


async def test_a_process_that_does_not_share_its_output_writes_all_lines_at_once() -> None:
    stream = Stream()
    handler = BufferedHandler(stream, TextFormatter())
    for number in range(200):
        handler.access(f"GET /{number} {'é' * 50}", {"ms": 1})
    handler.flush()
    assert len(stream.writes) == 1
