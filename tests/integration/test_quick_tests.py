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
    process = script("--quick", "--collect-only", "-n", "0")
    assert process.returncode == 0, process.stdout + process.stderr
    counts = re.search(r"(\d+)/(\d+) tests collected", process.stdout)
    assert counts, process.stdout[-500:]
    selected, all_tests = map(int, counts.groups())
    assert all_tests > 1_000
    assert selected >= 0.8 * all_tests
    assert "tests/unit/test_posts.py::" in process.stdout
    assert "tests/contract/test_event_log.py::" in process.stdout
    assert "tests/integration" not in process.stdout


def test_quick_must_be_the_first_option() -> None:
    process = script("tests/unit", "--quick")
    assert process.returncode == 2
    assert "--quick must come first" in process.stderr
