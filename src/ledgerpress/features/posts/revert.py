"""Taking one change of a post's content back, where what it changed is still as it left it."""

from typing import Any, Final

from msgspec import UNSET

from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.features.posts.events import ContentChanged
from ledgerpress.features.posts.state import CONTENT_FIELDS, Content
from ledgerpress.features.posts.three_way_merge import merge

_CALLED: Final = {"author_ids": "authors"}


def reverted_values(version: int, change: ContentChanged, before: Content, today: Content) -> dict[str, Any]:
    """Return the values that undo `change`, which made a version of `before`, in the content of today.

    A body changed since, elsewhere, keeps that. Raises `Rejection`, with the fields where the change no longer applies.
    """
    values: dict[str, Any] = {}
    conflicts: dict[str, str] = {}
    for name in CONTENT_FIELDS:
        old, new, now = getattr(before, name), getattr(change, name), getattr(today, name)
        if new is UNSET or now == old:
            continue
        if now == new:
            values[name] = old
        elif name != "body":
            conflicts[_CALLED.get(name, name)] = _CALLED.get(name, name)
        else:
            merged = merge(new, now, old)
            if merged.conflicts:
                lines = ", ".join(map(str, merged.conflicts))
                conflicts[name] = f"{name} (line{'s' if len(merged.conflicts) > 1 else ''} {lines})"
            elif merged.text != now:
                values[name] = merged.text
    if conflicts:
        raise revert_conflict(version, conflicts)
    return values


def revert_conflict(version: int, conflicts: dict[str, str]) -> Rejection:
    """Return the refusal of a revert. `conflicts` maps fields to how a message names the place."""
    return Rejection(
        ErrorCode.REVERT_CONFLICT,
        f"Version {version} cannot be taken back: changed since at the same place: {', '.join(conflicts.values())}.",
        field=("version",),
        conflicts=tuple(conflicts),
    )
