"""The translations of all features, merged: the words of a page in any language."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

import langcodes

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.http.pages.interface_texts.catalogues import Catalogue, catalogue_files, read_catalogue
from ledgerpress.http.pages.interface_texts.words import Words
from ledgerpress.http.pages.language_and_direction import script_of

KERNEL_FOLDER: Final = Path(__file__).parents[1] / "translations"
"""The folder with the translations of the texts of `http.pages`."""
_MAX_LANGUAGES: Final = 32


class HasTexts(Protocol):
    """The folders of a contribution to pages. By default, the translations are next to the templates."""

    @property
    def templates(self) -> Path | None: ...

    @property
    def translations(self) -> Path | None: ...


class Translations:
    """The words of pages in each language. A catalogue is read when its language is first used."""

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        """`folders` have catalogues. A translation in a later folder replaces one in an earlier folder."""
        self._files = [catalogue_files(folder) for folder in folders]
        self._words = BoundedCache[str, Words](max_entries=_MAX_LANGUAGES)

    def words(self, language: str) -> Words:
        """Return the words of a page in a language, which is a tag of BCP 47. Raises `InvalidCatalogue`.

        A tag falls back to shorter ones, such as `de-CH` to `de`, if these have the same script.
        """
        words = self._words.get(language)
        if words is None:
            words = Words(language, self._catalogue(language))
            self._words.put(language, words)
        return words

    def _catalogue(self, language: str) -> Catalogue | None:
        """Return the merged catalogue of a language, the most specific translations last; `None` if there is none."""
        tags = [tag for tag in fallback_tags(language) if any(tag in files for files in self._files)]
        if not tags:
            return None
        return {
            key: translation
            for tag in reversed(tags)
            for files in self._files
            if tag in files
            for key, translation in read_catalogue(files[tag]).items()
        }


def translations_of(contributions: Iterable[HasTexts]) -> Translations:
    """Return the translations of the kernel and of the features with these contributions, in order."""
    folders = [KERNEL_FOLDER]
    for contribution in contributions:
        if contribution.translations is not None:
            folders.append(contribution.translations)
        elif contribution.templates is not None:
            folders.append(contribution.templates.parent / "translations")
    return Translations(folders)


def fallback_tags(language: str) -> list[str]:
    """Return the tags under which translations for a language can be found, the most specific first, in lower case.

    Tags that have been replaced are also looked up by their replacement, such as `iw` by `he`, and `arb` by `ar`.
    """
    replaced = langcodes.standardize_tag(language, macro=True)
    script = script_of(language)
    tags: dict[str, None] = {}
    for tag in (language, replaced):
        subtags = tag.split("-")
        for length in range(len(subtags), 0, -1):
            if len(subtags[length - 1]) == 1:
                continue  # it introduces the subtag after it (RFC 4647, section 3.4)
            shorter = "-".join(subtags[:length])
            if script_of(shorter) == script:
                tags.setdefault(shorter.lower())
    return list(tags)
