"""The version of views: how far they have come, and in which generation."""

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class ViewsVersion:
    """How far views have come. Rebuilt views, even in the same file, have another `generation`.

    `is_settled` means that every projection has reached `position`, and none is paused.
    """

    position: int
    generation: Hashable
    is_settled: bool
