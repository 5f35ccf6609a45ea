"""A corpus of difficult text: our own, Unicode's cases of grapheme breaks, the examples of CommonMark and GFM.

tests/texts/README.md states where the files come from.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parents[1] / "texts"

LINES: Final = (
    "İstanbul, DİYARBAKIR ve ıIiİ",
    "Straße, ẞ, ﬁn de siècle, ＡＢＣ１２３, ½ ² ™",
    unicodedata.normalize("NFD", "Ångström, Việt Nam, ṩ, 한국어, がぎぐ"),
    "q\u0307\u0323 q\u0323\u0307 \u1e9b\u0323 \u212b \u2126 \uf900 \u0958 \u0344 \U0001d15e",  # normalisation
    "".join(chr(0x300 + number) + "o" for number in range(112)),
    "Z" + "\u0351\u0343\u0300" * 90 + "algo",
    "🇫🇷🇩🇪🇫 👩‍🚀 👩🏽‍❤️‍💋‍👨🏿 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f 1️⃣ 👍🏽 ❤︎ ❤️",
    "🇫🇷" * 101,
    "👩‍🚀" * 80,
    "क्षि" * 80,
    unicodedata.normalize("NFD", "한") * 90,
    "潮" * 198 + "👍🏽潮",
    "नमस्ते दुनिया, স্ত্রী, நிக்ஷ, ශ්‍රී, ក្រុងភ្នំពេញ, ຜູ້ຄົນ, မြန်မာ, ᬓ᭄ᬱ",
    "กำแพงเมืองเชียงใหม่น้ำท่วม",
    "潮の話。「重要」です、ｶﾞｷﾞｸﾞ 𠮷野家 㐂 葛\U000e0100城 か゚",
    "می‌خواهم نامه‌ای بنویسم، لا إله، ١٢٣ \u0600١٢",
    "שלום, “עולם” (abc) בְּרֵאשִׁית \u202eabc\u202c \u2067אבג\u2069 \u200fabc\u200e \u061c",
    "\u202a\u202b\u202d unclosed \u2066 \u2068 and \u2069\u2069\u202c closed too often",
    "a\u00adb c\u200bd e\u2060f g\u034fh i\u180ej k\ufeffl m\u115fn o\u3164p q\u2800r s\u17b4t u\u2065v",
    "ᠮᠣᠩᠭᠣᠯ\u180b\u180c\u180d \u0f0b བོད་སྐད་ ߒߞߏ ꓡꓲꓢꓴ 𐐷𐑄 𞤀𞤣𞤤𞤢𞤥 𓀀\U00013430𓁐",
    "\ue000\uf8ff\U000f0000\U0010fffd \ufdd0\ufffe\uffff\U0001ffff \u0378 \ufffd",
    "‘Hawai‘i’ l’été ʻokina d'Artagnan rock ’n’ roll “quotes„ «guillemets» ‹›",
    "<script>alert(1)</script> &amp; &#x202e; &lt; ]]> --> <!-- {{ x }} ${x} %s %(a)s \\n \\u0041",
    "' OR 1=1; -- \" ` \\ /etc/passwd ../.. NUL CON =cmd|'/c calc'!A0 javascript:alert(1)",
    "* _ ~ ` # > - + 1. | [x](y) ![z](w) [^1] \\* ** __ ~~ ``` :: $ ^",
    "Tab\tand  two spaces\u00a0and\u2003em\u3000ideographic",
    "𝓣𝓱𝓮 𝔮𝔲𝔦𝔠𝔨 𝕓𝕣𝕠𝕨𝕟 ⓕⓞⓧ 🄹🅄🄼🄿🅂 ᵒᵛᵉʳ ₜₕₑ ℓ𝒶𝓏𝓎 🆔",
    "ﷺ ﷽ ꧅ ⸻ 𒐫 𒈙",
)
"""Texts of one line, which titles, reasons and bodies can contain."""

BODIES: Final = (
    "\ufeffOne\r\ntwo\rthree\vfour\x85five\u2028six\u2029seven\ffeight\n\ufeffnine\n",
    "Intro.\n\n" + "- " * 14 + "deep\n\n" + "> " * 30 + "deeper\n\n1. 2. 3. 4. 5. 6. 7. 8. 9. 10. 11. go!",
    "\n".join(f"{'  ' * level}- word{level}" for level in range(20)),
    "Text[^1] and[^note].\n\n[^1]: The note.\n\n    More.\n[^note]: Other.\n[^lost]: Nothing refers to it.",
    "[Editor]: Hello\n\n| a | b |\n|---|:-:|\n| 1 | 2 | 3 |\n\n- [ ] task\n- [x] done\n\n~~~ python extra words\ncode",
    "<figure>\n<img src='/a.png' alt='A pier'>\n<figcaption>The *pier*</figcaption>\n</figure>\n\nH<sub>2</sub>O <b>",
    "<details><summary>More\n\n<details>\n\n</summary>\n\n</details></details></details>",
    "`" * 50 + "a" + "*" * 60 + "b" + "_" * 60 + "[" * 60 + "c" + "]" * 60,
    "&copy; &AElig; &#0; &#1234567; &nbsp;x &bogus; \\\\ \\& &#x1F469;&#x200D;&#x1F680;",
    "See https://example.org/a_(b)。and www.example.org, a@b.example, <tel:+1> [call](tel:+1-2) [sms](sms:1).",
    " \n\t\n",
    "",
    "\u0301A mark begins the body.\n\n\u0301And a paragraph.\n\u200d\n\u094d\u0937",
    "# 潮\n\n## 潮\n\n## İ\n\n## i\n\n### \u200b\n\n#\n\nTitle\n===\n\nDer\u0308\n---",
    "- a\n\n  b\n\n\n\n      c\n- d\n   > e\nf\n***\n\tg",
)
"""Bodies of several lines."""


@dataclass(frozen=True, slots=True)
class Example:
    """An example of a specification: Markdown, and the HTML that the specification expects."""

    section: str
    markdown: str
    html: str


@cache
def examples() -> tuple[Example, ...]:
    """Return the examples of CommonMark and GFM."""
    texts = ((_FOLDER / name).read_text("utf-8") for name in ("commonmark.jsonl", "gfm.jsonl"))
    return tuple(Example(**json.loads(line)) for text in texts for line in text.split("\n") if line)


@cache
def grapheme_cases() -> tuple[tuple[str, ...], ...]:
    """Return Unicode's cases, each as its clusters. Cases with U+2701 are omitted: it was an emoji only in this version."""
    text = (_FOLDER / "GraphemeBreakTest.txt").read_text("utf-8")
    cases = re.findall("^÷ (.*) ÷$", text, re.MULTILINE)
    return tuple(
        tuple("".join(chr(int(code, 16)) for code in cluster.split(" × ")) for cluster in case.split(" ÷ "))
        for case in cases
        if "2701" not in case
    )


@cache
def unicode_lines() -> tuple[str, ...]:
    """Return lines of Unicode's cases, and of each character that normalisation changes, in both forms.

    Cases with control characters and surrogates are omitted.
    """
    cases = ["".join(case) for case in grapheme_cases()]
    allowed = [case for case in cases if not any(unicodedata.category(char) in ("Cc", "Cs") for char in case)]
    composed = [
        char
        for char in map(chr, (*range(0xA0, 0xD800), *range(0xE000, 0x30000)))
        if unicodedata.normalize("NFD", char) != char and not "가" < char < "힣"
    ]
    pieces = [*allowed, *composed, *(unicodedata.normalize("NFD", char) for char in composed)]
    return tuple(" ".join(pieces[at : at + 90]) for at in range(0, len(pieces), 90))
