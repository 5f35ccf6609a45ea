"""Preparation of a title or a name for its slug: compatibility forms, apostrophes and zero-width non-joiners.

The language of a title is unknown, so the words that elide a vowel before an apostrophe are listed.
"""

import re
import unicodedata
from typing import Final

_KEPT: Final = "\u0e33\u0eb3\u0edc\u0edd\u3131-\u318e"
"""Characters that NFKC replaces, although people write them: Thai and Lao vowels, Lao ໜ and ໝ, Korean ㅋㅋ."""
_TRADE_MARKS: Final = "\u2120\u2122"
_REPLACED: Final = re.compile(f"[^{_KEPT}{_TRADE_MARKS}]+")
_AFTER_DIGIT: Final = re.compile(r"(?<=\d)[^\W\d]")

_APOSTROPHES: Final = "'’‘ʼʻ"
_ELIDED: Final = (
    # French, Catalan, Occitan, Luxembourgish
    "l|d|qu|jusqu|lorsqu|puisqu|quoiqu|presqu|quelqu|entr|contr|aujourd|prud|grand"
    # Italian
    "|dell|all|dall|nell|sull|coll|gl|degl|agl|dagl|negl|sugl|un|quell|quest|bell|sant|nessun|qualcun|ciascun|alcun"
    "|tutt|mezz|anch|com|dov|cos|quant|senz|cent"
)
_ENGLISH_ENDING: Final = r"(?:s|t|d|m|ll|re|ve)\b"
_VOWEL: Final = "[aeiouyà-öø-ÿœ]"
_ELISION: Final = re.compile(
    rf"(?<![\w{_APOSTROPHES}])"
    rf"(?P<word>(?:{_ELIDED})(?=.(?!{_ENGLISH_ENDING}))|c(?=.{_VOWEL})|[çjmnstv](?=.(?:h|{_VOWEL})))"
    rf"[{_APOSTROPHES}](?=\w)"
)
"""An elision in lower case: `l’été`, `qu’il`, `dell’arte`. Not `Dell’s`; not `c’h`, which is one letter in Breton."""
_INVISIBLE_AFTER_APOSTROPHE: Final = re.compile(f"(?<=[{_APOSTROPHES}])[\u00ad\u200b\u2060\ufeff]+")
"""A word joiner, which prevents a line break there, or what copying leaves there. It would hide an elision."""
_LATIN: Final = "[a-z\u00df-\u024f\u1e00-\u1eff]"
_WITHIN_WORD: Final = re.compile(f"[ʻʼʽʾʿ]|(?<={_LATIN})‘(?={_LATIN})")
"""Okinas, and letters like them in other transcriptions. A ‘ that is not between letters is a quotation mark."""
_NON_JOINER: Final = re.compile("(.?)\u200c+(?=(.?))", re.DOTALL)
_VIRAMA: Final = 9
"""The canonical combining class of the signs that suppress a vowel in Indic scripts."""


def to_compatible_forms(text: str) -> str:
    """Return a text in NFKC, with ligatures and full-width letters replaced, except for letters that people write.

    A fraction or a superscript after a digit becomes a number of its own: `2½` is not `21⁄2`.
    """
    return _REPLACED.sub(_compatible, text)


def _compatible(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", _AFTER_DIGIT.sub(_separated_number, match[0]))


def _separated_number(match: re.Match[str]) -> str:
    return f" {match[0]}" if unicodedata.category(match[0]) == "No" else match[0]


def separate_words(text: str) -> str:
    """Return a lower-case text with a space after each elided word and for each non-joiner, and without okinas.

    Other apostrophes stay: the slug omits them, as in `Ada’s` and `O’Brien`.
    """
    text = _INVISIBLE_AFTER_APOSTROPHE.sub("", text)
    return _NON_JOINER.sub(_non_joiner, _WITHIN_WORD.sub("", _ELISION.sub(r"\g<word> ", text)))


def _non_joiner(match: re.Match[str]) -> str:
    """Separate words in Arabic and Latin scripts. Next to an Indic mark, a non-joiner only selects a letter form."""
    before, after = match[1], match[2]
    is_in_word = (before and unicodedata.combining(before) == _VIRAMA) or (
        after and unicodedata.category(after)[0] == "M"
    )
    return before if is_in_word else f"{before} "
