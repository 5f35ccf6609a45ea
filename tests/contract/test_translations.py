"""Every text of a page has a translation in each language, and every translation is used."""

import shutil
from pathlib import Path

import pytest

from ledgerpress.http.pages.interface_texts.catalogues import parsed
from ledgerpress.testing.texts.__main__ import main
from ledgerpress.testing.texts.catalogue_comparison import Source, conflicts, problems, update
from ledgerpress.testing.texts.text_extraction import texts_of

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "src" / "ledgerpress" / "http" / "pages"
FOLDERS = [PAGES, *sorted(path for path in (ROOT / "src/ledgerpress/features").iterdir() if path.is_dir())]
LANGUAGES = ["ar", "de", "es", "fr"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_texts_of_each_feature_are_translated(folder: Path) -> None:
    assert list(problems(Source(folder, LANGUAGES))) == []


def test_the_example_is_translated() -> None:
    folder = ROOT / "docs/examples/factcheck/src/ledgerpress_factcheck"
    assert list(problems(Source(folder, ["de"]))) == []


def test_features_translate_the_same_text_in_the_same_way() -> None:
    assert list(conflicts([Source(folder, LANGUAGES) for folder in FOLDERS])) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_features_have_the_same_plural_forms(language: str) -> None:
    files = [Source(folder, [language]).file(language) for folder in FOLDERS]
    assert len({parsed(path).plural_forms for path in files if path.exists()}) == 1


@pytest.fixture
def feature(tmp_path: Path) -> Path:
    """The folder of a feature with a template and a module, whose texts have German translations."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "stars.html").write_text(
        '<h1>{{ words("Stars") }}</h1><p title="{{ words.text("Best" if best else "Others") }}">'
        '{{ words("{count} star", "{count} stars", count=count) }}</p>',
        "utf-8",
    )
    (tmp_path / "pages.py").write_text(
        'LINK = Link("All stars", "/stars")\nNOTE = Text("By {name}", name=name)\nOTHER = Link(name, "/x")\n',
        "utf-8",
    )
    assert sorted(path.name for path in update(Source(tmp_path, ["de"]))) == ["de.po"]
    path = tmp_path / "translations" / "de.po"
    text = path.read_text("utf-8")
    for english, german in {
        "Stars": "Sterne", "Best": "Beste", "Others": "Andere", "All stars": "Alle Sterne", "By {name}": "Von {name}",
    }.items():  # fmt: skip
        text = text.replace(f'msgid "{english}"\nmsgstr ""', f'msgid "{english}"\nmsgstr "{german}"')
    text = text.replace('msgstr[0] ""\nmsgstr[1] ""', 'msgstr[0] "{count} Stern"\nmsgstr[1] "{count} Sterne"')
    path.write_text(text, "utf-8")
    return tmp_path


def test_a_feature_with_translations_has_no_problems(
    feature: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = texts_of(feature).texts
    assert {text.english for text in texts} == {
        "Stars", "Best", "Others", "{count} star", "All stars", "By {name}",
    }  # fmt: skip
    assert main([str(feature)]) == 0
    assert capsys.readouterr().out == "All texts have translations.\n"
    assert list(update(Source(feature, ["de"]))) == []


@pytest.mark.parametrize(
    ("file", "before", "after", "problem"),
    [
        ("stars.html", "Stars", "New stars", "the translation is missing: “New stars” (templates/stars.html:1)"),
        ("stars.html", "Stars", "New stars", "this text is not used: “Stars”"),
        ("stars.html", '{{ words("Stars") }}', "Stars", "write these words with words(…): “Stars”"),
        ("stars.html", "<h1>", '<h1 aria-label="Stars">', "write these words with words(…): “Stars”"),
        ("stars.html", "<h1>", '<h1 lang="en">', "write these words with words(…): “lang=\"en\"”"),
        ("stars.html", "<h1>", "<h1{{ english }}>", "write the words of the element with words(…)"),
        ("stars.html", '"Stars"', '"Stars {}".format(n)', "this text is not literal"),
        ("stars.html", '"Stars"', '"Stars " ~ n', "this text is not literal"),
        ("stars.html", "{count} stars", "{count} star", "the plural form in English differs: “{count} star”"),
        ("stars.html", "count=count", "n=count", "and the values differ: count, n"),
        ("stars.html", "{{ words", "{{ words(", "templates/stars.html:1: "),
        ("pages.py", '"By {name}"', 'f"By {name}"', "this text is not literal"),
        ("pages.py", ", name=name", "", "and the values differ: name"),
        ("de.po", "Von {name}", "Von {nam}", "has the placeholder {nam}"),
        ("de.po", '"{count} Sterne"', '""', "needs 2 forms"),
        ("de.po", 'msgid "Best"', 'nonsense', "is not a valid catalogue"),
    ],
)  # fmt: skip
def test_each_problem_is_found(
    feature: Path, capsys: pytest.CaptureFixture[str], file: str, before: str, after: str, problem: str
) -> None:
    (path,) = feature.rglob(file)
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf-8")
    assert main([str(feature)]) == 1
    assert problem in capsys.readouterr().out


def test_two_folders_with_different_translations_of_a_text_conflict(
    feature: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path_factory.mktemp("other") / "feature"
    shutil.copytree(feature, other)
    path = other / "translations" / "de.po"
    path.write_text(path.read_text("utf-8").replace("Alle Sterne", "Sterne"), "utf-8")
    assert main([str(feature), str(other)]) == 1
    assert "“All stars” has another translation" in capsys.readouterr().out


def test_an_update_keeps_translations_and_removes_unused_ones(feature: Path) -> None:
    template = feature / "templates" / "stars.html"
    template.write_text('{{ words("Stars") }} {{ words("New") }}', "utf-8")
    assert len(list(update(Source(feature, ["de", "ar"])))) == 2
    german = (feature / "translations" / "de.po").read_text("utf-8")
    assert 'msgid "Stars"\nmsgstr "Sterne"' in german
    assert 'msgid "New"\nmsgstr ""' in german
    assert "Best" not in german
    assert "nplurals=6" in (feature / "translations" / "ar.po").read_text("utf-8")


@pytest.mark.parametrize(
    ("language", "rule"),
    [
        ("fr", "nplurals=2; plural=(n > 1);"),
        ("fr-CA", "nplurals=2; plural=(n > 1);"),
        ("es", "nplurals=2; plural=(n != 1);"),
        ("pl", "nplurals=3;"),
    ],
)
def test_a_new_catalogue_has_the_plural_forms_of_the_other_catalogues(
    feature: Path, capsys: pytest.CaptureFixture[str], language: str, rule: str
) -> None:
    assert main(["--update", "--language", language, str(feature)]) == 1
    assert "the translation is missing" in capsys.readouterr().out
    path = feature / "translations" / f"{language}.po"
    text = path.read_text("utf-8")
    assert f'"Plural-Forms: {rule}' in text
    number = parsed(path).num_plurals
    forms = "".join(f'msgstr[{form}] ""\n' for form in range(number))
    assert forms in text
    path.write_text(text.replace(forms, forms.replace('""', '"{count} ★"')), "utf-8")
    main(["--language", language, str(feature)])
    assert "needs" not in capsys.readouterr().out
