"""Assert that a command is rejected with an error code and a field."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ledgerpress.commands.errors import Rejection


@contextmanager
def refused(code: str, *field: str) -> Iterator[pytest.ExceptionInfo[Rejection]]:
    """Expect a refusal with that code, at that field, and with words for a person."""
    with pytest.raises(Rejection) as caught:
        yield caught
    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.message[-1] in ".!?”"
