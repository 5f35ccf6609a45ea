"""Lazy references of manifests, "module:attribute": loaded when they are needed, with errors that name the feature."""

from importlib import import_module
from typing import Any

from ledgerpress.feature.manifest import Feature
from ledgerpress.feature.third_party_names import InvalidFeature


def load(reference: str) -> Any:
    """Return the attribute that a lazy reference, "module:attribute", names."""
    module, _, attribute = reference.partition(":")
    return getattr(import_module(module), attribute)


def load_section(feature: Feature, section: str) -> Any:
    """Return what a section of a manifest, such as `schema`, refers to.

    Raises `InvalidFeature` if it cannot be loaded, also where the module ends the program when it is imported.
    """
    reference: str = getattr(feature, section)
    try:
        return load(reference)
    except (Exception, SystemExit) as error:
        raise InvalidFeature(
            f"feature {feature.name}: {section}={reference!r} cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def require(feature: Feature, section: str, is_right: bool, expected: str) -> None:
    """Raise `InvalidFeature` unless what a section of a manifest refers to is what is `expected` there."""
    if not is_right:
        raise InvalidFeature(
            f"feature {feature.name}: {section}={getattr(feature, section)!r} is not {expected}"
        )
