"""Group commit with a recorder in a thread: every command is recorded once and in order, whenever it arrives."""

import asyncio
import threading
from collections.abc import Sequence
from queue import SimpleQueue

import pytest

from ledgerpress.eventlog.group_commit import AppendRequest, GroupCommit, ReportResults
from ledgerpress.eventlog.log import NO_STREAM
from tests.contract.sample_events import sample_write


class ThreadRecorder:
    """A recorder that numbers the commands, on its own thread."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.recorded: list[AppendRequest] = []
        self.may_record = threading.Event()
        self.may_record.set()
        self._loop = asyncio.get_running_loop()
        self._begun: SimpleQueue[tuple[Sequence[AppendRequest], ReportResults] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def begin(self, commands: Sequence[AppendRequest], report: ReportResults) -> None:
        self._begun.put((commands, report))

    def close(self) -> None:
        self._begun.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (group := self._begun.get()) is not None:
            commands, report = group
            self.may_record.wait()
            self.sizes.append(len(commands))
            first = len(self.recorded) + 1
            self.recorded += commands
            self._loop.call_soon_threadsafe(report, list(range(first, first + len(commands))))


def request(number: int) -> AppendRequest:
    return AppendRequest.of([sample_write(f"post.a{number}", NO_STREAM)])


@pytest.mark.parametrize("pause", [0, 1, 2, 5])
async def test_every_command_is_recorded_once_and_in_order(pause: int) -> None:
    recorder = ThreadRecorder()
    heads: list[int] = []
    commits = GroupCommit(recorder, heads.append)
    commands = [request(number) for number in range(3_000)]
    positions = []
    for number, command in enumerate(commands):
        positions.append(commits.record(command))
        if pause and number % pause == 0:
            await asyncio.sleep(0)
    await asyncio.wait_for(commits.finish(), 60)
    assert [position.result() for position in positions] == list(range(1, 3_001))
    assert recorder.recorded == commands
    assert heads[-1] == 3_000
    assert not commits.is_writing
    recorder.close()


async def test_the_next_group_contains_what_arrived_while_the_last_was_recorded() -> None:
    recorder = ThreadRecorder()
    commits = GroupCommit(recorder, lambda _: None)
    recorder.may_record.clear()
    first = commits.record(request(0))
    await asyncio.sleep(0)
    others = [commits.record(request(number)) for number in range(1, 6)]
    recorder.may_record.set()
    assert await asyncio.gather(first, *others) == [1, 2, 3, 4, 5, 6]
    assert recorder.sizes == [1, 5]
    recorder.close()
