"""Servers with different versions and features on one data directory, under load, while each is restarted."""

from pathlib import Path

from tests.integration.several_versions import changed_version, this_version, version_with_factcheck
from tests.integration.several_versions_scenario import side_by_side, upgrade_and_downgrade

SECONDS = 6.0


async def test_four_processes_do_not_disturb_each_other(tmp_path: Path) -> None:
    versions = [
        changed_version("old", "small-letters", str.lower),
        changed_version("new", "capitals", str.upper),
        version_with_factcheck(tmp_path / "site"),
        this_version(),
    ]
    report = await side_by_side(tmp_path, versions, seconds=SECONDS, pause=0.2, readers=1)
    assert len(report.files) == len(versions)
    assert all(report.restarts.values())


async def test_an_upgrade_is_gradual_and_a_downgrade_is_served_at_once(tmp_path: Path) -> None:
    old, new = this_version(), changed_version("new", "capitals", str.upper)
    files = await upgrade_and_downgrade(tmp_path, old, new)
    # The new version serves a copy of the old views until its own are built.
    assert sorted(map(len, files.values())) == [1, 2]
