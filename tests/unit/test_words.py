"""The check of words finds rejected words in prose and in names, and nothing else."""

from pathlib import Path

import pytest

from scripts.development import words

RULES = words.Rules.load(words.WORD_LIST)


def findings(tmp_path: Path, name: str, text: str) -> list[str]:
    """Return the line and the words of each finding in a file."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return [
        f"{finding.line}: {finding.words}" for finding in sorted(words.findings_in(path, Path(name), RULES))
    ]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.md", "Plain.\n\nIt is made\nanew.\n", ["4: anew"]),
        ("a.md", "Nobody\n", ["1: Nobody"]),
        ("a.md", "`nobody` is a name.\n\n```\nanew\n```\n\n<!-- anew -->\n", []),
        ("a.md", "In\norder to\n", ["1: In order to"]),
        ("a.sql", "-- made anew\nCREATE TABLE anew (x);\n", ["1: anew"]),
        ("a.py", '"""A log that is made anew."""\n', ["1: anew"]),
        ("a.py", '"""See `anew`."""\n', []),
        ("a.py", "x = 1  # in\n# order to\n", ["1: in order to"]),
        ("a.py", 'raise ValueError(f"{x} makes no sense")\n', ["1: makes no sense"]),
        ("a.py", 'x = "anew"\n', []),
        ("a.py", 'raise ValueError(f"{x} anew")\n', ["1: anew"]),
        ("a.py", 'x = f"told {x}: nothing is {y} more"\n', ["1: told"]),
        ("a.py", 'x = f"nobody{x}"\n', []),
        ("a.py", "class _Told:\n    _kept = 1\n", ["1: name _Told", "2: name _kept"]),
        ("a.py", "ONE = 1\n", []),
        ("a.py", "def test_it_goes_by_the_clock(): pass\n", ["1: name test_it_goes_by_the_clock"]),
        ("a.py", "try: pass\nexcept OSError as told: pass\n", ["2: name told"]),
        ("a.py", "match x:\n    case [found, *made]: pass\n", ["2: name found", "2: name made"]),
        ("a.toml", "x = 1  # made anew\n", ["1: anew"]),
        ("a.html", "<p>Nobody wrote\nthis.</p>\n", ["1: Nobody"]),
        ("setup", "echo 'told'  # a command without a suffix\n", ["1: told"]),
        ("short-way.md", "Plain.\n", ["1: short way"]),
        ("a.py", "for one in rows: pass\n", ["1: name one"]),
        ("a.py", "def made_anew(whoever): pass\n", ["1: name made_anew", "1: name whoever"]),
        ("a.py", "class Nobody: pass\n", ["1: name Nobody"]),
        ("a.py", "self.told = found.row\n", ["1: name told"]),
        ("a.py", "print(one, found)\n", []),
        ("tests/a.py", 'x = "It is made anew."  # anew\n', ["1: anew"]),
    ],
)
def test_rejected_words_are_found(tmp_path: Path, name: str, text: str, expected: list[str]) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    assert findings(tmp_path, name, text) == expected


def test_a_finding_suggests_the_plain_alternative() -> None:
    assert [instead for _, _, instead in RULES.problems_of_prose("They ask anew")] == ["again; rebuilt"]
    assert RULES.problem_of_name("patience_seconds") == "`timeout`"


def test_a_rule_must_match_its_example(tmp_path: Path) -> None:
    path = tmp_path / "words.toml"
    path.write_text(
        "names = {}\nwords_in_names = {}\nexempt = {paths = [], names = {}}\n"
        '[[prose]]\nnot = "anew"\nbut = "again"\nexample = "again"\n'
    )
    with pytest.raises(ValueError, match="does not contain 'anew'"):
        words.Rules.load(path)
