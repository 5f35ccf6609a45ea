"""`scripts/test --quick` runs at least 80 % of the unit and contract tests."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def script(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "test", *arguments], capture_output=True, text=True, check=False, timeout=300
    )


def test_quick_runs_most_unit_and_contract_tests() -> None:
    ended = script("--quick", "--collect-only", "-n", "0")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    counts = re.search(r"(\d+)/(\d+) tests collected", ended.stdout)
    assert counts, ended.stdout[-500:]
    selected, all_tests = map(int, counts.groups())
    assert all_tests > 1_000
    assert selected >= 0.8 * all_tests
    assert "tests/unit/test_posts.py::" in ended.stdout
    assert "tests/contract/test_event_log.py::" in ended.stdout
    assert "tests/integration" not in ended.stdout


def test_quick_comes_first() -> None:
    ended = script("tests/unit", "--quick")
    assert ended.returncode == 2
    assert "--quick comes first" in ended.stderr
