"""A tree head: the state of a log at one size, small enough to store elsewhere and compare later."""

import re
from typing import Final

import msgspec

TREE_HEAD_VERSION: Final = 1

_ROOT = re.compile(r"[0-9a-f]{64}")


class TreeHead(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The root (in hex) of the Merkle tree over the first `size` events of a publication (RFC 9162, section 2.1).

    `recorded_time` is the greatest recorded-at of them, in microseconds since 1970, UTC; `None` for an empty log.
    """

    v: int
    publication: str
    size: int
    root: str
    recorded_time: int | None

    @classmethod
    def from_json(cls, text: bytes) -> "TreeHead":
        """Return the head that `head --json` or `log copy --json` printed. Raises `ValueError` for any other text."""
        copied = msgspec.json.decode(text, type=_CopiedHead)
        head = cls(copied.v, copied.publication, copied.size, copied.root, copied.recorded_time)
        if head.v != TREE_HEAD_VERSION:
            raise ValueError(f"version {head.v} of tree heads is not known here")
        if head.size < 0 or not _ROOT.fullmatch(head.root):
            raise ValueError("a tree head has a size, and a root of 64 hexadecimal digits")
        return head


class _CopiedHead(TreeHead, frozen=True, rename="camel", forbid_unknown_fields=True):
    missing: int = 0
    """How many more events the source of the copy had."""
