"""Lazy references in manifests, "module:attribute", which are loaded when they are needed. Errors name the feature."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from ledgerpress.commands.command_and_guard_declarations import (
    AddedEvents,
    CommandDeclaration,
    GuardDeclaration,
)
from ledgerpress.feature.manifest import Feature, InvalidFeature


def names_in(package: str, *modules: str) -> Callable[[str], object]:
    """Return a `__getattr__` for a package: it imports `modules` when a name of `__all__` that they have is used."""

    def get(name: str) -> object:
        namespace = vars(sys.modules[package])
        for module in modules if name in namespace["__all__"] else ():
            names = vars(import_module(f"{package}.{module}"))
            if name in names:
                return namespace.setdefault(name, names[name])
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get


def load(reference: str) -> Any:
    """Return the attribute that a lazy reference, "module:attribute", refers to."""
    module, _, attribute = reference.partition(":")
    return getattr(import_module(module), attribute)


def load_section(feature: Feature, section: str) -> Any:
    """Load the reference in a section of a manifest, such as `schema`.

    Raises `InvalidFeature` if it cannot be loaded, even if importing the module raises `SystemExit`.
    """
    return _loaded(feature, section, getattr(feature, section))


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingDeclarations:
    """The sections of a manifest in which a lazy reference stands for a tuple of declarations, with these loaded."""

    commands: tuple[CommandDeclaration, ...]
    guards: tuple[GuardDeclaration, ...]
    adds: tuple[AddedEvents, ...]

    @classmethod
    def of(cls, feature: Feature) -> "WritingDeclarations":
        """Load the references of a manifest. Raises `InvalidFeature` if one cannot be loaded, or is not a tuple."""
        return cls(
            commands=_with_loaded(feature, "commands"),
            guards=_with_loaded(feature, "guards"),
            adds=_with_loaded(feature, "adds"),
        )


def with_loaded_declarations(feature: Feature) -> Feature:
    """Return a manifest whose commands, guards and added events are loaded. Raises `InvalidFeature`."""
    loaded = WritingDeclarations.of(feature)
    return replace(feature, commands=loaded.commands, guards=loaded.guards, adds=loaded.adds)


def _with_loaded(feature: Feature, section: str) -> Any:
    """Return a section with the declarations that its references stand for; a value of a wrong type as it is."""
    items = getattr(feature, section)
    if type(items) is not tuple:
        return items
    declarations: list[Any] = []
    for item in items:
        if isinstance(item, str):
            loaded = _loaded(feature, section, item)
            if type(loaded) is not tuple:
                raise InvalidFeature(
                    f"feature {feature.name}: {section}={item!r} is not a tuple of declarations"
                )
            declarations += loaded
        else:
            declarations.append(item)
    return tuple(declarations)


def _loaded(feature: Feature, section: str, reference: str) -> Any:
    try:
        return load(reference)
    except (Exception, SystemExit) as error:
        raise InvalidFeature(
            f"feature {feature.name}: {section}={reference!r} cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def require(feature: Feature, section: str, is_right: bool, expected: str) -> None:
    """Raise `InvalidFeature`, which names the `expected` value of a section, unless the loaded value `is_right`."""
    if not is_right:
        raise InvalidFeature(
            f"feature {feature.name}: {section}={getattr(feature, section)!r} is not {expected}"
        )
