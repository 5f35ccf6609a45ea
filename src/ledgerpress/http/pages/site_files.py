"""The files with which a site changes its design: templates that win over the built-in ones, and a style sheet.

They are read and checked once, at the start, so that a mistake is found before the first request. Changed files have an
effect after the next start.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    DictLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateSyntaxError,
    meta,
)

from ledgerpress.http.pages.language_and_direction import bdi, isolated
from ledgerpress.system_errors import reason_of

BUILT_IN: Final = "built-in"
"""A template of a site extends or includes `built-in/NAME` to use the template that it replaces."""
SITE_STYLESHEET: Final = "site-own.css"
"""The name of a site's style sheet under `static/`. The template `layout.html` has it, too."""
_ENDING: Final = ".html"
_PAGE: Final = ("layout.html", "_listing.html")
"""Templates whose names every template may use: `Pages.page` provides them for each page."""


class InvalidPageFiles(Exception):
    """A site's templates or style sheet cannot be used. `setting` names the setting, the message is for the operator."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(problem)
        self.setting = setting


def environment_of(folders: Sequence[Path]) -> Environment:
    """Return the environment of the templates in `folders`; of two with the same name, it has the first one."""
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"bdi": bdi, "isolated": isolated}
    return environment


def use_site_templates(environment: Environment, folder: Path) -> None:
    """Let the templates in `folder` win over those of the environment. Raises `InvalidPageFiles`."""
    built_in = environment.loader
    assert built_in is not None  # noqa: S101 - `environment_of` has set it
    sources = _read_templates(folder)
    environment.loader = ChoiceLoader([DictLoader(sources), PrefixLoader({BUILT_IN: built_in}), built_in])
    problems = [problem for name in sources for problem in _problems(environment, sources, built_in, name)]
    if not problems:
        problems.extend(_unused(environment, sources, built_in))
    if problems:
        raise InvalidPageFiles("server.templates", "; ".join(f"{folder / problem}" for problem in problems))


def read_stylesheet(path: Path) -> bytes:
    """Return the contents of a site's style sheet. Raises `InvalidPageFiles`."""
    return _read(path, "server.stylesheet").encode("utf-8")


def _read(path: Path, setting: str) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InvalidPageFiles(setting, f"{path} cannot be read: {reason_of(error)}") from None
    except UnicodeDecodeError:
        raise InvalidPageFiles(setting, f"{path} is not UTF-8") from None


def _read_templates(folder: Path) -> dict[str, str]:
    """Return the templates in a folder and in the folders below it, by name."""
    if not folder.is_dir():
        raise InvalidPageFiles("server.templates", f"{folder} is not a directory")
    sources: dict[str, str] = {}
    for path in sorted(folder.rglob(f"*{_ENDING}")):
        sources[path.relative_to(folder).as_posix()] = _read(path, "server.templates")
    if not sources:
        raise InvalidPageFiles(
            "server.templates", f"{folder} contains no template: no file that ends in {_ENDING}"
        )
    return sources


def _problems(
    environment: Environment, sources: Mapping[str, str], built_in: BaseLoader, name: str
) -> Iterator[str]:
    """Yield what is wrong with a template of the site, each beginning with its name."""
    try:
        environment.get_template(name)
    except TemplateSyntaxError as error:
        yield f"{error.name or name}, line {error.lineno}: {error.message}"
        return
    known = {*environment.list_templates()}
    for other in _referenced(environment, sources[name]):
        if other not in known:
            yield f"{name} uses {other}, which does not exist"
    allowed = _names(environment, built_in, _PAGE) | environment.globals.keys()
    is_new = name not in built_in.list_templates()
    allowed |= _names(environment, built_in, built_in.list_templates() if is_new else [name])
    for unknown in sorted(_undeclared(environment, sources[name]) - allowed):
        yield f"{name} uses the name {unknown}, which this page does not have"


def _unused(environment: Environment, sources: Mapping[str, str], built_in: BaseLoader) -> Iterator[str]:
    """Yield each template that no page uses."""
    used = {*built_in.list_templates()}
    for source in sources.values():
        used.update(_referenced(environment, source))
    for name in sorted(sources.keys() - used):
        yield f"{name} has no effect: no built-in template has this name, and no other template uses it"


def _referenced(environment: Environment, source: str) -> set[str]:
    return {name for name in meta.find_referenced_templates(environment.parse(source)) if name is not None}


def _undeclared(environment: Environment, source: str) -> set[str]:
    return meta.find_undeclared_variables(environment.parse(source))


def _names(environment: Environment, built_in: BaseLoader, names: Sequence[str]) -> set[str]:
    """Return the names that built-in templates use, with the templates that they extend, include or import."""
    result: set[str] = set()
    pending, visited = [*names], set[str]()
    while pending:
        name = pending.pop()
        if name in visited:
            continue
        visited.add(name)
        source, _, _ = built_in.get_source(environment, name)
        result |= _undeclared(environment, source)
        pending.extend(_referenced(environment, source))
    return result
