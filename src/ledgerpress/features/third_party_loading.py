"""Loads third-party features by entry point."""

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ledgerpress.feature import Feature

GROUP: Final = "ledgerpress.features"
"""The group of entry points. Each names the `Feature` of a package: `factcheck = "ledgerpress_factcheck:FEATURE"`."""


def installed_entry_points() -> Sequence[EntryPoint]:
    """Return the entry points of third-party features, without importing any of them."""
    return tuple(entry_points(group=GROUP))


def load_features(installed: Sequence[EntryPoint] | None = None) -> "list[Feature]":
    """Return the features of all installed packages, or of the entry points `installed`, sorted by name.

    Raises `InvalidFeature` if an entry point cannot be imported, exits the program, or does not name a `Feature`.
    """
    points = installed_entry_points() if installed is None else installed
    return [_load(point) for point in sorted(points, key=lambda point: point.name)]


def _load(point: EntryPoint) -> "Feature":
    from ledgerpress.feature import Feature, InvalidFeature  # noqa: PLC0415 - slow to import, and rarely needed

    source = f"the entry point {point.name} = {point.value} of {point.dist.name if point.dist else GROUP}"
    try:
        feature = point.load()
    except (Exception, SystemExit) as error:
        raise InvalidFeature(f"{source} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(feature, Feature):
        raise InvalidFeature(f"{source} is a {type(feature).__name__}, not a ledgerpress.feature.Feature")
    if feature.name != point.name:
        raise InvalidFeature(
            f"{source} has the feature {feature.name!r}; the entry point and the feature must have the same name"
        )
    return feature
