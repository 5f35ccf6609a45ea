"""What the bytes of requests mean, remembered for those that come again."""

from typing import Final, Generic, TypeVar

Parsed = TypeVar("Parsed")

_KEPT: Final = 1_024
_LARGEST: Final = 4_096
"""Larger requests, in bytes, are read anew each time, so that this takes 4 MB at most and some for the meanings."""


class ParseCache(Generic[Parsed]):
    """Meanings by bytes. The oldest go first; nothing is lost by it but the time to read them again."""

    def __init__(self) -> None:
        self._meanings: dict[bytes, Parsed] = {}
        self.get = self._meanings.get

    def keep(self, text: bytes, meaning: Parsed) -> None:
        """Remember what a text means."""
        if len(text) > _LARGEST:
            return
        if len(self._meanings) >= _KEPT:
            del self._meanings[next(iter(self._meanings))]
        self._meanings[text] = meaning
