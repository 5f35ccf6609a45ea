"""Check the structure of the tree: sizes and names of modules, sizes of folders, and the pinned dependencies.

`scripts/check` runs this. Import-linter checks the layers and cycles of imports (pyproject.toml).
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "src"
MAX_LINES: Final = 400
MAX_MODULES_IN_A_FOLDER: Final = 25
GRAB_BAG_NAMES: Final = frozenset(
    ["base", "common", "helper", "helpers", "manager", "managers", "misc", "util", "utilities", "utils"]
)
PIN: Final = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)


def main() -> int:
    findings = [*long_modules(), *large_folders(), *grab_bags(), *commands(), *locks()]
    for finding in findings:
        print(finding)
    if not findings:
        print("Modules, folders and locks follow the rules.")
    return 1 if findings else 0


def long_modules() -> Iterator[str]:
    for module in sorted(SOURCE.rglob("*.py")):
        lines = len(module.read_text("utf-8").splitlines())
        if lines > MAX_LINES:
            yield f"{module.relative_to(ROOT)}: {lines} lines; split it by concept (at most {MAX_LINES} lines)"


def large_folders() -> Iterator[str]:
    for folder in sorted(path for path in SOURCE.rglob("*") if path.is_dir()):
        modules = sum(1 for _ in folder.glob("*.py"))
        if modules > MAX_MODULES_IN_A_FOLDER:
            yield (
                f"{folder.relative_to(ROOT)}: {modules} modules; group them (at most {MAX_MODULES_IN_A_FOLDER})"
            )


def grab_bags() -> Iterator[str]:
    for path in sorted(SOURCE.rglob("*")):
        if (path.suffix == ".py" or path.is_dir()) and GRAB_BAG_NAMES & set(path.stem.strip("_").split("_")):
            yield f"{path.relative_to(ROOT)}: name it after what it contains"


def commands() -> Iterator[str]:
    for path in sorted((ROOT / "scripts").iterdir()):
        if path.is_file() and path.suffix:
            yield f"{path.relative_to(ROOT)}: only commands belong here; move the module into a folder"


def locks() -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]
    extras = project["project"]["optional-dependencies"]
    engines = [*extras["jetstream"], *extras["otel"], *extras["postgres"]]
    runtime = [*project["project"]["dependencies"], *engines, *groups["build"]]
    for name, requirements in {"runtime": runtime, "dev": [*runtime, *groups["dev"]]}.items():
        lock = ROOT / "requirements" / f"{name}.txt"
        text = lock.read_text("utf-8")
        pins = {canonicalize_name(pin["name"]): pin["version"] for pin in PIN.finditer(text)}
        for requirement in map(Requirement, requirements):
            version = pins.get(canonicalize_name(requirement.name))
            if version is None or version not in requirement.specifier:
                yield (
                    f"{lock.relative_to(ROOT)}: pins version {version}, "
                    f"but pyproject.toml requires {requirement}; run scripts/lock"
                )
        if "://" in text:
            yield f"{lock.relative_to(ROOT)}: contains an address; a lock file must contain only versions and hashes"


if __name__ == "__main__":
    sys.exit(main())
