"""Compare the texts that a folder uses with its translations, and write the missing ones into its catalogues."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from ledgerpress.http.pages.interface_texts.catalogues import (
    Key,
    catalogue_files,
    parsed,
    problems_in,
    read_catalogue,
)
from ledgerpress.http.pages.interface_texts.date_and_number_formats import locale_of
from ledgerpress.http.pages.interface_texts.translations import KERNEL_FOLDER, fallback_tags
from ledgerpress.testing.texts.text_extraction import UsedText, texts_of

FOLDER: Final = "translations"
_HEADER: Final = """msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: {plural_forms}\\n"

"""


@dataclass(frozen=True, slots=True)
class Source:
    """A folder with templates and modules, and the languages into which its texts have to be translated."""

    folder: Path
    languages: Sequence[str]

    @property
    def catalogues(self) -> Path:
        return self.folder / FOLDER

    def file(self, language: str) -> Path:
        """Return the path of a catalogue, which may be missing."""
        default = self.catalogues / f"{language}.po"
        return catalogue_files(self.catalogues).get(language.lower(), default)


def problems(source: Source) -> Iterator[str]:
    """Yield what is wrong with the texts of a folder and their translations."""
    extraction = texts_of(source.folder)
    yield from (f"{source.folder}/{problem}" for problem in extraction.problems)
    used: dict[Key, UsedText] = {}
    for text in extraction.texts:
        first = used.setdefault(text.key, text)
        if first.plural != text.plural:
            yield f"{source.folder}/{text.file}:{text.line}: “{text.english}” has two plural forms in English"
    if not used and not source.catalogues.is_dir():
        return
    for language in source.languages:
        path = source.file(language)
        own = _plurals_of(path)
        if path.exists():
            yield from (f"{path}: {problem}" for problem in problems_in(path))
        for key, plural in own.items():
            if key not in used:
                yield f"{path}: this text is not used: “{key[1]}”"
            elif plural != used[key].plural:
                yield f"{path}: the plural form in English differs: “{key[1]}”"
        known = own.keys() | shared_translations(source, language)
        for key, text in used.items():
            if key not in known:
                yield f"{path}: the translation is missing: “{text.english}” ({text.file}:{text.line})"


def conflicts(sources: Sequence[Source]) -> Iterator[str]:
    """Yield the texts that two folders translate in different ways: all pages share the translations."""
    first: dict[tuple[str, Key], tuple[tuple[str, ...], Path]] = {}
    for source in sources:
        for language in source.languages:
            path = source.file(language)
            for key, translation in (read_catalogue(path) if path.exists() else {}).items():
                forms, other = first.setdefault((language, key), (translation.forms, path))
                if forms != translation.forms:
                    yield f"{path}: “{key[1]}” has another translation in {other}; use the same, or a context"


def update(source: Source) -> Iterator[Path]:
    """Write the missing texts into the catalogues, remove the unused ones, and yield the files that changed.

    A missing text gets an empty translation, which is as good as none.
    """
    used: dict[Key, list[UsedText]] = {}
    for text in texts_of(source.folder).texts:
        used.setdefault(text.key, []).append(text)
    for language in source.languages:
        path = source.file(language)
        shared = shared_translations(source, language) - _plurals_of(path).keys()
        wanted = {key: texts for key, texts in used.items() if key not in shared}
        if not wanted and not path.exists():
            continue
        content = _written(language, _read(path), wanted)
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            yield path


def shared_translations(source: Source, language: str) -> frozenset[Key]:
    """Return the texts that LedgerPress itself has translated for all pages."""
    path = catalogue_files(KERNEL_FOLDER).get(language.lower())
    if path is None or path.parent == source.catalogues.resolve():
        return frozenset()
    return frozenset(read_catalogue(path))


def _read(path: Path) -> Catalog:
    return parsed(path) if path.exists() else Catalog()


def _plurals_of(path: Path) -> dict[Key, str | None]:
    """Return the texts that a catalogue translates, with their plural forms in English."""
    texts: dict[Key, str | None] = {}
    for message in _read(path):
        if message.id and message.string and any(message.string):
            ids = [message.id] if isinstance(message.id, str) else list(message.id)
            texts[message.context or "", ids[0]] = ids[1] if len(ids) > 1 else None
    return texts


def _plural_rule(language: str) -> Catalog:
    """Return a catalogue with the rule for plural forms that a new catalogue of a language gets.

    Babel has a third form of some languages, for whole millions. The catalogues of LedgerPress do without it, and those of
    all features have the same forms, so that one text has one translation.
    """
    shipped = catalogue_files(KERNEL_FOLDER)
    path = next((shipped[tag] for tag in fallback_tags(language) if tag in shipped), None)
    return Catalog(locale=locale_of(language)) if path is None else parsed(path)


def _written(language: str, former: Catalog, wanted: Mapping[Key, Sequence[UsedText]]) -> bytes:
    """Return the content of a catalogue with the wanted texts, and the former translations of these."""
    # Catalogues that exist keep their rule for plural forms.
    has_header = any(message.id for message in former)
    rule = former if has_header else _plural_rule(language)
    new = Catalog()
    new.mime_headers = [("Plural-Forms", rule.plural_forms)]
    for (context, english), texts in wanted.items():
        plural = texts[0].plural
        known = former.get(english, context or None)
        new.add(
            english if plural is None else (english, plural),
            known.string if known is not None else "",
            locations=sorted({(text.file, 0) for text in texts}),
            context=context or None,
            user_comments=known.user_comments if known is not None else (),
        )
    output = BytesIO()
    write_po(output, new, omit_header=True, include_lineno=False, width=0)
    header = _HEADER.format(language=language, plural_forms=rule.plural_forms)
    return header.encode() + output.getvalue().strip(b"\n") + b"\n"
