"""The number of cores that a container may use."""

from pathlib import Path

import pytest

from ledgerpress.server.settings.server_section import core_quota


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("200000 100000\n", 2),
        ("250000 100000\n", 2),
        ("50000 100000\n", 1),
        ("max 100000\n", None),
        ("", None),
        ("200000\n", None),
    ],
)
def test_the_quota_of_a_container_limits_its_cores(tmp_path: Path, text: str, cores: int | None) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(text, "ascii")
    assert core_quota(file) == cores


def test_without_cgroups_there_is_no_quota(tmp_path: Path) -> None:
    assert core_quota(tmp_path / "missing") is None
