"""Rules of this tree that no tool knows: sizes and names of modules, and locks that fit the project.

A module is named after the concept in it and stays small enough to be read in one go.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
MOST_LINES = 400
SAYS_NOTHING = {"base", "common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)


def main() -> int:
    findings = [*sizes(), *names(), *locks()]
    for finding in findings:
        print(finding)
    if not findings:
        print("sizes, names and locks are as agreed")
    return 1 if findings else 0


def sizes() -> Iterator[str]:
    for module in sorted((ROOT / "src").rglob("*.py")):
        lines = len(module.read_text("utf-8").splitlines())
        if lines > MOST_LINES:
            yield f"{module.relative_to(ROOT)}: {lines} lines; split it by concept ({MOST_LINES} at most)"


def names() -> Iterator[str]:
    for path in sorted((ROOT / "src").rglob("*")):
        if (path.suffix == ".py" or path.is_dir()) and SAYS_NOTHING & set(path.stem.strip("_").split("_")):
            yield f"{path.relative_to(ROOT)}: the name does not say what is in it"


def locks() -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]
    serving = [*project["project"]["dependencies"], *groups["build"]]
    for name, requirements in {"runtime": serving, "dev": [*serving, *groups["dev"]]}.items():
        lock = ROOT / "requirements" / f"{name}.txt"
        text = lock.read_text("utf-8")
        pins = {canonicalize_name(pin["name"]): pin["version"] for pin in PIN.finditer(text)}
        for requirement in map(Requirement, requirements):
            version = pins.get(canonicalize_name(requirement.name))
            if version is None or version not in requirement.specifier:
                yield f"{lock.relative_to(ROOT)}: {requirement} is not what is pinned ({version}); run scripts/lock"
        if "://" in text:
            yield f"{lock.relative_to(ROOT)}: holds an address; only versions and hashes belong there"


if __name__ == "__main__":
    sys.exit(main())
