"""Draw the figures and fill in the tables of `docs/explanation/scale.md`; --measure measures this machine first."""

import argparse
import shutil
import sys
from pathlib import Path

from scripts.scaling.constants import CHECKOUT, FILE, Constants, load, save
from scripts.scaling.figures import FIGURES
from scripts.scaling.measurements import measure
from scripts.scaling.tables import filled_in

LEAST = 5_000
PAGE = CHECKOUT / "docs" / "explanation" / "scale.md"


def derived(constants: Constants, page: Path = PAGE) -> dict[Path, str]:
    """Return the content of each file that is derived from the constants."""
    files = {FILE.parent / f"{name}.svg": draw(constants).svg() for name, draw in FIGURES.items()}
    return {**files, page: filled_in(page.read_text("utf-8"), constants)}


def main() -> None:
    """Run the command `scripts/scale`."""
    parser = argparse.ArgumentParser(prog="scripts/scale", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    parser.add_argument("--measure", action="store_true", help="measure this machine first")
    parser.add_argument(
        "--events", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="sizes of logs to measure"
    )
    options = parser.parse_args()
    if min(options.events) < LEAST:
        parser.error(
            f"--events: measure logs of at least {LEAST:,} events; smaller logs give meaningless results"
        )
    if options.measure:
        # Not the system's directory for temporary files, which may be in memory.
        # The directory stays if a part fails, so that the next run measures only the missing parts.
        folder = CHECKOUT / ".bench-scale"
        folder.mkdir(exist_ok=True)
        save(measure(options.events, folder))
        shutil.rmtree(folder)
    outdated = [
        (file, text)
        for file, text in derived(load()).items()
        if not file.exists() or file.read_text("utf-8") != text
    ]
    for file, text in outdated:
        name = file.relative_to(CHECKOUT)
        print(f"{name} is out of date: run scripts/scale" if options.check else f"wrote {name}")
        if not options.check:
            file.write_text(text, "utf-8")
    sys.exit(1 if options.check and outdated else 0)


if __name__ == "__main__":
    main()
