"""Delays, retries and polling."""

from itertools import islice, repeat

import pytest

from ledgerpress.retry import Backoff, poll, poll_blocking, retry


def test_delays_double_up_to_the_maximum() -> None:
    assert list(islice(Backoff(0.5, 3.0).delays(), 5)) == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert list(islice(Backoff(0.5, 3.0, spread=lambda: 0.5).delays(), 3)) == [0.25, 0.5, 1.0]


class Attempts:
    """An operation that fails the first `failures` times and counts its calls."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0

    async def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return self.calls

    def check_blocking(self) -> int | None:
        self.calls += 1
        return self.calls if self.calls > self.failures else None

    async def check(self) -> int | None:
        return self.check_blocking()


async def test_an_attempt_is_repeated_only_after_the_expected_error() -> None:
    attempts = Attempts(2, ConnectionError())
    assert await retry(attempts, on=OSError, delays=repeat(0.0), timeout=5) == 3
    attempts = Attempts(1, ValueError())
    with pytest.raises(ValueError, match=r"^$"):
        await retry(attempts, on=OSError, delays=repeat(0.0), timeout=5)
    assert attempts.calls == 1


async def test_no_attempt_begins_after_the_timeout() -> None:
    attempts = Attempts(9, ConnectionError())
    with pytest.raises(ConnectionError):
        await retry(attempts, on=OSError, delays=iter([0.0, 0.0, 60.0]), timeout=5)
    assert attempts.calls == 3


async def test_polling_ends_with_a_result_or_the_timeout() -> None:
    assert await poll(Attempts(2, ValueError()).check, interval=0.001, timeout=5) == 3
    assert await poll(Attempts(2, ValueError()).check, interval=1.0, timeout=0.01) is None


def test_polling_without_an_event_loop() -> None:
    assert poll_blocking(Attempts(2, ValueError()).check_blocking, interval=0.001, timeout=5) == 3
    assert poll_blocking(Attempts(2, ValueError()).check_blocking, interval=1.0, timeout=0.01) is None
