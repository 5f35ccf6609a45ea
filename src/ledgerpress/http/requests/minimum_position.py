"""The minimum position of a request: a client that wrote or read at a position can require it for the next response."""

from collections.abc import Mapping
from typing import Any, Final

from ledgerpress.eventlog.errors import LogUnavailable
from ledgerpress.graphql.context import Store
from ledgerpress.http.request_rejection_error import HttpError, retry_after

HEADER: Final = b"ledgerpress-min-position"
_LARGEST: Final = 2**53 - 1


def minimum_position(headers: Mapping[bytes, bytes], extensions: Mapping[str, Any] | None) -> int:
    """Return the minimum position in the header or in `extensions.minPosition`; 0 if there is none.

    If the request has both, the greater one counts. Raises `HttpError` for an invalid position.
    """
    value = headers.get(HEADER)
    if value is None and not extensions:
        return 0
    position = 0
    if value is not None:
        text = value.strip()
        if not text.isdigit() or len(text) > 16:
            raise _bad("The header LedgerPress-Min-Position")
        position = int(text)
    extension = (extensions or {}).get("minPosition")
    if extension is not None:
        if type(extension) is not int or extension < 0:
            raise _bad("extensions.minPosition")
        position = max(position, extension)
    if position > _LARGEST:
        raise _bad("The minimum position")
    return position


async def wait_for_position(store: Store, position: int, seconds: float) -> None:
    """Wait until the views have reached `position`. Raises `HttpError` if that takes longer than `seconds`.

    A position beyond the head of the log is rejected at once: the log contains all acknowledged events, on every node.
    While the log cannot be reached, this is not checked.
    """
    if store.position >= position:
        return
    head = await _head(store)
    if head is not None and position > head:
        raise HttpError(
            400,
            "NO_SUCH_POSITION",
            f"The log has no position {position}; it ends at {head}. Use a position from an earlier response.",
        )
    if not await store.views.wait_for(position, seconds):
        if any(point.is_paused for point in store.checkpoints.values()):
            raise HttpError(
                503,
                "VIEWS_BEHIND",
                f"The views have not reached position {position}: they are paused at position {store.position} until "
                "an operator resumes them.",
                retry_after(60),
            )
        raise HttpError(
            503,
            "VIEWS_BEHIND",
            f"The views did not reach position {position} within {seconds:g} seconds; they are at position "
            f"{store.position}. Try again.",
            retry_after(1),
        )


async def _head(store: Store) -> int | None:
    try:
        return await store.log.head()
    except LogUnavailable:
        return None


def _bad(subject: str) -> HttpError:
    return HttpError(400, "BAD_REQUEST", f"{subject} must be a whole number from 0 to {_LARGEST}.")
