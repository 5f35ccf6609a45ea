"""docs/how-to/design-a-site.md names what exists: custom properties, templates, blocks and settings."""

import re
from pathlib import Path
from typing import Final

import ledgerpress
from ledgerpress.features.registry import page_contributions
from ledgerpress.http.pages import page_contributions_and_rendering as rendering
from ledgerpress.http.pages.site_files import environment_of
from ledgerpress.server.settings.introspection import declared

SOURCE: Final = Path(ledgerpress.__file__).parent
GUIDE: Final = (SOURCE.parents[1] / "docs" / "how-to" / "design-a-site.md").read_text("utf-8")
SITE_CSS: Final = (SOURCE / "http" / "pages" / "static" / "site.css").read_text("utf-8")
STYLES: Final = [SITE_CSS, *(path.read_text("utf-8") for path in (SOURCE / "features").rglob("*.css"))]
ROWS: Final = [line.split(" | ") for line in GUIDE.splitlines() if line.startswith("| ")]


def named(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_the_guide_lists_all_custom_properties() -> None:
    properties = {name for row in ROWS for name in named(row[0]) if name.startswith("--")}
    assert properties == set(re.findall(r"^ +(--[\w-]+):", SITE_CSS, re.MULTILINE))
    for css in STYLES:
        assert set(re.findall(r"var\((--[\w-]+)\)", css)) <= properties


def test_sizes_of_type_and_colours_are_only_in_the_custom_properties() -> None:
    for css in STYLES:
        rules = re.sub(r":root \{[^}]*\}", "", css)
        assert re.findall(r"#[0-9a-f]{3,8}\b", rules) == []
        assert re.findall(r"font-size: [\d.]+rem", rules) == []


def test_the_templates_and_blocks_in_the_guide_exist() -> None:
    folders = [rendering._TEMPLATES, *(part.templates for part in page_contributions() if part.templates)]
    environment = environment_of(folders)
    templates = [(name, row) for row in ROWS for name in named(row[0]) if name.endswith(".html")]
    assert len(templates) > 10
    for name, row in templates:
        source, _, _ = environment.loader.get_source(environment, name)  # type: ignore[union-attr]
        if name == "layout.html":
            assert set(named(row[2])) == set(re.findall(r"\{% block (\w+)", source))
        elif name == "_listing.html":
            assert set(named(row[1])) == set(re.findall(r"\{% macro (\w+)", source))
        else:
            assert name.startswith("_") or '{% extends "layout.html" %}' in source


def test_the_settings_in_the_guide_exist() -> None:
    for name in re.findall(r'"(server\.\w+)":', GUIDE):
        assert name in declared()
