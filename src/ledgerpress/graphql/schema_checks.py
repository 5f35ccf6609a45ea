"""Reject parts of a Strawberry schema that cannot take effect: extensions, configuration and overridden methods."""

from collections.abc import Iterable, Mapping
from typing import Final

import strawberry
from strawberry.extensions import DisableValidation, ParserCache, SchemaExtension, ValidationCache
from strawberry.extensions.base_extension import HOOK_METHODS

from ledgerpress.graphql.schema_error import SchemaError

_INEFFECTIVE_EXTENSIONS: Final[Mapping[type[SchemaExtension], str]] = {
    DisableValidation: "every document is validated, since limits and permissions depend on it",
    ParserCache: "each document is parsed once and cached already",
    ValidationCache: "each document is validated once and cached already",
}
_HOOKS: Final = (*sorted(HOOK_METHODS), "resolve", "get_results")
_INEFFECTIVE_CONFIGURATION: Final[Mapping[str, str]] = {
    "batching_config": "a request has one operation",
    "disable_field_suggestions": "the setting limits.suggestions decides that",
    "enable_experimental_incremental_execution": "responses are sent as a whole",
}
_NEVER_CALLED: Final[Mapping[str, str]] = {
    "execute": "LedgerPress executes operations itself",
    "execute_sync": "LedgerPress executes operations itself",
    "subscribe": "LedgerPress executes operations itself",
    "stream": "LedgerPress executes operations itself",
    "process_errors": "LedgerPress logs errors itself",
}


def check_schema(schema: strawberry.Schema) -> None:
    """Raise `SchemaError` for any part of a schema that cannot take effect, with the reason."""
    check_extensions(schema.extensions)
    for option, reason in _INEFFECTIVE_CONFIGURATION.items():
        if getattr(schema.config, option):
            raise SchemaError(
                f"{option} in the configuration of a schema cannot take effect: {reason}. Remove it."
            )
    for method, reason in _NEVER_CALLED.items():
        if getattr(type(schema), method) is not getattr(strawberry.Schema, method):
            raise SchemaError(f"{type(schema).__name__}.{method} cannot take effect: {reason}. Remove it.")


def check_extensions(extensions: Iterable[object]) -> None:
    """Raise `SchemaError` for an extension that cannot take effect, with the reason."""
    for factory in extensions:
        if isinstance(factory, SchemaExtension):
            name = type(factory).__name__
            raise SchemaError(
                f"The schema extension {name} is an instance, which concurrent requests would share. "
                f"Pass the class, or a function that returns a new instance: lambda: {name}(…)."
            )
        extension = factory() if callable(factory) else factory
        if not isinstance(extension, SchemaExtension):
            raise SchemaError(
                f"{factory!r} is not a schema extension. Pass a subclass of "
                "strawberry.extensions.SchemaExtension, or a function that returns an instance of one."
            )
        if callable(factory) and not isinstance(factory, type) and factory() is extension:
            raise SchemaError(
                f"The function for the schema extension {type(extension).__name__} always returns the same "
                "instance, which concurrent requests would share. Let it return a new instance."
            )
        if reason := _ineffective(extension):
            raise SchemaError(
                f"The schema extension {type(extension).__name__} cannot take effect: {reason}. Remove it."
            )


def _ineffective(extension: SchemaExtension) -> str | None:
    """Return why an extension cannot take effect, `None` if it can."""
    for class_, reason in _INEFFECTIVE_EXTENSIONS.items():
        if isinstance(extension, class_):
            return reason
    extension_class = type(extension)
    unknown = [name for name in dir(extension_class) if name.startswith("on_") and name not in HOOK_METHODS]
    if unknown:
        return (
            f"{', '.join(unknown)} is not a hook of this version of Strawberry, which has {', '.join(_HOOKS)}"
        )
    if all(getattr(extension_class, hook) is getattr(SchemaExtension, hook) for hook in _HOOKS):
        return f"it has none of the hooks {', '.join(_HOOKS)}"
    return None
