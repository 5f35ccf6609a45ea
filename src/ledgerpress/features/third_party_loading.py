"""Loads third-party features by entry point."""

import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from ledgerpress.feature import Feature

GROUP: Final = "ledgerpress.features"
"""The group of entry points. Each names the `Feature` of a package: `factcheck = "ledgerpress_factcheck:FEATURE"`."""


def installed_entry_points() -> "Sequence[EntryPoint]":
    """Return the entry points of third-party features, without importing any of them.

    importlib.metadata takes as long as a command runs, so it is used only if a package can have such entry points.
    """
    if not _may_exist():
        return ()
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow to import

    return tuple(entry_points(group=GROUP))


def _may_exist() -> bool:
    """Return whether metadata in `sys.path` names the group, or there is metadata that this function cannot read."""
    if any(finder is not PathFinder and hasattr(finder, "find_distributions") for finder in sys.meta_path):
        return True
    group = GROUP.encode()
    try:
        return any(group in file.read_bytes() for file in _metadata_files() if file.is_file())
    except OSError:  # such as a zip file in `sys.path`
        return True


def _metadata_files() -> Iterator[Path]:
    """Yield where the entry points of each package in `sys.path` may be. Raises `OSError`."""
    for directory in filter(os.path.exists, (path or "." for path in sys.path)):
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.lower().endswith((".dist-info", "egg-info")):
                    yield Path(entry.path, "entry_points.txt")


def load_features(installed: "Sequence[EntryPoint] | None" = None) -> "list[Feature]":
    """Return the features of all installed packages, or of the entry points `installed`, sorted by name.

    Raises `InvalidFeature` if an entry point cannot be imported, exits the program, or does not name a `Feature`.
    """
    points = installed_entry_points() if installed is None else installed
    return [_load(point) for point in sorted(points, key=lambda point: point.name)]


def _load(point: "EntryPoint") -> "Feature":
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
