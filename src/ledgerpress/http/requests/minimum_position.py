"""The minimum position of the log that a response must show, which a client knows from an earlier response."""

from collections.abc import Mapping
from typing import Any, Final

from ledgerpress.eventlog.errors import LogUnavailable
from ledgerpress.graphql.context import Store
from ledgerpress.http.request_rejection_error import HttpError, retry_after

HEADER: Final = b"ledgerpress-min-position"
_LARGEST: Final = 2**53 - 1


def minimum_position(headers: Mapping[bytes, bytes], extensions: Mapping[str, Any] | None) -> int:
    """Return the position that a request demands, by its header or by `extensions.minPosition`; 0 for none.

    Where it has both, the greater one counts. Raises `HttpError`.
    """
    value = headers.get(HEADER)
    if value is None and not extensions:
        return 0
    demanded = 0
    if value is not None:
        text = value.strip()
        if not text.isdigit() or len(text) > 16:
            raise _bad("The header LedgerPress-Min-Position")
        demanded = int(text)
    extension = (extensions or {}).get("minPosition")
    if extension is not None:
        if type(extension) is not int or extension < 0:
            raise _bad("extensions.minPosition")
        demanded = max(demanded, extension)
    if demanded > _LARGEST:
        raise _bad("The demanded position")
    return demanded


async def wait_for_position(store: Store, position: int, seconds: float) -> None:
    """Wait until the views have reached `position`. Raises `HttpError` where they do not within that time.

    A position that is not in the log is rejected at once: on every node the log contains everything that was acknowledged.
    While the log cannot be reached, this cannot be checked.
    """
    if store.position >= position:
        return
    head = await _head(store)
    if head is not None and position > head:
        raise HttpError(
            400,
            "NO_SUCH_POSITION",
            f"The log has no position {position} yet; it ends at {head}. Demand a position that an answer told you.",
        )
    if not await store.views.wait_for(position, seconds):
        if any(point.is_paused for point in store.checkpoints.values()):
            raise HttpError(
                503,
                "VIEWS_BEHIND",
                f"The position {position} is not reached: the views stand still at {store.position}, until an operator "
                "has seen to them.",
                retry_after(60),
            )
        raise HttpError(
            503,
            "VIEWS_BEHIND",
            f"The position {position} was not reached within {seconds:g} seconds; this server has come to "
            f"{store.position}. Try again.",
            retry_after(1),
        )


async def _head(store: Store) -> int | None:
    try:
        return await store.log.head()
    except LogUnavailable:
        return None


def _bad(what: str) -> HttpError:
    return HttpError(400, "BAD_REQUEST", f"{what} has to be a position: a whole number from 0 to {_LARGEST}.")
