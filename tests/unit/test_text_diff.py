"""The word diff in any script: one changed word or character marks itself, and no character is divided."""

from itertools import accumulate
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledgerpress.features.posts.text_diff import Replacement, SpanKind, difference, replaced, words
from ledgerpress.grapheme_clusters import clusters

CHANGES: Final = {
    "Thai": ("ตลาดกลาง[คืน|วัน]เปิดจนดึก", 4),
    "Lao": ("ຕະຫຼາດກາງ[ຄືນ|ເວັນ]ເປີດ", 6),
    "Khmer": ("ផ្សារ[យប់|ព្រឹក]បើកយូរ", 6),
    "Burmese": ("ညဈေး[ဖွင့်|ပိတ်]သည်", 6),
    "halfwidth katakana": ("ﾖﾙﾉ[ｲﾁﾊﾞ|ﾐﾅﾄ]ﾊｵｿｲ", 3),
    "katakana": ("ナイト[マーケット|シアター]オープン", 5),
    "hiragana": ("よるの[いちば|みなと]はおそい", 3),
    "Chinese": ("夜[市|场]开到两点", 1),
    "CJK Extension B": ("𠀀𠀁[𠀂|𠀃]𠀄𠀅", 1),
    "CJK Extension H": ("\U00031350\U00031351[\U00031352|\U00031353]\U00031354", 1),
    "compatibility ideographs": ("\uf900\uf901[\uf902|\uf903]\uf904", 1),
    "ideographic iteration": ("人[々|人]の声", 1),
    "Bopomofo": ("ㄅㄆ[ㄇ|ㄈ]ㄉ", 1),
    "Yi": ("ꀀꀁ[ꀂ|ꀃ]ꀄ", 1),
    "Tangut": ("\U00017000\U00017001[\U00017002|\U00017003]\U00017004", 1),
    "Javanese": ("ꦲꦏ꧀ꦱ[ꦫ|ꦮ]ꦗꦮ", 2),
    "Balinese": ("ᬅᬓ᭄ᬱ[ᬭ|ᬯ]ᬩᬮᬶ", 2),
    "New Tai Lue": ("ᦀᦁ[ᦂ|ᦃ]ᦄ", 1),
    "Tai Tham": ("ᨠᨡ[ᨢ|ᨣ]ᨤ", 1),
    "Tibetan, by syllable": ("བོད་[ཡིག|སྐད]་ཀྱི", 1),
    "emoji": ("👍🏽👩‍🚀[🇫🇷|🇩🇪]👍🏽", 1),
    "mathematical symbols": ("a[≤|≥]b", 1),
    "Korean, by word": ("한밤의 [시장|항구] 골목", 1),
    "Hindi, by word": ("रात का [बाज़ार|दरवाज़ा] खुला", 1),
    "Persian, by word with a joiner": ("من [می\u200cخواهم|می\u200cروم] خانه", 1),
    "full-width Latin, by word": ("今日は[ＮＨＫ|ＮＴＴ]です", 1),
    "Thai digits, by number": ("ปี [๒๕๖๗|๒๕๖๘] นี้", 1),
    "a decomposed accent": ("cafe\u0301 [e\u0301te\u0301|hiver] ici", 1),
}
"""A text with [before|after], and the maximum number of tokens of the change."""
_pieces = st.sampled_from(
    ["tide", "ตลาด", "ក្ម", "夜", "ﾊﾞ", "🇫🇷", "🇫", "👩‍🚀", "क्षि", "क", "\u094d", "한", "\u1100", "\u1161", "\u0600", " ", "\n", "\r\n",
     "\u0301", "\u200d", "ℹ", "\u0d4e", "က", "1", "."]
)  # fmt: skip
_texts = st.lists(_pieces, max_size=15).map("".join) | st.text(max_size=15)


def _parts(text: str) -> tuple[str, str, str, str]:
    before, _, rest = text.partition("[")
    change, _, after = rest.partition("]")
    old, _, new = change.partition("|")
    return before, old, new, after


@pytest.mark.parametrize(("text", "most"), CHANGES.values(), ids=CHANGES)
def test_a_changed_word_marks_only_itself(text: str, most: int) -> None:
    start, old, new, end = _parts(text)
    spans = difference(start + old + end, start + new + end)
    assert spans[0].kind is SpanKind.EQUAL
    assert spans[0].text.startswith(start)
    assert spans[-1].kind is SpanKind.EQUAL
    assert spans[-1].text.endswith(end)
    for kind, changed in ((SpanKind.DELETE, old), (SpanKind.INSERT, new)):
        text_of_kind = "".join(span.text for span in spans if span.kind is kind)
        assert 0 < len(words(text_of_kind)) <= most
        assert len(text_of_kind) <= len(changed)


@example("\n", "\r\n\u094d")
@given(_texts, _texts)
def test_no_span_divides_a_cluster(before: str, after: str) -> None:
    for text in (before, after):
        assert "".join(words(text)) == text
    spans = difference(before, after)
    for text, other in ((before, SpanKind.INSERT), (after, SpanKind.DELETE)):
        ends = set(accumulate(map(len, clusters(text)), initial=0))
        shown = [span.text for span in spans if span.kind is not other]
        assert "".join(shown) == text
        assert set(accumulate(map(len, shown), initial=0)) <= ends


def test_words_are_words_white_space_and_single_characters() -> None:
    assert words("Don’t stop  now…\n") == ["Don", "’", "t", " ", "stop", "  ", "now", "…", "\n"]
    assert words("x \u0301y") == ["x", " \u0301", "y"]
    assert words("ﾊﾞス𠀀Ａ１") == ["ﾊﾞ", "ス", "𠀀", "Ａ１"]


LONG: Final = 40_000
"""So many items that those between the first and the last change are not compared."""


def test_a_change_in_a_very_long_text_marks_only_itself() -> None:
    before = [str(number) for number in range(LONG)]
    after = [*before[:100], "new", *before[101:]]
    assert list(replaced(before, after)) == [Replacement(100, 101, 100, 101)]


def test_everything_between_the_changes_of_a_very_long_text_is_replaced() -> None:
    before = [str(number) for number in range(LONG)]
    after = list(before)
    after[100:-99:2] = [f"{item}." for item in after[100:-99:2]]
    assert list(replaced(before, after)) == [Replacement(100, LONG - 99, 100, LONG - 99)]
    spans = difference("\n".join(before), "\n".join(after))
    for side, text in ((SpanKind.DELETE, before), (SpanKind.INSERT, after)):
        assert "".join(span.text for span in spans if span.kind in {SpanKind.EQUAL, side}) == "\n".join(text)
