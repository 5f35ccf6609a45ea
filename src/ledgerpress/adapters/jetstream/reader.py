"""Reads events: many at once from any replica, and compared with the leader so that none is missed.

A replica may lag. Whatever was acknowledged before a read began is in what it returns: where the messages end before
the leader's last one, they are asked for again, and in the end one by one of the leader. Where it has none of them
either, somebody took them out of the stream: a gap.
"""

import asyncio
from typing import Final

from ledgerpress.adapters.jetstream.batched_get import BatchedReads, Found
from ledgerpress.adapters.jetstream.leader_requests import LeaderRequests, polls
from ledgerpress.adapters.jetstream.message_codec import header_of, payload_of
from ledgerpress.adapters.jetstream.stream_heads import StreamHead, StreamHeads
from ledgerpress.adapters.jetstream.url import SubjectNames
from ledgerpress.adapters.jetstream.withdrawal_index import WithdrawalIndex
from ledgerpress.eventlog.envelope import Header, StoredEvent
from ledgerpress.eventlog.errors import GapInLog
from ledgerpress.eventlog.log import MAX_BATCH_BYTES

_LAGS: Final = (0.0, 0.01, 0.02, 0.05, 0.1)
"""Seconds to wait for a replica that lags, before the leader is asked message by message."""


class Reader:
    """Reads the log of one publication."""

    def __init__(
        self,
        reads: BatchedReads,
        leader: LeaderRequests,
        names: SubjectNames,
        withdrawals: WithdrawalIndex,
        states: StreamHeads,
        publication: str,
    ) -> None:
        self._states = states
        self._reads = reads
        self._leader = leader
        self._names = names
        self._withdrawals = withdrawals
        self._publication = publication

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events after a position, fewer if they are large. Raises `GapInLog`."""
        if limit <= 0:
            return []
        head = asyncio.ensure_future(self._leader.head())
        try:
            found = await self._upto(head, after, limit)
        finally:
            head.cancel()
        found = await self._whole_commands(found)
        events: list[StoredEvent] = []
        for one in found:
            while after + len(events) + 1 < one.position:
                missing = after + len(events) + 1
                events.append(StoredEvent(await self._withdrawn(missing, one.position), None))
            self._learn(one)
            events.append(self._stored(one))
        for event in events[:limit]:
            self._states.note(
                event.header.stream, StreamHead(event.header.stream_version, event.header.position)
            )
        return events[:limit]

    async def read_stream(self, stream: str, after: int) -> list[StoredEvent]:
        """Return the events of a stream with versions greater than `after`."""
        subjects = self._names.guarded(stream)
        last = await self._leader.last_of(subjects)
        if last is None:
            return []
        # The rest of the last command may be in other streams.
        found = await self._whole_commands(await self._subject_upto(subjects, last.sequence))
        for one in found:
            self._learn(one)
        events = {one.body.stream_version: self._stored(one) for one in found if one.stream == stream}
        version = self._missing(events, stream)
        if version is not None:
            # It was erased while the others were read, and its withdrawal is later than they are.
            async for _ in polls():
                await self._withdrawals.refresh()
                if (version := self._missing(events, stream)) is None:
                    break
        if version is not None:
            raise GapInLog(expected=version, found=max(events))
        return [events[version] for version in sorted(events) if version > after]

    def _missing(self, events: dict[int, StoredEvent], stream: str) -> int | None:
        """Add the events that are known to be withdrawn, and return the first version that is missing."""
        for header in self._withdrawals.of_stream(stream):
            events[header.stream_version] = StoredEvent(header, None)
        versions = range(1, max(events, default=0) + 1)
        return next((version for version in versions if version not in events), None)

    async def _upto(self, head: asyncio.Future[int], after: int, limit: int) -> list[Found]:
        """Return messages after a position, at least up to the head where no bound ends them. Raises `GapInLog`."""
        found: list[Found] = []
        size = 0
        lags = iter(_LAGS)
        while True:
            last = found[-1].position if found else after
            batch, more = await self._reads.read(last, limit - len(found), MAX_BATCH_BYTES - size)
            found += batch
            size += sum([one.size for one in batch])
            if len(found) >= limit or size >= MAX_BATCH_BYTES:
                return found
            if more:
                continue
            last = found[-1].position if found else after
            if last >= await head:
                return found
            lag = next(lags, None)
            if lag is not None:
                await asyncio.sleep(lag)
            else:
                found.append(await self._next(last))
                size += found[-1].size

    async def _next(self, last: int) -> Found:
        """Return the message after a position before the head, as the leader has it. Raises `GapInLog`."""
        async for _ in polls():
            if message := await self._leader.next_of(self._names.subjects, last):
                return self._reads.given(message)
        raise GapInLog(expected=last + 1, found=None)

    async def _subject_upto(self, subject: str, last: int) -> list[Found]:
        found: list[Found] = []
        lags = iter(_LAGS)
        while not found or found[-1].position < last:
            after = found[-1].position if found else 0
            batch, _ = await self._reads.read(after, last - after, MAX_BATCH_BYTES, subject)
            found += batch
            if batch:
                continue
            lag = next(lags, None)
            if lag is not None:
                await asyncio.sleep(lag)
            elif message := await self._leader.next_of(subject, after):
                found.append(self._reads.given(message))
            else:
                break
        return found

    async def _whole_commands(self, found: list[Found]) -> list[Found]:
        """Leave out the first part of a command whose rest is not there yet."""
        if not found or not found[-1].body.more:
            return found
        end = found[-1].end
        if end <= await self._leader.head():
            return found
        return [one for one in found if one.end != end]

    async def _withdrawn(self, position: int, next_found: int) -> Header:
        header = await self._withdrawals.find(position)
        if header is None:
            raise GapInLog(expected=position, found=next_found)
        return header

    def _learn(self, found: Found) -> None:
        if found.body.withdraws is not None:
            self._withdrawals.add(found.body.withdraws)

    def _stored(self, found: Found) -> StoredEvent:
        header = header_of(found.body, self._publication, found.position, found.stream)
        if self._withdrawals.get(found.position) is not None:
            return StoredEvent(header, None)
        return StoredEvent(header, payload_of(found.body))
