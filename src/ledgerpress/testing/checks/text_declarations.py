"""Find fields of events that can hold text, and that the class does not declare in `Event.TEXT`."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ledgerpress.eventlog.event_and_withdrawn_event import Event


def undeclared_text_fields(event_type: type[Event]) -> list[str]:
    """Return the names of the fields that a withdrawal would keep although they can hold text.

    A class without a declaration has none: a withdrawal erases all of its data. Fields whose names end with `_id` or
    `_ids` are ids, and values of an enumeration cannot be text.
    """
    if event_type.TEXT is None:
        return []
    info = msgspec.inspect.type_info(event_type)
    assert isinstance(info, msgspec.inspect.StructType)
    return [
        field.name
        for field in info.fields
        if field.name not in event_type.TEXT
        and not field.name.endswith(("_id", "_ids"))
        and any(_is_text(part) for part in _parts(field.type))
    ]


def _is_text(part: Any) -> bool:
    kinds = (
        msgspec.inspect.StrType,
        msgspec.inspect.BytesType,
        msgspec.inspect.AnyType,
        msgspec.inspect.RawType,
    )
    return isinstance(part, kinds)


def _parts(type_: Any) -> Iterator[Any]:
    """Yield a type and all types that it consists of."""
    yield type_
    if isinstance(type_, msgspec.inspect.StructType):
        for field in type_.fields:
            yield from _parts(field.type)
        return
    for name in ("types", "item_types"):
        for part in getattr(type_, name, ()):
            yield from _parts(part)
    for name in ("item_type", "key_type", "value_type", "type"):
        part = getattr(type_, name, None)
        if isinstance(part, msgspec.inspect.Type):
            yield from _parts(part)
