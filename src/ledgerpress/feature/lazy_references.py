"""Lazy references in manifests, "module:attribute", which are loaded when they are needed. Errors name the feature."""

from importlib import import_module
from typing import Any

from ledgerpress.feature.manifest import Feature
from ledgerpress.feature.third_party_names import InvalidFeature


def load(reference: str) -> Any:
    """Return the attribute that a lazy reference, "module:attribute", refers to."""
    module, _, attribute = reference.partition(":")
    return getattr(import_module(module), attribute)


def load_section(feature: Feature, section: str) -> Any:
    """Load the reference in a section of a manifest, such as `schema`.

    Raises `InvalidFeature` if it cannot be loaded, even if importing the module raises `SystemExit`.
    """
    reference: str = getattr(feature, section)
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
