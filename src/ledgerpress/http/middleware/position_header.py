"""`LedgerPress-Position` on every response: the position of the views that it was read from."""

from typing import Final

from ledgerpress.http.errors import Header

POSITION_HEADER: Final = "LedgerPress-Position"
NAME: Final = b"ledgerpress-position"


def position_header(position: int) -> Header:
    """Return the header for `position`."""
    return NAME, b"%d" % position
