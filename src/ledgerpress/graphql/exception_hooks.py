"""Keep the exception hooks of the process: Strawberry replaces them when it is imported for the first time."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unchanged_exception_hooks() -> Iterator[None]:
    """Restore `sys.excepthook` and `threading.excepthook` afterwards: a host application may have hooks of its own."""
    hooks = sys.excepthook, threading.excepthook
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook = hooks
