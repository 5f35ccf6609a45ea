"""Cut text between extended grapheme clusters (UAX #29): what readers take for one character is never divided.

Limits are in code points, as everywhere.
"""

from typing import Final

from ledgerpress.unicode_patterns import unicode_pattern

EXTENDING: Final = r"[\p{GCB=Extend}\p{GCB=SpacingMark}\p{GCB=ZWJ}]"
"""The pattern of a character that belongs to the cluster of the character before it: a mark, a joiner."""
CLUSTER: Final = rf"(?:\p{{Regional_Indicator}}{{2}}(?!{EXTENDING})|\X)"
r"""The pattern of one cluster. Two regional indicators are a flag; with `\X` alone, a row of n flags takes n² steps."""


def clusters(text: str) -> list[str]:
    """Split a text into its clusters."""
    return unicode_pattern(CLUSTER).findall(text)


def cut(text: str, limit: int) -> str:
    """Return the longest beginning of `text` that has at most `limit` characters and ends between two clusters.

    It is empty if the first cluster is longer.
    """
    if len(text) <= limit:
        return text
    if _is_certain(text, limit):
        return text[:limit]
    end = 0
    for cluster in unicode_pattern(CLUSTER).finditer(text):
        if cluster.end() > limit:
            break
        end = cluster.end()
    return text[:end]


def cut_start(text: str, limit: int) -> str:
    """Return the longest end of `text` that has at most `limit` characters and begins between two clusters."""
    start = len(text) - limit
    if start <= 0:
        return text
    if _is_certain(text, start):
        return text[start:]
    line = text.rfind("\n", 0, start) + 1  # a line feed is always a cluster
    starts = (cluster.start() for cluster in unicode_pattern(CLUSTER).finditer(text, line))
    return text[next((at for at in starts if at >= start), len(text)) :]


def cut_to_bytes(text: str, limit: int) -> str:
    """Return the beginning of `text` as `cut` does, with at most `limit` bytes of UTF-8."""
    return cut(text, len(text.encode()[:limit].decode(errors="ignore")))


def shortened(text: str, limit: int) -> str:
    """Return `text` if it has at most `limit` characters, otherwise its beginning and "…"."""
    return text if len(text) <= limit else f"{cut(text, limit)}…"


def _is_certain(text: str, at: int) -> bool:
    """Return whether two ASCII characters, which are two clusters unless they are CR LF, are on both sides of `at`."""
    pair = text[max(at - 1, 0) : at + 1]
    return pair.isascii() and pair != "\r\n"
