"""Find the texts in templates and in code, by parsing them: the arguments of `words(…)`, `Text(…)` and `Link(…)`."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, TemplateSyntaxError, nodes

from ledgerpress.http.pages.interface_texts.catalogues import COUNT, Key
from ledgerpress.http.pages.interface_texts.placeholders import names_in

_LETTER: Final = re.compile(r"[^\W\d_]")
_ATTRIBUTES: Final = frozenset(
    {"alt", "aria-label", "aria-roledescription", "aria-valuetext", "label", "placeholder", "title"}
)
"""Attributes that readers see or hear."""
_ENGLISH_TEMPLATES: Final = frozenset({"graphiql.html"})
"""GraphiQL and the names of the schema are in English."""
_WORDS: Final = frozenset({"words", "_words"})
_NOT_LITERAL: Final = "pass values as placeholders: words(“{count} articles”, count=count)"


@dataclass(frozen=True, slots=True)
class UsedText:
    """A text that a file uses."""

    english: str
    plural: str | None
    context: str
    file: str
    line: int

    @property
    def key(self) -> Key:
        return self.context, self.english


@dataclass(slots=True)
class Extraction:
    """The texts that the files of a folder use, and what is wrong with their use."""

    texts: list[UsedText] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of a function with a text. A value that is not literal is `None`."""

    line: int
    texts: list[str] | None
    plural: str | None
    context: str
    values: frozenset[str] | None


def texts_of(folder: Path) -> Extraction:
    """Return the texts that the templates and modules of a folder use."""
    extraction = Extraction()
    for path in sorted(folder.rglob("*.html")):
        if path.name in _ENGLISH_TEMPLATES:
            continue
        _read_template(extraction, path.relative_to(folder).as_posix(), path.read_text("utf-8"))
    for path in sorted(folder.rglob("*.py")):
        calls = _calls_in_code(ast.parse(path.read_text("utf-8")))
        _add(extraction, path.relative_to(folder).as_posix(), calls)
    return extraction


def _add(extraction: Extraction, file: str, calls: Iterator[_Call]) -> None:
    for call in calls:
        place = f"{file}:{call.line}"
        if call.texts is None:
            extraction.problems.append(f"{place}: this text is not literal; {_NOT_LITERAL}")
            continue
        for english in call.texts:
            text = UsedText(english, call.plural, call.context, file, call.line)
            extraction.texts.append(text)
            names = names_in(english) | names_in(text.plural or "")
            if call.plural is not None:
                names |= {COUNT}
            if call.values is not None and call.values != names:
                differing = ", ".join(sorted(call.values ^ names))
                extraction.problems.append(
                    f"{place}: the placeholders of “{english}” and the values differ: {differing}"
                )


# --- templates -------------------------------------------------------------------------------------


def _read_template(extraction: Extraction, file: str, source: str) -> None:
    environment = Environment(autoescape=True)
    try:
        tree = environment.parse(source)
    except TemplateSyntaxError as error:
        extraction.problems.append(f"{file}:{error.lineno}: {error}")
        return
    _add(extraction, file, _calls_in_template(tree))
    for name in tree.find_all(nodes.Name):
        if name.name == "english":
            extraction.problems.append(f"{file}:{name.lineno}: write the words of the element with words(…)")
    parser = _LiteralWords()
    parser.feed(_without_expressions(environment, source))
    parser.close()
    for line, words in parser.literals:
        extraction.problems.append(f"{file}:{line}: write these words with words(…): “{words}”")


def _calls_in_template(tree: nodes.Template) -> Iterator[_Call]:
    for call in tree.find_all(nodes.Call):
        callee: Any = call.node
        if isinstance(callee, nodes.Getattr) and callee.attr == "text":
            callee = callee.node
        if not (isinstance(callee, nodes.Name) and callee.name in _WORDS and call.args):
            continue
        first, *others = call.args
        if isinstance(first, nodes.Name | nodes.Getattr | nodes.Getitem):
            continue  # a `Text`, or words that were translated before
        named = {pair.key: pair.value for pair in call.kwargs}
        context = named.pop("context", None)
        yield _Call(
            line=call.lineno,
            texts=_literals(first),
            plural=_constant(others[0]) if others else None,
            context=_constant(context) or "",
            values=None if call.dyn_kwargs is not None else frozenset(named),
        )


def _literals(node: Any) -> list[str] | None:
    """Return the texts that an expression can be, `None` if they are not literal."""
    if isinstance(node, nodes.CondExpr):
        first, second = _literals(node.expr1), _literals(node.expr2)
        return None if first is None or second is None else first + second
    text = _constant(node)
    return None if text is None else [text]


def _constant(node: Any) -> str | None:
    value = getattr(node, "value", None)
    return value if isinstance(node, nodes.Const | ast.Constant) and isinstance(value, str) else None


def _without_expressions(environment: Environment, source: str) -> str:
    """Return the HTML of a template with the same lines, without what Jinja replaces."""
    return "".join(
        text if kind == "data" else "\n" * text.count("\n") for _, kind, text in environment.lex(source)
    )


class _LiteralWords(HTMLParser):
    """Finds words that are in no expression: readers would see them in English in every language."""

    def __init__(self) -> None:
        super().__init__()
        self.literals: list[tuple[int, str]] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in {"script", "style"}
        for name, value in attrs:
            if name in _ATTRIBUTES and value and _LETTER.search(value):
                self._add(value)
            if name == "lang" and value:
                self._add(f'lang="{value}"')

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._hidden and _LETTER.search(data):
            self._add(data)

    def _add(self, words: str) -> None:
        self.literals.append((self.getpos()[0], " ".join(words.split())))


# --- code ------------------------------------------------------------------------------------------


def _calls_in_code(tree: ast.Module) -> Iterator[_Call]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        function, first = _name_of(call.func), call.args[0]
        is_text = function == "Text" or _is_words(call.func)
        if not (is_text or function == "Link"):
            continue
        texts = _literals_in_code(first)
        is_composed = isinstance(first, ast.JoinedStr | ast.BinOp) or _is_format(first)
        if texts is None and not (is_text and is_composed):
            continue  # a text of a user, or one that another call names
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        context = named.pop("context", None)
        yield _Call(
            line=call.lineno,
            texts=texts,
            plural=_constant(call.args[1]) if is_text and len(call.args) > 1 else None,
            context=_constant(context) or "",
            values=None if function == "Link" or None in named else frozenset(filter(None, named)),
        )


def _is_words(function: ast.expr) -> bool:
    """Return whether a function is `words(…)`, or `words.text(…)` or `….words(snapshot).text(…)`."""
    if isinstance(function, ast.Attribute) and function.attr == "text":
        function = function.value.func if isinstance(function.value, ast.Call) else function.value
        return _name_of(function) in _WORDS
    return isinstance(function, ast.Name) and function.id in _WORDS


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_format(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and _name_of(node.func) == "format"


def _literals_in_code(node: ast.expr) -> list[str] | None:
    if isinstance(node, ast.IfExp):
        first, second = _literals_in_code(node.body), _literals_in_code(node.orelse)
        return None if first is None or second is None else first + second
    text = _constant(node)
    return None if text is None else [text]
