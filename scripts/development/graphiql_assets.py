"""Fetch the files of GraphiQL from npm by name and version, and accept them only if their digests match.

`scripts/graphiql-assets` runs this. The table in README.md next to the files is the only list of the shipped files.
LICENSES.txt is generated from the packages that the source map of GraphiQL's build names.
"""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = (
    Path(__file__).resolve().parents[2] / "src" / "ledgerpress" / "http" / "pages" / "static" / "graphiql"
)
README = FOLDER / "README.md"
LICENSES = "LICENSES.txt"
SOURCE_MAP = "graphiql/graphiql.min.js.map"

# npm installs the versions of this day, so that every run finds the same packages in GraphiQL's build.
AS_OF = "2026-03-11"
# Packages in the build that npm does not install as dependencies; the last one contains the licence of a font.
ALSO_BUILT_IN = ("graphql@16.13.1", "graphql-ws@5.16.2", "@fontsource/fira-code@5.2.7")
# From the name table of the other font. The @react-aria packages contain the text of the same licence.
ROBOTO = "The font Roboto 2.137 in graphiql.min.css: Copyright 2011 Google Inc., Apache License 2.0 (see @react-aria)."

ROW = re.compile(
    r"^\| `(?P<file>[^`]+)` \| (?P<package>\S+) (?P<version>\S+) \| `(?P<path>[^`]+)` \| [^|]+ "
    r"\| `(?P<digest>[0-9a-f]{64})` \|$",
    re.MULTILINE,
)
A_LICENCE = re.compile(r"licen[cs]e", re.IGNORECASE)


class Asset(NamedTuple):
    """A row of the table in README.md."""

    file: str
    package: str
    version: str
    path: str
    digest: str


def main(arguments: list[str]) -> int:
    assets = [Asset(**row.groupdict()) for row in ROW.finditer(README.read_text("utf-8"))]
    if not assets or set(arguments) - {"--check"}:
        print("usage: scripts/graphiql-assets [--check]", file=sys.stderr)
        return 2
    if "--check" in arguments:
        return report(differing(assets, {asset: FOLDER / asset.file for asset in assets}))
    with tempfile.TemporaryDirectory() as folder:
        modules = installed(assets, Path(folder))
        fetched = {asset: modules / asset.package / asset.path for asset in assets}
        findings = list(differing(assets, fetched))
        if not findings:
            for asset, source in fetched.items():
                (FOLDER / asset.file).write_bytes(source.read_bytes())
            (FOLDER / LICENSES).write_text(licences(modules), "utf-8")
        return report(findings)


def installed(assets: list[Asset], folder: Path) -> Path:
    """Install the packages without running their scripts, and return the directory that contains them."""
    (folder / "package.json").write_text('{"private": true}', "utf-8")
    packages = sorted({f"{asset.package}@{asset.version}" for asset in assets})
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", f"--before={AS_OF}"]
    subprocess.run(["npm", "install", *options, *packages, *ALSO_BUILT_IN], cwd=folder, check=True)
    return folder / "node_modules"


def differing(assets: list[Asset], files: dict[Asset, Path]) -> Iterator[str]:
    for asset in assets:
        digest = hashlib.sha256(files[asset].read_bytes()).hexdigest()
        if digest != asset.digest:
            yield f"{asset.file}: the digest is {digest}, but README.md requires {asset.digest}"


def report(findings: Iterator[str] | list[str]) -> int:
    problems = list(findings)
    for finding in problems:
        print(finding)
    print("Nothing was changed." if problems else "The files of GraphiQL match README.md.")
    return 1 if problems else 0


def licences(modules: Path) -> str:
    """Return each licence text once, under the names of the packages that it covers."""
    packages: dict[str, list[str]] = {}
    for name in sorted(built_in(modules)):
        about = json.loads((modules / name / "package.json").read_text("utf-8"))
        files = sorted(
            file for file in (modules / name).iterdir() if A_LICENCE.match(file.name) and file.is_file()
        )
        texts = [file.read_text("utf-8").strip().replace("\r\n", "\n") for file in files]
        text = (
            "\n\n".join(texts)
            or f"The package declares the licence {about['license']} and holds no text of it."
        )
        packages.setdefault(text, []).append(f"{name} {about['version']}")
    rule = "=" * 100
    parts = [f"{rule}\n{', '.join(names)}\n{rule}\n\n{text}\n" for text, names in packages.items()]
    return "\n".join(["Licences of what is in this directory.", "", ROBOTO, "", *parts])


def built_in(modules: Path) -> set[str]:
    """Return the names of the packages in GraphiQL's build, of React, and of the font Fira Code."""
    sources = json.loads((modules / SOURCE_MAP).read_text("utf-8"))["sources"]
    names = {"graphiql", "react", "react-dom"} | {package.rpartition("@")[0] for package in ALSO_BUILT_IN}
    for source in sources:
        _, inside, path = source.rpartition("node_modules/")
        if inside:
            scope, *rest = path.split("/")
            names.add(f"{scope}/{rest[0]}" if scope.startswith("@") else scope)
        elif workspace := re.match(r"\.\./\.\./(?:graphiql-)?([a-z-]+)/", source):
            names.update(
                name for name in (workspace[1], f"@graphiql/{workspace[1]}") if (modules / name).is_dir()
            )
    return names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
