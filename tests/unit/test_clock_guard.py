"""When a clock may be used to record events."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ledgerpress.eventlog.clock_guard import ClockGuard, ClockLimits, duration, monotonic_microseconds, shown
from ledgerpress.eventlog.clock_randomness_ids import SystemClock
from ledgerpress.server.settings import InvalidSettings
from ledgerpress.server.settings.store_location import clock_limits

SECOND = 1_000_000
DAY = 86_400 * SECOND
NOW = 1_714_809_600 * SECOND


@dataclass
class Machine:
    """A machine with two clocks, and a log."""

    time: int = NOW
    monotonic: int = 5 * SECOND
    recorded_time: int | None = NOW - 60 * SECOND
    limits: ClockLimits = field(default_factory=ClockLimits)

    def now(self) -> int:
        return self.time

    def guard(self) -> ClockGuard:
        return ClockGuard(self, self.limits, lambda: self.recorded_time, lambda: self.monotonic)

    def wait(self, seconds: int) -> None:
        """Let time pass, also while the machine is suspended."""
        self.time += seconds * SECOND
        self.monotonic += seconds * SECOND


@pytest.mark.parametrize(
    ("jump", "words"),
    [
        (61 * SECOND, "ahead by 0:01:01"),
        (-61 * SECOND, "back by 0:01:01"),
        (3_652 * DAY, "ahead by 3,652 days"),
    ],
)
def test_a_jump_is_a_problem_until_the_clock_is_right_again(
    jump: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine()
    guard = machine.guard()
    machine.wait(30)
    assert guard.check() is None
    machine.time += jump
    for _ in range(3):
        machine.wait(100)
        assert words in (guard.check() or "")
        assert guard.problem == guard.check()
    machine.time -= jump - 20 * SECOND
    assert guard.check() is None
    assert guard.problem is None
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]


def test_a_suspended_machine_and_small_steps_are_accepted() -> None:
    machine = Machine()
    guard = machine.guard()
    machine.wait(30 * 86_400)
    assert guard.check() is None
    for _ in range(50):
        machine.time += 59 * SECOND
        assert guard.check() is None
    machine.time += 61 * SECOND
    assert guard.check() is not None


def test_a_restart_accepts_a_clock_that_is_near_the_recorded_time() -> None:
    machine = Machine()
    guard = machine.guard()
    machine.time += DAY
    assert guard.check() is not None
    assert machine.guard().check() is None


def test_a_clock_that_is_behind_is_a_notice_until_it_reaches_the_recorded_time() -> None:
    machine = Machine(recorded_time=NOW + DAY)
    guard = machine.guard()
    assert guard.check() is None
    assert "1 day before the last recorded time" in (guard.notice or "")
    machine.wait(86_400 - 30)
    assert guard.check() is None
    assert guard.notice is None


def test_a_clock_that_is_too_far_ahead_is_a_problem_until_it_is_confirmed() -> None:
    machine = Machine(recorded_time=NOW - 400 * DAY)
    assert machine.guard().check() is None
    machine.recorded_time = NOW - 401 * DAY
    guard = machine.guard()
    assert "401 days after the last recorded time" in (guard.check() or "")
    assert "ledgerpress clock confirm" in (guard.problem or "")
    machine.recorded_time = None  # the views cannot be read at the moment
    assert guard.check() is not None
    machine.recorded_time = NOW
    assert guard.check() is None


def test_a_clock_is_trusted_if_the_recorded_time_is_not_known() -> None:
    guard = Machine(recorded_time=None).guard()
    guard.report()
    assert guard.check() is None


def test_a_long_silence_is_logged_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    Machine(recorded_time=NOW - 29 * DAY).guard().report()
    assert caplog.messages == []
    Machine(recorded_time=NOW - 366 * DAY).guard().report()
    assert "366 days after the last recorded time" in caplog.messages[0]


def test_the_clocks_of_this_machine_agree() -> None:
    guard = ClockGuard(SystemClock(), ClockLimits.of(5, 400), lambda: None, monotonic_microseconds)
    assert guard.check() is None


def test_times_and_spans_as_text() -> None:
    assert shown(NOW + 1) == "2024-05-04T08:00:00Z"
    assert shown(10**30) == f"{10**30:,} microseconds since 1970"
    assert (duration(-90 * SECOND), duration(DAY), duration(366 * DAY)) == ("0:01:30", "1 day", "366 days")


def test_commands_use_the_limits_in_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert clock_limits({}) == ClockLimits()
    environment = {"LEDGERPRESS_MAX_CLOCK_AHEAD_DAYS": "10", "LEDGERPRESS_MAX_CLOCK_JUMP_SECONDS": "2.5"}
    assert clock_limits(environment) == ClockLimits(max_jump=2_500_000, max_ahead=10 * DAY)
    (tmp_path / "ledgerpress.toml").write_text("[server]\nmax_clock_ahead_days = 800\n", "utf-8")
    assert clock_limits({}) == ClockLimits(max_ahead=800 * DAY)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "a year"])
def test_invalid_limits_are_rejected(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidSettings, match="numbers above 0"):
        clock_limits({"LEDGERPRESS_MAX_CLOCK_AHEAD_DAYS": value})
