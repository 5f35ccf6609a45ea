"""Text is cut between grapheme clusters, wherever it is cut."""

import unicodedata
from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledgerpress.features.posts.body.plain_text import derived_teaser
from ledgerpress.features.slugs import model as slugs
from ledgerpress.grapheme_clusters import clusters, cut, cut_start, cut_to_bytes, shortened
from ledgerpress.graphql.request_telemetry_record import RequestContext
from ledgerpress.http.middleware.access_log import MAX_CHARACTERS, AccessLog
from ledgerpress.http.streaming.websocket_messages import MAX_REASON_BYTES, Closing
from ledgerpress.server.logging import JsonFormatter

CLUSTERS: Final = {
    "a flag": "🇫🇷",
    "a flag of tags": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "a family": "👩‍👩‍👧‍👦",
    "an astronaut": "👩‍🚀",
    "a skin tone": "👍🏽",
    "a keycap": "1\ufe0f\u20e3",
    "a red heart": "❤\ufe0f",
    "an accent": "e\u0301",
    "several accents": "ę̂́",
    "a Devanagari conjunct": "क्षि",
    "a conjunct of three consonants": "स्त्री",
    "a Bengali conjunct": "ক্ষ",
    "a Khmer coeng": "ក្ម",
    "a Tamil vowel sign": "நி",
    "Thai Sara Am": "กำ",
    "a syllable of Hangul letters": unicodedata.normalize("NFD", "한"),
    "an ideographic variant": "葛\U000e0100",
    "an Arabic number sign": "\u0600١",
    "a line end of Windows": "\r\n",
    "a variation selector of Mongolian": "ᠠ\u180b",
}
_pieces = st.sampled_from(
    [*CLUSTERS.values(), " ", "a", "\n", "नमस्ते", "潮", "🇫", "\u200d", "\u094d", "\u0301"]
)
_texts = st.lists(_pieces, max_size=30).map("".join) | st.text(max_size=30)


def ends(parts: Sequence[str]) -> set[int]:
    """Return the offsets between the parts."""
    at, offsets = 0, {0}
    for part in parts:
        at += len(part)
        offsets.add(at)
    return offsets


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS)
def test_a_cluster_is_cut_nowhere(cluster: str) -> None:
    assert clusters(cluster * 3) == [cluster] * 3
    for limit in range(3 * len(cluster) + 1):
        whole = limit // len(cluster)
        assert cut(cluster * 3, limit) == cluster * whole
        assert cut_start(cluster * 3, limit) == cluster * whole
    size = len(cluster.encode())
    assert cut_to_bytes(cluster * 3, 2 * size + size - 1) == cluster * 2


@given(_texts, st.integers(0, 40))
@example("\r\n", 1)
@example("🇫🇷🇫", 3)
def test_a_cut_is_the_longest_that_fits(text: str, limit: int) -> None:
    parts = clusters(text)
    assert "".join(parts) == text
    assert cut(text, limit) == text[: max(end for end in ends(parts) if end <= limit)]
    assert cut_start(text, limit) == text[min(end for end in ends(parts) if end >= len(text) - limit) :]
    assert shortened(text, limit) == (text if len(text) <= limit else f"{cut(text, limit)}…")


def test_a_long_row_of_flags_takes_linear_time() -> None:
    assert len(clusters("🇫🇷" * 100_000)) == 100_000


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS)
@pytest.mark.parametrize("before", range(12))
def test_a_teaser_and_a_slug_end_with_a_whole_cluster(cluster: str, before: int) -> None:
    text = "x" * before + cluster * 200
    if cluster != "\r\n":
        teaser = derived_teaser(text)
        assert 200 - len(cluster) <= len(teaser) <= 200
        assert len(teaser) - 1 in ends(clusters(text))
    letters = slugs.derive(cluster, fallback="") * 200
    slug = slugs.derive("x" * before + letters, fallback="post")
    assert len(slug) in ends(clusters("x" * before + letters)) or not letters


@given(_texts, st.integers(1, 30))
def test_a_teaser_ends_between_clusters(text: str, limit: int) -> None:
    teaser = derived_teaser(text, limit)
    paragraph = " ".join(text.strip().partition("\n\n")[0].split())
    assert teaser == paragraph or len(teaser) - 1 in ends(clusters(paragraph))


def test_the_examples_of_the_reports_end_with_a_whole_character() -> None:
    assert derived_teaser("🇫🇷" * 101) == "🇫🇷" * 99 + "…"
    assert derived_teaser("👩‍🚀" * 80) == "👩‍🚀" * 66 + "…"
    assert derived_teaser("潮" * 198 + "👍🏽" * 2) == "潮" * 198 + "…"
    assert derived_teaser("क्षि" * 80) == "क्षि" * 49 + "…"
    hangul = unicodedata.normalize("NFD", "한국")
    assert derived_teaser(hangul * 50) == (hangul * 50)[:198] + "…"


def test_a_path_in_the_access_log_ends_with_a_whole_character() -> None:
    lines = []
    log = AccessLog(lambda message, fields: lines.append(fields))
    log.note(RequestContext(id="r"), {"method": "GET", "path": "/" + "🇫🇷" * 200}, 404, 0.1)
    assert lines[0]["path"] == "/" + "🇫🇷" * ((MAX_CHARACTERS - 1) // 2)


def test_the_reason_of_a_closed_socket_ends_with_a_whole_character() -> None:
    assert Closing(4400, "x" + "👩‍🚀" * 20).reason == "x" + "👩‍🚀" * ((MAX_REASON_BYTES - 1) // 11)


def test_a_logged_message_and_a_traceback_are_cut_between_characters(
    caplog: pytest.LogCaptureFixture,
) -> None:
    import json
    import logging

    try:
        raise ValueError("y" + "👩‍🚀" * 20_000)
    except ValueError:
        logging.getLogger("cut").exception("x%s", "🇫🇷" * 5_000)
    line = json.loads(JsonFormatter().format(caplog.records[-1]))
    assert line["message"] == "x" + "🇫🇷" * 1_999 + "…"
    assert line["exception"]["traceback"] == "…" + "👩‍🚀" * (20_000 // 3)
