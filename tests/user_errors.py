"""Assert that a command is rejected with an error code and a field."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ledgerpress.commands.errors import Rejection


@contextmanager
def refused(code: str, *field: str) -> Iterator[pytest.ExceptionInfo[Rejection]]:
    """Expect a rejection with this code and field, and a message that is a sentence."""
    with pytest.raises(Rejection) as caught:
        yield caught
    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.message[-1] in ".!?”"
