"""All settings, one by one: name, environment variable, type and allowed values."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import inspect

from ledgerpress.server.settings import PREFIX
from ledgerpress.server.settings.sections import Sections, sections

UNPREFIXED: Final = frozenset({"server", "access"})
"""Sections that are not part of the variable's name: LEDGERPRESS_PORT, not LEDGERPRESS_SERVER_PORT."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, such as `server.port`."""

    section: str
    field: str
    type: Any
    info: inspect.Type
    description: str
    is_secret: bool

    @property
    def name(self) -> str:
        """The name in messages. In the file, the section is a table."""
        return f"{self.section}.{self.field}"

    @property
    def variable(self) -> str:
        """The environment variable of the setting."""
        section = "" if self.section in UNPREFIXED else f"{self.section}_"
        return f"{PREFIX}{section}{self.field}".upper()


def declared(features: Sections | None = None) -> dict[str, Setting]:
    """Return all settings by name, in the order of the sections. `features` are the sections of features."""
    return {
        setting.name: setting
        for section, type_ in sections(features).items()
        for setting in _of(section, type_)
    }


def _of(section: str, type_: type[msgspec.Struct]) -> Iterator[Setting]:
    types = {field.name: field.type for field in msgspec.structs.fields(type_)}
    info = inspect.type_info(type_)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - for the type checker
    for field in info.fields:
        declared = field.type if isinstance(field.type, inspect.Metadata) else inspect.Metadata(field.type)
        description = (declared.extra_json_schema or {}).get("description", "")
        is_secret = bool((declared.extra or {}).get("secret"))
        yield Setting(section, field.name, types[field.name], declared.type, description, is_secret)


def allowed(info: inspect.Type) -> str:
    """Return the allowed values of a type in words."""
    match info:
        case inspect.Metadata():
            return (info.extra or {}).get("allowed") or allowed(info.type)
        case inspect.BoolType():
            return "`true` or `false`"
        case inspect.IntType():
            return f"a whole number{_bounds(info)}"
        case inspect.FloatType():
            return f"a number{_bounds(info)}"
        case inspect.StrType():
            return f"text that matches `{info.pattern}`" if info.pattern else "text"
        case inspect.LiteralType():
            return "one of " + ", ".join(f"`{value}`" for value in info.values)
        case inspect.EnumType():
            return "one of " + ", ".join(f"`{value.value}`" for value in info.cls)
        case inspect.ListType() | inspect.SetType() | inspect.FrozenSetType() | inspect.VarTupleType():
            return f"a list, each entry {allowed(info.item_type)}"
        case inspect.DictType():
            return f"a table, each value {allowed(info.value_type)}"
        case inspect.UnionType():
            alternatives = [allowed(type_) for type_ in info.types if not isinstance(type_, inspect.NoneType)]
            return " or ".join(alternatives) + (", or nothing" if info.includes_none else "")
        case inspect.CustomType() if info.cls.__name__ == "Path":
            return "a path"
        case _:
            return "a value of the setting's type"


def mistakes_in_entries(info: inspect.Type, entries: object) -> list[str]:
    """Return a message for each entry of a list that its type does not allow (`network_names`)."""
    match info:
        case inspect.VarTupleType(item_type=inspect.Metadata(extra={"mistake": mistake})):
            assert isinstance(entries, tuple)  # noqa: S101 - msgspec has converted it
            return [f"{entry!r} {problem}" for entry in entries if (problem := mistake(entry))]
        case _:
            return []


def _bounds(info: inspect.IntType | inspect.FloatType) -> str:
    bounds = {"above": info.gt, "from": info.ge, "to": info.le, "below": info.lt}
    return "".join(f" {word} {bound:,}" for word, bound in bounds.items() if bound is not None)
