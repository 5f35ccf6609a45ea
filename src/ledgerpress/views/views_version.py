"""How far views have come, as whoever reads them finds it at this moment."""

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class ViewsVersion:
    """How far views have come. Views that were made anew, even in the same file, are of another `generation`.

    `is_settled` says that every projection has come to `position`, and none is paused.
    """

    position: int
    generation: Hashable
    is_settled: bool
