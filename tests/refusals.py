"""What a refusal must say."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ledgerpress.domain.rejection import ErrorCode, Rejected


@contextmanager
def refused(code: ErrorCode, *field: str) -> Iterator[pytest.ExceptionInfo[Rejected]]:
    """Expect a refusal with that code, at that field, and with words for a person."""
    with pytest.raises(Rejected) as caught:
        yield caught
    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.message[-1] in ".!?”"
