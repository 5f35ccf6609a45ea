"""Reject words that the project replaced by plain ones, in prose and in names (scripts/development/words.toml).

Prose is Markdown and SQL comments, outside code, and in Python the comments, docstrings and all texts with a blank; and
all of a shell script, a TOML file, a template, a style sheet and a script of a page. Texts in tests are not checked:
most are content or quotations. Names are those that a module binds, and the paths of files.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
WORD_LIST = Path(__file__).with_name("words.toml")
CHECKED = (
    "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "pyproject.toml", ".ci", "docs", "src", "tests", "scripts",
)  # fmt: skip
PLAIN_SUFFIXES = frozenset({"", ".sh", ".toml", ".html", ".css", ".js"})
MARKDOWN_CODE = re.compile(
    r"^( *)(```|~~~).*?^\1\2 *$|<!--.*?-->|`[^`\n]+(?:\n[^`\n]+)?`", re.MULTILINE | re.DOTALL
)
PLACEHOLDER = "…"
"""Stands for a value in an f-string."""
PYTHON_CODE = re.compile(r"``[^`]+``|`[^`\n]+`")
SQL_CODE = re.compile(r"^((?!--).)+|(?<=--)$", re.MULTILINE)


class Text(NamedTuple):
    """A piece of prose, or a name, and the line on which it begins."""

    line: int
    text: str


class Finding(NamedTuple):
    """A rejected word, and what to write instead."""

    path: Path
    line: int
    words: str
    instead: str


class Rule(NamedTuple):
    """A pattern that prose must not contain, and what to write instead."""

    pattern: re.Pattern[str]
    instead: str


@dataclass(frozen=True)
class Rules:
    """The word list: patterns for prose; whole names, and words of names, with their replacements."""

    prose: tuple[Rule, ...]
    names: dict[str, str]
    words_in_names: dict[str, str]
    exempt_paths: frozenset[str]
    exempt_names: dict[str, list[str]]

    @classmethod
    def load(cls, path: Path) -> Rules:
        """Read a word list. Raise `ValueError` if a pattern does not match its example."""
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
        prose = []
        for entry in declared["prose"]:
            pattern = re.compile(rf"\b(?:{entry['not']})\b".replace(" ", r"\s+"), re.IGNORECASE)
            if not pattern.search(entry["example"]):
                raise ValueError(
                    f"{path.name}: the example {entry['example']!r} does not contain {entry['not']!r}"
                )
            prose.append(Rule(pattern, entry["but"]))
        return cls(
            tuple(prose),
            declared["names"],
            declared["words_in_names"],
            frozenset(declared["exempt"]["paths"]),
            declared["exempt"]["names"],
        )

    def problems_of_prose(self, text: str) -> Iterator[tuple[int, str, str]]:
        """Yield the offset of each rejected phrase, the phrase, and what to write instead."""
        for rule in self.prose:
            for match in rule.pattern.finditer(text):
                yield match.start(), " ".join(match.group().split()), rule.instead

    def problem_of_name(self, name: str) -> str | None:
        """Return what to write instead of a name, or `None` if the name is allowed."""
        if (
            instead := self.names.get(name.strip("_") if name.isupper() else name.strip("_").lower())
        ) is not None:
            return instead
        words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]
        for word in words:
            if (instead := self.words_in_names.get(word)) is not None:
                return instead
        return next((instead for _, _, instead in self.problems_of_prose(" ".join(words)) if words[1:]), None)


def python_prose(source: str, tree: ast.Module, *, with_texts: bool) -> Iterator[Text]:
    """Yield comments, docstrings and, if `with_texts`, all other texts that contain a blank."""
    comment: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if comment and token.start[0] > comment[-1].start[0] + 1:
                yield Text(comment[0].start[0], "\n".join(part.string.lstrip("#: ") for part in comment))
                comment = []
            comment.append(token)
    if comment:
        yield Text(comment[0].start[0], "\n".join(part.string.lstrip("#: ") for part in comment))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and with_texts:
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else PLACEHOLDER for part in node.values
            )
            if " " in text.strip():
                yield Text(node.lineno, text)
        elif id(node) in parts:
            continue
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and (id(node) in docstrings or (with_texts and " " in node.value.strip()))
        ):
            yield Text(node.lineno, node.value)


def python_names(tree: ast.Module) -> Iterator[Text]:
    """Yield the names that a module defines: of functions, classes, parameters, variables and attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield Text(node.lineno, node.name)
            case ast.arg():
                yield Text(node.lineno, node.arg)
            case ast.Name(ctx=ast.Store()):
                yield Text(node.lineno, node.id)
            case ast.Attribute(ctx=ast.Store()):
                yield Text(node.lineno, node.attr)
            case (
                ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
            ):
                yield Text(node.lineno, name)


def blanked(pattern: re.Pattern[str], text: str) -> str:
    """Return a text with blanks in place of all matches; lines stay where they are."""
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def findings_in(path: Path, relative: Path, rules: Rules) -> Iterator[Finding]:
    """Yield the rejected words in a file."""
    source = path.read_text(encoding="utf-8")
    texts: list[Text] = []
    if path.suffix == ".py":
        tree = ast.parse(source)
        texts += (
            Text(text.line, blanked(PYTHON_CODE, text.text))
            for text in python_prose(source, tree, with_texts="tests" not in relative.parts)
        )
        for name in python_names(tree):
            instead = rules.problem_of_name(name.text)
            if instead is not None and name.text not in rules.exempt_names.get(relative.as_posix(), ()):
                yield Finding(relative, name.line, f"name {name.text}", instead)
    elif path.suffix == ".md":
        texts.append(Text(1, blanked(MARKDOWN_CODE, source)))
    elif path.suffix == ".sql":
        texts.append(Text(1, blanked(SQL_CODE, source)))
    elif path.suffix in PLAIN_SUFFIXES:
        texts.append(Text(1, source))
    texts.append(Text(1, re.sub(r"[-_/.]", " ", relative.as_posix())))
    for text in texts:
        for offset, words, instead in rules.problems_of_prose(text.text):
            yield Finding(relative, text.line + text.text.count("\n", 0, offset), words, instead)


def checked_files(arguments: list[str], rules: Rules) -> Iterator[Path]:
    """Yield the files to check: those of the arguments, or of the project."""
    for name in arguments or CHECKED:
        start = Path(name).resolve() if arguments else ROOT / name
        for path in [start] if start.is_file() else sorted(start.rglob("*")):
            relative = path.relative_to(ROOT).as_posix()
            if (
                path.is_file()
                and path.suffix in {".py", ".md", ".sql", *PLAIN_SUFFIXES}
                and not any(
                    relative == exempt or relative.startswith(f"{exempt}/") for exempt in rules.exempt_paths
                )
            ):
                yield path


def main(arguments: list[str]) -> int:
    """Print the rejected words in the given files, or in the project; return 1 if there are any."""
    rules = Rules.load(WORD_LIST)
    findings = [
        finding
        for path in checked_files(arguments, rules)
        for finding in sorted(set(findings_in(path, path.relative_to(ROOT), rules)))
    ]
    for finding in findings:
        print(f"{finding.path}:{finding.line}: {finding.words} -> {finding.instead}")
    if findings:
        print(f"words: {len(findings)} to replace. The list is scripts/development/words.toml.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
