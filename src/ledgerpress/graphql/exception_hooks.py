"""Preserve the exception hooks of the process, which Strawberry replaces when it is first imported."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unchanged_exception_hooks() -> Iterator[None]:
    """Restore `sys.excepthook` and `threading.excepthook` on exit: a host application may have hooks of its own."""
    hooks = sys.excepthook, threading.excepthook
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook = hooks
