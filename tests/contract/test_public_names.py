"""The names that programs import from `ledgerpress`: complete, documented, and loaded on first use."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import ledgerpress
from ledgerpress.feature.lazy_references import WritingDeclarations
from ledgerpress.features.registry import FIRST_PARTY

GUIDE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "use-as-a-library.md"
CONTENT: Final = frozenset({"actors", "authors", "categories", "posts", "site"})
"""The features whose commands and events programs use."""


def names_for_type_checkers() -> Iterator[tuple[str, str]]:
    """Yield the module and the name of each import that type checkers see."""
    tree = ast.parse(Path(str(ledgerpress.__file__)).read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("ledgerpress."):
            yield from ((str(node.module), name.name) for name in node.names)


def test_each_name_is_the_object_that_type_checkers_see() -> None:
    names = {name: module for module, name in names_for_type_checkers()}
    assert names.keys() | {"__version__"} == set(ledgerpress.__all__)
    for name, module in names.items():
        assert getattr(ledgerpress, name) is getattr(sys.modules[module], name)
    assert set(ledgerpress.__all__) <= set(dir(ledgerpress))


def test_every_command_and_event_on_content_can_be_imported() -> None:
    features = [feature for feature in FIRST_PARTY if feature.name in CONTENT]
    assert len(features) == len(CONTENT)
    commands = {
        declared.command for feature in features for declared in WritingDeclarations.of(feature).commands
    }
    events = {event.type for feature in features for event in feature.events}
    assert {getattr(ledgerpress, class_.__name__) for class_ in commands | events} == commands | events


def test_the_guide_lists_every_name() -> None:
    table = GUIDE.read_text("utf-8").partition("## All names")[2]
    assert sorted(table.split("`")[1::2]) == sorted([*ledgerpress.__all__, "import ledgerpress"])


def test_a_name_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'open_stor'"):
        ledgerpress.open_stor  # noqa: B018


def test_names_are_loaded_on_first_use_and_frameworks_only_with_graphql() -> None:
    program = (
        "import sys, ledgerpress\n"
        "def loaded(): return [m for m in ('ledgerpress.server', 'graphql', 'strawberry', 'starlette') if m in sys.modules]\n"
        "print(loaded()); ledgerpress.open_store, ledgerpress.CreatePost; print(loaded()); ledgerpress.GraphQLResult; print(loaded())"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout.splitlines() == [
        "[]",
        "['ledgerpress.server']",
        "['ledgerpress.server', 'graphql', 'strawberry']",
    ]
