"""The trace of a request, and what caused it: by W3C Trace Context, and by ids of the client.

`traceparent` (Trace Context, section 3.2) names the trace; an invalid one is ignored, as the specification requires.
`LedgerPress-Correlation-Id` and `LedgerPress-Causation-Id` are UUIDs that are recorded in events. Without the former, the
events of a trace have a correlation id that is derived from the trace id.
"""

import re
from collections.abc import Iterable
from typing import Final

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.graphql.context import Trace

TRACEPARENT: Final = b"traceparent"
CORRELATION: Final = b"ledgerpress-correlation-id"
CAUSATION: Final = b"ledgerpress-causation-id"
_HEADERS: Final = frozenset({TRACEPARENT, CORRELATION, CAUSATION})
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<more>-.*)?"
)
_UUID: Final = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class BadTraceHeader(Exception):
    """A header has an invalid value. The message is for the client."""


def trace_of(headers: Iterable[tuple[bytes, bytes]]) -> Trace | None:
    """Return the trace that the headers of a request name. Raises `BadTraceHeader`."""
    values: dict[bytes, bytes] | None = None
    for name, value in headers:
        if name in _HEADERS:
            values = values or {}
            values[name] = value
    if values is None:
        return None
    trace_id = trace_id_of(values.get(TRACEPARENT, b""))
    correlation, causation = _uuid(values, CORRELATION), _uuid(values, CAUSATION)
    if not (trace_id or correlation or causation):
        return None
    return Trace(trace_id, correlation or correlation_id(trace_id), causation)


def trace_id_of(traceparent: bytes) -> str | None:
    """Return the trace id in the value of a header `traceparent`, if it is valid."""
    match = _TRACEPARENT.fullmatch(traceparent.strip())
    if match is None or (match["version"] == b"00" and match["more"]):
        return None
    return match["trace"].decode("ascii")


def correlation_id(trace_id: str | None) -> str | None:
    """Return the correlation id of the events of a trace: the same one for the same trace."""
    return uuid8("trace", trace_id) if trace_id else None


def _uuid(values: dict[bytes, bytes], name: bytes) -> str | None:
    value = values.get(name)
    if value is None:
        return None
    if not _UUID.fullmatch(value):
        raise BadTraceHeader(f"The header {name.decode('ascii')} must hold a UUID.")
    return value.decode("ascii").lower()
