"""Automatic persisted queries (Apollo's protocol): documents that clients register by sending them once.

A client sends the SHA-256 of a document; where it is not known, it sends the text as well, once, and the hash alone
from then on. Only a text that has that hash is kept, and only when it has been executed, so no entry can stand for
anything else, and nonsense takes no room.
"""

from collections import OrderedDict


class RegisteredDocuments:
    """The documents that clients have registered lately, bounded in bytes: the longest unused go first."""

    def __init__(self, *, max_bytes: int, max_document_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._max_document_bytes = max_document_bytes
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._bytes = 0

    def get(self, digest: str) -> str | None:
        """Return the document with that SHA-256, if it is kept."""
        text = self._kept.get(digest)
        if text is not None:
            self._kept.move_to_end(digest)
        return text

    def keep(self, digest: str, text: str) -> None:
        """Keep a document under its SHA-256, unless it is too large."""
        size = _size(text)
        if digest in self._kept or size > min(self._max_document_bytes, self._max_bytes):
            return
        self._kept[digest] = text
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= _size(dropped)

    def __len__(self) -> int:
        """Return how many documents are kept."""
        return len(self._kept)


def _size(text: str) -> int:
    """Return the bytes of a document, and some for being kept at all."""
    return len(text.encode("utf-8")) + 200
