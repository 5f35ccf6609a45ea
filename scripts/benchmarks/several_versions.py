"""Several versions on one data directory: four servers under load for two minutes, each stopped and started in turn.

The four servers run an earlier commit, this version with a changed projector, this version with the feature of
docs/examples/factcheck, and this version without it. Clients create, check and publish posts, query and subscribe on
each server. The benchmark checks that no process builds its views twice or disturbs another process, that each follows
its own rules, and that at the end the views of each set equal those of a rebuild. Then it upgrades from the earlier
version and downgrades again.

Exits with 1 if a check fails. CI runs the same for a few seconds:
tests/integration/test_several_versions_under_load.py.
"""

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

import uvloop

from tests.integration.several_versions import (
    Version,
    changed_version,
    this_version,
    version_of_source,
    version_with_factcheck,
)
from tests.integration.several_versions_scenario import side_by_side, upgrade_and_downgrade

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
OLD: Final = "7d05224"
"""The last commit whose processes know only one set of views per directory."""


def source_of(commit: str, place: Path) -> Path:
    """Unpack the package of a commit into `place`, and return the directory that contains it."""
    archive = subprocess.run(
        ["git", "archive", commit, "src"],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(place, filter="data")
    return place / "src"


async def measure(commit: str, seconds: float, readers: int) -> None:
    """Run both scenarios, and print their results. Raises `AssertionError` if a check fails."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as directory:
        place = Path(directory)
        old = version_of_source(f"old, {commit}", source_of(commit, place / "old"))
        new = changed_version("changed projector", "capitals", str.upper)
        versions: list[Version] = [old, new, version_with_factcheck(place / "site"), this_version()]
        (place / "several").mkdir()
        report = await side_by_side(place / "several", versions, seconds=seconds, pause=3.0, readers=readers)
        print(f"{report.position:,} events, including {report.checks:,} fact checks")
        for version in versions:
            counts = ", ".join(
                f"{n:,} {kind}" for (name, kind), n in report.counts.items() if name == version.name
            )
            print(f"  {version.name}: stopped {report.restarts[version.name]} times; {counts}")
        for digest, names in report.files.items():
            print(f"  set {digest}: {', '.join(names)}")
        (place / "upgrade").mkdir()
        files = await upgrade_and_downgrade(place / "upgrade", old, new)
        print("upgrade and downgrade: " + "; ".join(f"set {d}: {', '.join(n)}" for d, n in files.items()))


def main() -> None:
    """Run the benchmark, and exit with 1 if a check fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--old", default=OLD, metavar="COMMIT", help="the commit of the earlier version")
    parser.add_argument("--seconds", type=float, default=120.0, help="seconds of load with restarts")
    parser.add_argument("--readers", type=int, default=2, help="clients that query each server")
    options = parser.parse_args()
    try:
        uvloop.run(measure(options.old, options.seconds, options.readers))
    except AssertionError as error:
        sys.exit(f"FAILED: {error}")


if __name__ == "__main__":
    main()
