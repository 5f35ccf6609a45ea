"""Bundle GraphiQL from npm packages, and accept the files only if their digests match.

`scripts/graphiql-assets` runs this. GraphiQL 5 has no build that a page can load directly. So esbuild bundles it, from
the packages that `graphiql/package-lock.json` pins by digest. The table in README.md next to the shipped files is the
only list of them. LICENSES.txt is generated from the packages that are in the bundles.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SOURCES = Path(__file__).resolve().parent / "graphiql"
FOLDER = (
    Path(__file__).resolve().parents[2] / "src" / "ledgerpress" / "http" / "pages" / "static" / "graphiql"
)
README = FOLDER / "README.md"
LICENSES = "LICENSES.txt"
META = "meta.json"

# `iife`: a page loads each file without modules. `es2022`: every browser since 2023.
OPTIONS = [
    "--bundle",
    "--minify",
    "--format=iife",
    "--target=es2022",
    "--charset=utf8",
    "--legal-comments=none",
    '--define:process.env.NODE_ENV="production"',
    "--loader:.ttf=dataurl",
    "--loader:.woff2=dataurl",
    "--log-level=warning",
    "--log-override:css-syntax-error=silent",
]
# From the name tables of the fonts, and from the notices of Monaco.
FONTS = """Fonts in graphiql.min.css:
- Roboto: Copyright 2011 Google Inc., Apache License 2.0.
- Fira Code: Copyright 2014-2020 The Fira Code Project Authors, SIL Open Font License 1.1.
- Codicons: Copyright Microsoft Corporation, Creative Commons Attribution 4.0."""

ROW = re.compile(
    r"^\| `(?P<file>[^`]+)` \| `(?P<entry>[^`]+)` \| `(?P<digest>[0-9a-f]{64})` \|$",
    re.MULTILINE,
)
A_LICENCE = re.compile(r"licen[cs]e|ThirdPartyNotices", re.IGNORECASE)
PACKAGE = re.compile(r"node_modules/((?:@[^/]+/)?[^/]+)/(?!.*node_modules/)")


class Asset(NamedTuple):
    """A row of the table in README.md. `entry` is the module from which esbuild starts."""

    file: str
    entry: str
    digest: str


def main(arguments: list[str]) -> int:
    assets = [Asset(**row.groupdict()) for row in ROW.finditer(README.read_text("utf-8"))]
    if not assets or set(arguments) - {"--check"}:
        print("usage: scripts/graphiql-assets [--check]", file=sys.stderr)
        return 2
    if "--check" in arguments:
        return report(differing(assets, FOLDER))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        install(place)
        built = bundle(assets, place)
        findings = list(differing(assets, built))
        if not findings:
            for asset in assets:
                shutil.copyfile(built / asset.file, FOLDER / asset.file)
            (FOLDER / LICENSES).write_text(licences(place), "utf-8")
        return report(findings)


def install(place: Path) -> None:
    """Install the pinned packages in `place`, without running their scripts. npm checks their digests."""
    for source in SOURCES.iterdir():
        shutil.copyfile(source, place / source.name)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(["npm", "ci", *options], cwd=place, check=True)


def bundle(assets: list[Asset], place: Path) -> Path:
    """Bundle each entry; return the folder with the files. A style sheet comes from the entry of its script."""
    built = place / "built"
    for asset in assets:
        if asset.file.endswith(".css"):
            continue
        output = [f"--outfile={built / asset.file}", f"--metafile={place / (asset.file + '.' + META)}"]
        esbuild = place / "node_modules" / ".bin" / "esbuild"
        subprocess.run([esbuild, asset.entry, *OPTIONS, *output], cwd=place, check=True)
    return built


def differing(assets: list[Asset], folder: Path) -> Iterator[str]:
    for asset in assets:
        digest = hashlib.sha256((folder / asset.file).read_bytes()).hexdigest()
        if digest != asset.digest:
            yield f"{asset.file}: the digest is {digest}, but README.md requires {asset.digest}"


def report(findings: Iterator[str] | list[str]) -> int:
    problems = list(findings)
    for finding in problems:
        print(finding)
    print("Nothing was changed." if problems else "The files of GraphiQL match README.md.")
    return 1 if problems else 0


def licences(place: Path) -> str:
    """Return each licence text once, under the names of the packages that it covers."""
    packages: dict[str, list[str]] = {}
    for folder in sorted(bundled_packages(place)):
        about = json.loads((place / folder / "package.json").read_text("utf-8"))
        files = sorted(
            file for file in (place / folder).iterdir() if A_LICENCE.match(file.name) and file.is_file()
        )
        texts = [file.read_text("utf-8").strip().replace("\r\n", "\n") for file in files]
        text = (
            "\n\n".join(texts)
            or f"The package declares the licence {about['license']} and holds no text of it."
        )
        packages.setdefault(text, []).append(f"{about['name']} {about['version']}")
    rule = "=" * 100
    parts = [f"{rule}\n{', '.join(names)}\n{rule}\n\n{text}\n" for text, names in packages.items()]
    return "\n".join(["Licences of what is in this directory.", "", FONTS, "", *parts])


def bundled_packages(place: Path) -> set[str]:
    """Return the folders of the packages of which some code is in a bundle."""
    folders = set[str]()
    for file in place.glob(f"*.{META}"):
        for output in json.loads(file.read_text("utf-8"))["outputs"].values():
            for source, size in output["inputs"].items():
                package = PACKAGE.search(source)
                if package and size["bytesInOutput"]:
                    folders.add(source[: package.end()])
    return folders


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
