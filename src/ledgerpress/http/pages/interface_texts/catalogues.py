"""Catalogues: the translations of texts into one language, in gettext's format (.po).

A file is named after its language, such as `de.po` or `pt-BR.po`. A folder has one file for each language.
"""

import gettext
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from ledgerpress.http.pages.interface_texts.placeholders import names_in

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

logger = logging.getLogger(__name__)

SUFFIX: Final = ".po"
COUNT: Final = "count"
"""The placeholder of the number that selects the plural form."""
Key: TypeAlias = tuple[str, str]
"""The context of a text, which is usually empty, and the text in English."""


class InvalidCatalogue(ValueError):
    """A file is not a valid catalogue. The message names the file and the line or the text."""


@dataclass(frozen=True, slots=True)
class Translation:
    """The translation of a text: its form, or its plural forms with the rule that selects one of them."""

    forms: tuple[str, ...]
    form_for: Callable[[int], int]

    def form(self, count: int | None) -> str:
        """Return the form for a number, or the only form."""
        if count is None or len(self.forms) == 1:
            return self.forms[0]
        return self.forms[min(self.form_for(abs(count)), len(self.forms) - 1)]


Catalogue: TypeAlias = Mapping[Key, Translation]


def catalogue_files(folder: Path) -> dict[str, Path]:
    """Return the catalogues of a folder by the names of their languages, in lower case."""
    return {path.stem.lower(): path for path in sorted(folder.glob(f"*{SUFFIX}"))}


@cache
def read_catalogue(path: Path) -> Catalogue:
    """Return the valid translations in a file, which is read once. Others are logged. Raises `InvalidCatalogue`."""
    catalogue: dict[Key, Translation] = {}
    for key, translation, problem in _translations(path):
        if problem is None:
            catalogue[key] = translation
        else:
            logger.warning("%s: a translation is not used. %s", path, problem)
    return catalogue


def problems_in(path: Path) -> list[str]:
    """Return what is wrong with the translations in a file. Raises `InvalidCatalogue`."""
    return [problem for _, _, problem in _translations(path) if problem is not None]


def check_folder(folder: Path) -> None:
    """Raises `InvalidCatalogue` if a folder has no catalogue, or one that is not valid."""
    files = catalogue_files(folder)
    if not files:
        raise InvalidCatalogue(f"{folder} has no catalogue such as de{SUFFIX}.")
    for path in files.values():
        if problems := problems_in(path):
            raise InvalidCatalogue(f"{path}: {problems[0]}")


def parsed(path: Path) -> "Catalog":
    """Return a file as Babel reads it. Raises `InvalidCatalogue`."""
    from babel.messages.pofile import PoFileError, read_po  # noqa: PLC0415 - a site in English does not need it

    try:
        with path.open("rb") as file:
            return read_po(file, abort_invalid=True)
    except (PoFileError, ValueError, OSError) as error:
        raise InvalidCatalogue(f"{path} is not a valid catalogue: {error}") from error


def _translations(path: Path) -> Iterator[tuple[Key, Translation, str | None]]:
    """Yield the translations in a file with their keys, each with the problem that makes it invalid, if there is one."""
    catalogue = parsed(path)
    try:
        # `c2py` accepts the C expression of a header, and nothing else.
        form_for = gettext.c2py(catalogue.plural_expr)
    except ValueError as error:
        raise InvalidCatalogue(f"{path} is not a valid catalogue: {error}") from error
    for message in catalogue:
        if not message.id or message.fuzzy or not any(_forms(message.string)):
            continue
        sources, forms = _forms(message.id), _forms(message.string)
        problem = _problem(sources, forms, catalogue.num_plurals if len(sources) > 1 else 1)
        yield (message.context or "", sources[0]), Translation(forms, form_for), problem


def _problem(sources: Sequence[str], forms: Sequence[str], number_of_forms: int) -> str | None:
    """Return what makes a translation invalid. Only a plural form may leave out the number: “an article”."""
    if len(forms) != number_of_forms or not all(forms):
        return f"“{sources[0]}” needs {number_of_forms} forms."
    expected = frozenset().union(*map(names_in, sources))
    for number, form in enumerate(forms):
        missing, unknown = expected - names_in(form), names_in(form) - expected
        if unknown:
            return f"“{form}” has the placeholder {{{min(unknown)}}}, but “{sources[-1]}” does not."
        may_omit = {COUNT} if number < len(forms) - 1 else set[str]()
        if missing - may_omit:
            return f"“{form}” lacks the placeholder {{{min(missing)}}} of “{sources[-1]}”."
    return None


def _forms(text: "str | Sequence[str] | None") -> tuple[str, ...]:
    """Return a text, or its plural forms, as a tuple."""
    if isinstance(text, str):
        return (text,)
    return tuple(text) if isinstance(text, list | tuple) else ()
