"""Print the texts of pages that have no translation, or write them into the catalogues.

    python -m ledgerpress.testing.texts [--update] [--language TAG …] FOLDER …

A folder has templates, modules and the folder `translations`. Without `--language`, the languages are those of its
catalogues, or those of LedgerPress if it has none. The exit code is 1 if something is missing, unused or invalid.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ledgerpress.http.pages.interface_texts.catalogues import InvalidCatalogue, catalogue_files
from ledgerpress.http.pages.interface_texts.translations import KERNEL_FOLDER
from ledgerpress.testing.texts.catalogue_comparison import FOLDER, Source, conflicts, problems, update


def main(arguments: Sequence[str]) -> int:
    """Run the command with its arguments; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m ledgerpress.testing.texts",
        description="Print the texts of pages that have no translation.",
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--update", action="store_true", help="write the missing texts into the catalogues")
    parser.add_argument("--language", action="append", metavar="TAG", help="a language; may be repeated")
    options = parser.parse_args(arguments)
    sources = [Source(folder, options.language or _languages(folder)) for folder in options.folders]
    try:
        if options.update:
            for path in (path for source in sources for path in update(source)):
                print(f"changed: {path}")  # noqa: T201 - the output of the command
        results = [problem for source in sources for problem in problems(source)]
        results += conflicts(sources)
    except InvalidCatalogue as error:
        results = [str(error)]
    for problem in results:
        print(problem)  # noqa: T201
    if not results:
        print("All texts have translations.")  # noqa: T201
    return 1 if results else 0


def _languages(folder: Path) -> list[str]:
    own = [path.stem for path in catalogue_files(folder / FOLDER).values()]
    return own or [path.stem for path in catalogue_files(KERNEL_FOLDER).values()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
