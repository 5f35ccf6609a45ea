"""Links, anchors, and names of code and files in the documentation are valid."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "ledgerpress"
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")],
)
LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
CODE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
NAMED_CODE = re.compile(r"`([\w/]+\.py): ([\w.]+)`")
QUOTED_CODE = re.compile(r"<!-- from: (\S+) -->\n```python\n(.*?)```", re.DOTALL)
NAMED_FILE = re.compile(r"`((?:src|tests|scripts|docs)/[\w./-]+\.\w+)`")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_has_an_existing_file_and_heading(page: Path) -> None:
    for link in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or target.suffix != ".md" or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_function_and_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    for module, qualified_name in NAMED_CODE.findall(text):
        path = SOURCE / module if (SOURCE / module).exists() else ROOT / module
        assert has(path, qualified_name.split(".")), f"{module}: {qualified_name}"
    for file in NAMED_FILE.findall(text):
        assert (ROOT / file).exists(), file


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_code_that_a_page_quotes_is_in_the_file(page: Path) -> None:
    for file, code in QUOTED_CODE.findall(page.read_text("utf-8")):
        assert code in (ROOT / file).read_text("utf-8"), file


def has(module: Path, names: list[str]) -> bool:
    """Return whether a module defines a class, function or constant, or a member of a class."""
    body: list[ast.stmt] = ast.parse(module.read_text("utf-8")).body
    for part in names:
        definitions = [node for node in body if part in defined_by(node)]
        if not definitions:
            return False
        body = definitions[-1].body if isinstance(definitions[-1], ast.ClassDef) else []
    return True


def defined_by(node: ast.stmt) -> set[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {node.name}
        case ast.AnnAssign(target=ast.Name(id=target)):
            return {target}
        case ast.Assign():
            return {target.id for target in node.targets if isinstance(target, ast.Name)}
        case _:
            return set()


def test_missing_names_are_detected() -> None:
    here = Path(__file__)
    assert has(here, ["has"])
    assert has(here, ["PAGES"])
    assert not has(here, ["has_not"])
    assert not has(here, ["has", "body"])


def test_every_code_of_a_rejected_request_is_documented() -> None:
    constants = {
        argument.value
        for path in SOURCE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "HttpError"
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }
    codes = {text for text in constants if text.isupper()}
    assert {"BAD_REQUEST", "RATE_LIMITED"} <= codes
    reference = "".join(path.read_text("utf-8") for path in (ROOT / "docs" / "reference").glob("*.md"))
    assert {code for code in codes if f"`{code}`" not in reference} == set()
