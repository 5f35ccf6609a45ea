"""LedgerPress: an event-sourced content store for newsrooms and blogs.

`create_app` returns LedgerPress as an ASGI application; it is loaded when it is first used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledgerpress.server.embedded_app import create_app as create_app

__version__ = "0.1.0"
__all__ = ["__version__", "create_app"]


def __getattr__(name: str) -> object:
    """Load a public name. Importing this package alone imports no web framework."""
    if name == "create_app":
        from ledgerpress.server.embedded_app import create_app  # noqa: PLC0415

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
