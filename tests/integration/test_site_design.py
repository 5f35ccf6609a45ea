"""Templates and a style sheet of a site: what they change, and mistakes that are reported at the start."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

import ledgerpress
from ledgerpress.commands.client_identity import ANONYMOUS, FixedIdentity
from ledgerpress.features.posts import CreatePost
from ledgerpress.features.registry import graphql_schema, page_contributions
from ledgerpress.http.app import make_app
from ledgerpress.http.pages.page_settings import PageSettings
from ledgerpress.server.settings import InvalidSettings
from ledgerpress.server.store import open_store
from tests.integration.program_runs import program

HOSTILE = "<b>Bread</b> & {{ 7 * 7 }}"


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@asynccontextmanager
async def site(
    data: Path, *, templates: Path | None = None, stylesheet: Path | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client of a site with an article, of which a draft is newer."""
    settings = PageSettings(templates=templates, stylesheet=stylesheet)
    async with open_store(data) as store:
        await store.commands.handle(CreatePost(title=HOSTILE, slug="bread", body="Rye.", publish=True))
        app = make_app(
            store,
            graphql_schema(),
            authenticator=FixedIdentity(ANONYMOUS),
            pages=page_contributions(),
            page_settings=settings,
        )
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            yield http


async def test_a_template_of_the_site_wins_and_can_extend_the_built_in_one(tmp_path: Path) -> None:
    files = {
        "article.html": """
            {% extends "built-in/article.html" %}
            {% block content %}<p class="section">{{ article.title }}</p>{{ super() }}
            {% include "parts/_imprint.html" %}{% endblock %}
        """,
        "parts/_imprint.html": '<p class="imprint">Printed for {{ site_name }}</p>',
    }
    templates = write(tmp_path / "templates", files)
    async with site(tmp_path / "data", templates=templates) as http:
        page = await http.get("/articles/bread")
        assert page.status_code == 200
        assert '<p class="section">&lt;b&gt;Bread&lt;/b&gt; &amp; {{ 7 * 7 }}</p>' in page.text, "escaped"
        assert '<h1 dir="auto">&lt;b&gt;' in page.text
        assert '<p class="imprint">Printed for LedgerPress</p>' in page.text
        front = await http.get("/")
        assert "imprint" not in front.text


async def test_the_layout_of_the_site_is_that_of_every_page(tmp_path: Path) -> None:
    files = {
        "layout.html": """
            {% extends "built-in/layout.html" %}
            {% block masthead %}<p id="own"><a href="{{ url('/') }}">{{ site_name }}</a></p>{% endblock %}
        """
    }
    async with site(tmp_path / "data", templates=write(tmp_path / "templates", files)) as http:
        for path in ("/articles/bread", "/nowhere", "/corrections"):
            assert '<p id="own"><a href="/">LedgerPress</a></p>' in (await http.get(path)).text


async def test_changed_templates_have_no_effect_before_the_next_start(tmp_path: Path) -> None:
    templates = write(tmp_path / "templates", {"missing.html": "Nothing here."})
    async with site(tmp_path / "data", templates=templates) as http:
        write(templates, {"missing.html": "{% broken"})
        assert (await http.get("/nowhere")).text == "Nothing here."


async def test_the_style_sheet_of_the_site_is_the_last_one(tmp_path: Path) -> None:
    css = ":root { --accent: #004488; }"
    stylesheet = write(tmp_path, {"house style.css": css}) / "house style.css"
    async with site(tmp_path / "data", stylesheet=stylesheet) as http:
        page = await http.get("/articles/bread")
        sheets = re.findall(r'<link rel="stylesheet" href="([^"]*)">', page.text)
        assert len(sheets) == 2
        assert sheets[0].startswith("/static/site.css?v=")
        file = await http.get(sheets[-1])
        assert file.text == css
        assert file.headers["Content-Type"] == "text/css; charset=utf-8"
        assert "immutable" in file.headers["Cache-Control"]
    async with site(tmp_path / "other") as http:
        assert "site-own.css" not in (await http.get("/articles/bread")).text
        assert (await http.get("/static/site-own.css")).status_code == 404


MISTAKES: Mapping[str, tuple[Mapping[str, str | bytes], str]] = {
    "syntax": ({"article.html": "\n{% block content %}{{ }}{% endblock %}"}, "article.html, line 2: Expected an expression"),
    "unclosed": ({"article.html": "{% block content %}"}, "article.html, line 1: Unexpected end of template"),
    "filter": ({"front.html": "{{ site_name | shout }}"}, "front.html, line 1: No filter named 'shout'"),
    "reference": ({"front.html": '{% extends "lay-out.html" %}'}, "front.html uses lay-out.html, which does not exist"),
    "name": ({"article.html": "{{ artcle.title }}"}, "article.html uses the name artcle, which this page does not have"),
    "other page": ({"front.html": "{{ article.title }}"}, "front.html uses the name article, which this page does not have"),
    "unused": ({"artcle.html": "Text"}, "artcle.html has no effect: no built-in template has this name"),
    "encoding": ({"front.html": b"caf\xe9"}, "front.html is not UTF-8"),
    "empty": ({"front.htm": "Text"}, "contains no template: no file that ends in .html"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
async def test_a_mistake_in_a_template_is_reported_at_the_start(tmp_path: Path, name: str) -> None:
    files, message = MISTAKES[name]
    templates = write(tmp_path / "templates", files)
    app = ledgerpress.create_app(
        tmp_path / "data", environment={}, settings={"server.templates": str(templates)}
    )
    with pytest.raises(InvalidSettings) as caught:
        async with app.lifespan():
            pass
    assert f"server.templates: {templates}" in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "content", "message"),
    [
        ("server.templates", None, "is not a directory"),
        ("server.templates", b"a file", "is not a directory"),
        ("server.stylesheet", None, "cannot be read: it does not exist; check the path"),
        ("server.stylesheet", b"\xff\xfe", "is not UTF-8"),
    ],
)
async def test_a_wrong_path_is_reported_at_the_start(
    tmp_path: Path, setting: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / "design"
    if content is not None:
        path.write_bytes(content)
    app = ledgerpress.create_app(tmp_path / "data", environment={}, settings={setting: str(path)})
    with pytest.raises(InvalidSettings) as caught:
        async with app.lifespan():
            pass
    assert str(caught.value) == f"{setting}: {path} {message}"


@pytest.mark.parametrize("processes", [1, 2])
async def test_the_server_does_not_start_with_a_wrong_template(tmp_path: Path, processes: int) -> None:
    templates = write(tmp_path / "templates", {"front.html": "{% if %}"})
    config = f'[server]\nport = 0\nworkers = {processes}\ntemplates = "{templates}"\n'
    write(tmp_path, {"ledgerpress.toml": config})
    result = await program("serve", "--config", tmp_path / "ledgerpress.toml", "--data", tmp_path / "data")
    assert result.code != 0
    assert f"server.templates: {templates}/front.html, line 1" in " ".join(result.err.split())
