"""The names that a third-party feature may use, so that they never conflict with the names of another feature.

docs/decisions/0036-third-party-features.md explains the rules.
"""

import re
import sys
from collections.abc import Iterator
from typing import Any, Final

from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.envelope import check_stream_name, is_event_type_name
from ledgerpress.eventlog.errors import InvalidEnvelope
from ledgerpress.feature.lazy_references import WritingDeclarations
from ledgerpress.feature.manifest import Feature, InvalidFeature
from ledgerpress.feature.manifest_types import wrong_event_types, wrong_types
from ledgerpress.feature.third_party_sql import sql_mistakes

_NAME: Final = re.compile(r"[a-z][a-z0-9]*")
_PART: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_CODE: Final = re.compile(r"[A-Z0-9]+(?:_[A-Z0-9]+)*")
RESERVED_COMMANDS: Final = frozenset(
    [
        "blame",
        "clock",
        "demo",
        "diff",
        "erase",
        "events",
        "head",
        "history",
        "import",
        "log",
        "projection",
        "rebuild",
        "schema",
        "serve",
        "settings",
        "status",
        "token",
        "verify",
        "views",
        "withdraw",
    ]
)
"""The commands of `ledgerpress`, which would hide a feature's command of the same name."""


def check_names(feature: Feature) -> None:
    """Raise `InvalidFeature` unless all names that a third-party feature declares are in its own namespace."""
    if type_errors := list(wrong_types(feature)):
        raise InvalidFeature(f"feature {feature.name}: {'; '.join(type_errors)}")
    if not _NAME.fullmatch(feature.name):
        raise InvalidFeature(
            f"feature {feature.name!r}: the name must match [a-z][a-z0-9]*, because it is part of other names"
        )
    try:
        mistakes = [*_mistakes(feature), *_commands(feature), *sql_mistakes(feature)]
    except (AttributeError, TypeError) as error:
        raise InvalidFeature(
            f"feature {feature.name}: a value in the manifest has a wrong type: {error}"
        ) from error
    if mistakes:
        raise InvalidFeature(f"feature {feature.name}: {'; '.join(mistakes)}")


def _mistakes(feature: Feature) -> Iterator[str]:
    """Yield the mistakes in the names of a manifest, except those in its commands and its SQL."""
    own = f"x.{feature.name}"
    events = [*feature.events, *(content.event for content in feature.content)]
    for name in dict.fromkeys(event.name for event in events):
        if not (name.startswith(f"{own}.") and is_event_type_name(name)):
            yield f"the event {name!r} must be named {own}.<name>, with the letters a to z in <name>"
    yield from wrong_event_types(feature)
    if feature.recent_events is not None:
        yield "recent_events must not be set: a feature of LedgerPress declares it, and only one feature may"
    if feature.cli and feature.name in RESERVED_COMMANDS:
        yield f"its command would be hidden by `ledgerpress {feature.name}`: the feature needs another name"
    yield from _names_of_streams_and_views(feature, own)
    yield from _codes_and_permissions(feature, own)


def _codes_and_permissions(feature: Feature, own: str) -> Iterator[str]:
    """Yield the mistakes in the names of permissions and error codes."""
    prefix = f"X_{feature.name.upper()}_"
    for kind, beginning, rest, names in (
        ("the permission", f"{own}:", _PART, [str(permission) for permission in feature.permissions]),
        ("the enum_name", prefix, _CODE, [permission.enum_name for permission in feature.permissions]),
        ("the error code", prefix, _CODE, list(feature.error_codes)),
    ):
        for name in names:
            if not name.startswith(beginning):
                yield f"{kind} {name!r} must begin with {beginning}"
            elif not rest.fullmatch(name.removeprefix(beginning)):
                yield f"{kind} {name!r} must match {beginning}{rest.pattern}"


def _names_of_streams_and_views(feature: Feature, own: str) -> Iterator[str]:
    """Yield the mistakes in the names of streams, projections, listing contributions and subjects."""
    for kind, names in (
        ("the stream category", [category.prefix for category in feature.streams]),
        ("the stream", [stream for stream, _ in feature.first_events]),
        ("the projection", [projector.name for projector in feature.projectors]),
        ("the listing contribution", [listing.name for listing in feature.listings]),
        ("the subject", [subject.kind for subject in feature.subjects]),
    ):
        for name in names:
            if name != own and not name.startswith(f"{own}."):
                yield f"{kind} {name!r} must be named {own}, or begin with {own}."
            elif name != own and not _PART.fullmatch(name.removeprefix(f"{own}.")):
                yield f"{kind} {name!r} must have only a to z, 0 to 9, and single . - _ between them after {own}."
            elif "stream" in kind and not _is_stream(name):
                yield f"{kind} {name!r} is not a valid stream name"
    declared = {category.prefix for category in feature.streams}
    for prefix, module in sorted(_categories(feature).items()):
        if (prefix == own or prefix.startswith(f"{own}.")) and prefix not in declared:
            yield f"the stream category {prefix!r} of {module} is not in `streams`"


def _is_stream(name: str) -> bool:
    try:
        check_stream_name(name)
    except InvalidEnvelope:
        return False
    return True


def _categories(feature: Feature) -> dict[str, str]:
    """Return the prefix and module of each stream category in the modules of a feature's events and commands."""
    classes = [
        *(event.type for event in feature.events),
        *(declared.command for declared in WritingDeclarations.of(feature).commands),
    ]
    return {
        value.prefix: module
        for module in sorted({class_.__module__ for class_ in classes}, reverse=True)
        for value in vars(sys.modules[module]).values()
        if isinstance(value, StreamCategory)
    }


def _commands(feature: Feature) -> Iterator[str]:
    """Yield missing attributes of commands and inputs, and fingerprint names outside the feature's namespace."""
    own = f"x.{feature.name}."
    classes: list[tuple[str, type[Any]]] = [("input", declared.input) for declared in feature.inputs]
    classes += [("input", declared.input) for declared in feature.content]
    classes += [("command", declared.command) for declared in WritingDeclarations.of(feature).commands]
    for kind, class_ in classes:
        name = getattr(class_, "fingerprint_name", None)
        if name is None:
            yield f"the {kind} {class_.__name__} has no `fingerprint_name` ({own}…)"
        elif not name.startswith(own):
            yield f"the fingerprint_name {name!r} of {class_.__name__} must begin with {own}"
        if kind == "command" and not hasattr(class_, "lock_key"):
            yield f"the command {class_.__name__} has no `lock_key`: derive it from ledgerpress.feature.Command"
