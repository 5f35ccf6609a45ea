"""The names that a third-party feature may use, so that no other feature, now or later, has the same ones.

docs/decisions/0036-third-party-features.md explains the rules.
"""

import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.envelope import is_event_type_name
from ledgerpress.feature.manifest import Feature
from ledgerpress.sqlite.connection import statements

_NAME: Final = re.compile(r"[a-z][a-z0-9]*")
_OBJECTS: Final = "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"


class InvalidFeature(ValueError):
    """A feature cannot be used: its names break a rule, or it contradicts another feature."""


def check_names(feature: Feature) -> None:
    """Raise `InvalidFeature` unless every name that a third-party feature declares is within its own namespace."""
    if not _NAME.fullmatch(feature.name):
        raise InvalidFeature(
            f"feature {feature.name!r}: the name must match [a-z][a-z0-9]*, as it is part of other names"
        )
    mistakes = [*_mistakes(feature), *_commands(feature), *_tables(feature)]
    if mistakes:
        raise InvalidFeature(f"feature {feature.name}: {'; '.join(mistakes)}")


def _mistakes(feature: Feature) -> Iterator[str]:
    """Yield what is wrong with the names of events, streams, projections, permissions and error codes."""
    own = f"x.{feature.name}"
    events = [*feature.events, *(content.event for content in feature.content)]
    for name in dict.fromkeys(event.name for event in events):
        if not (name.startswith(f"{own}.") and is_event_type_name(name)):
            yield f"the event {name!r} must be named {own}.<name>, with the letters a to z in <name>"
    for what, names in (
        ("the stream category", [category.prefix for category in feature.streams]),
        ("the stream", [stream for stream, _ in feature.first_events]),
        ("the projection", [projector.name for projector in feature.projectors]),
        ("the listing contribution", [listing.name for listing in feature.listings]),
        ("the subject", [subject.kind for subject in feature.subjects]),
    ):
        for name in names:
            if name != own and not name.startswith(f"{own}."):
                yield f"{what} {name!r} must be named {own}, or begin with {own}."
    declared = {category.prefix for category in feature.streams}
    for prefix, module in sorted(_categories(feature).items()):
        if (prefix == own or prefix.startswith(f"{own}.")) and prefix not in declared:
            yield f"the stream category {prefix!r} of {module} is not in `streams`"
    prefix = f"X_{feature.name.upper()}_"
    for what, beginning, names in (
        ("the permission", f"{own}:", [str(permission) for permission in feature.permissions]),
        ("the enum_name", prefix, [permission.enum_name for permission in feature.permissions]),
        ("the error code", prefix, list(feature.error_codes)),
    ):
        for name in names:
            if not name.startswith(beginning):
                yield f"{what} {name!r} must begin with {beginning}"


def _categories(feature: Feature) -> dict[str, str]:
    """Return the stream categories in the modules of a feature's events and commands: their prefixes, with the module."""
    classes = [*(event.type for event in feature.events), *(one.command for one in feature.commands)]
    return {
        value.prefix: module
        for module in sorted({class_.__module__ for class_ in classes}, reverse=True)
        for value in vars(sys.modules[module]).values()
        if isinstance(value, StreamCategory)
    }


def _commands(feature: Feature) -> Iterator[str]:
    """Yield what commands and inputs lack, and the names in fingerprints that are not the feature's own."""
    own = f"x.{feature.name}."
    classes: list[tuple[str, type[Any]]] = [("input", one.input) for one in feature.inputs]
    classes += [("input", one.input) for one in feature.content]
    classes += [("command", declared.command) for declared in feature.commands]
    for what, class_ in classes:
        name = getattr(class_, "fingerprint_name", None)
        if name is None:
            yield f"the {what} {class_.__name__} has no `fingerprint_name` ({own}…)"
        elif not name.startswith(own):
            yield f"the fingerprint_name {name!r} of {class_.__name__} must begin with {own}"
        if what == "command" and not hasattr(class_, "lock_key"):
            yield f"the command {class_.__name__} has no `lock_key`: derive it from ledgerpress.feature.Command"


def _tables(feature: Feature) -> Iterator[str]:
    """Yield the tables and indexes whose names lack the feature's prefix, and SQL that cannot be used."""
    prefix = f"x_{feature.name}_"
    schemas = [
        *(f"{projector.schema}\n{projector.indexes}" for projector in feature.projectors),
        *(listing.schema for listing in feature.listings),
    ]
    for schema in schemas:
        if schema.strip() and not sqlite3.complete_statement(schema):
            yield f"the last statement of its SQL must end with a semicolon: {schema.strip()[-40:]!r}"
        with closing(sqlite3.connect(":memory:")) as db:
            try:
                for statement in statements(schema):
                    db.execute(statement)
            except sqlite3.Error as error:
                yield f"its SQL is not valid: {error}"
            for kind, name in db.execute(_OBJECTS):
                if not name.startswith(prefix):
                    yield f"the {kind} {name!r} must begin with {prefix}"
