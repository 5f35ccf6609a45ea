"""Regular expressions with Unicode properties and grapheme clusters, which the package `regex` has and `re` has not.

The package and the patterns take longer to load than most commands of the terminal run, so they are loaded on first
use.
"""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex


@cache
def unicode_pattern(pattern: str) -> "regex.Pattern[str]":
    """Return the compiled pattern; the same one each time."""
    import regex  # noqa: PLC0415 - slow to import

    return regex.compile(pattern)
