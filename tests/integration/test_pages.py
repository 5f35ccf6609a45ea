"""The pages for readers, requested over HTTP from an application on a real store."""

import hashlib
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest

import ledgerpress.http.pages
from tests.integration.graphql_client import Client

STATIC = Path(ledgerpress.http.pages.__file__).parent / "static"
HOSTILE = "\"><script>alert('x')</script> & {{ 7 * 7 }}"


class Outline(HTMLParser):
    """The outline of a page: elements with their attributes, and headings by level."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(response.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)

    @property
    def levels(self) -> list[int]:
        return [int(tag[1]) for tag, _ in self.elements if re.fullmatch("h[1-6]", tag)]

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    @property
    def links(self) -> list[str]:
        return [
            attributes["href"] for tag, attributes in self.elements if tag == "a" and "href" in attributes
        ]

    @property
    def loaded(self) -> list[str]:
        """The addresses that a browser loads automatically for the page."""
        address_attributes = {"script": "src", "img": "src", "iframe": "src", "link": "href"}
        return [
            attributes[address_attributes[tag]]
            for tag, attributes in self.elements
            if tag in address_attributes
            and address_attributes[tag] in attributes
            and attributes.get("rel") not in ("canonical", "alternate")
        ]


def titles(response: httpx2.Response) -> list[str]:
    """Return the titles of the articles in a list, in order."""
    return [
        unescape(title)
        for title in re.findall(r'<h3 dir="auto"><a href="[^"]*">(.*?)</a></h3>', response.text)
    ]


def link_to(response: httpx2.Response, rel: str) -> str | None:
    match = re.search(rf'<a rel="{rel}" href="([^"]*)"', response.text)
    return unescape(match[1]) if match else None


@pytest.fixture
async def newsroom(api: Client) -> Client:
    """A site with two categories, a corrected article under its second slug, and a draft."""
    await api.do("siteName", name="The Courier")
    author = await api.do("authorRegister", "author { id }", name="Ines Okafor")
    town = await api.do(
        "categoryCreate", "category { id slug }", name="Town", description="Bridge to breakwater."
    )
    parent = {"id": town["category"]["id"]}
    await api.do("categoryCreate", "category { id }", name="Council", parent=parent)
    mill = await api.write(
        "The tide mill",
        body="It turns.\n\n## Oak\n\n## Iron\n\n### Rust\n\n> *Quite.*",
        teaser="After ninety years.",
        authors=[author["author"]["id"]],
        categories=[{"slug": "council"}],
        publish=True,
    )
    await api.do("postEdit", id=mill["id"], slug="mill", publish=True)
    await api.do("postPublish", id=mill["id"], correction="It closed in 1931.")
    await api.write("A secret draft", body="Not yet.")
    return api


async def test_the_front_page_lists_articles_and_the_tree_of_categories(newsroom: Client) -> None:
    page = await newsroom.http.get("/")
    assert page.status_code == 200
    assert titles(page) == ["The tide mill"]
    assert '<h1 class="site-name" dir="auto"><a href="/">The Courier</a></h1>' in page.text
    for text in ("After ninety years.", "just now", "Ines Okafor", 'href="/articles/mill"'):
        assert text in page.text
    assert "secret" not in page.text
    counts = re.findall(
        r'href="(/categories/[a-z]+)"><bdi>\w+</bdi></a>\s*<span class="count">.*?<span aria-hidden="true">(\d+)</span></span>',
        page.text,
    )
    assert counts == [("/categories/town", "1"), ("/categories/council", "1")]
    head = await newsroom.store.log.head()
    assert page.headers["LedgerPress-Position"] == str(head)
    assert f"position {head} of the log" in page.text


async def test_an_empty_site_has_a_front_page(api: Client) -> None:
    page = await api.http.get("/")
    assert page.status_code == 200
    assert "Nothing has been published yet." in page.text
    assert (await api.http.get("/graphql", headers={"Accept": "text/html"})).status_code == 200


async def test_an_article_page_shows_byline_dates_corrections_contents_and_body(newsroom: Client) -> None:
    page = await newsroom.http.get("/articles/mill")
    assert page.status_code == 200
    for text in (
        '<h1 dir="auto">The tide mill</h1>',
        'By <span class="author"><a rel="author" href="/authors/ines-okafor"><bdi>Ines Okafor</bdi></a></span>',
        ">4 May 2024</time>",
        "Updated <time",
        "It closed in 1931.",
        'href="/categories/council"><bdi>Council</bdi></a>',
        "<blockquote>\n<p><em>Quite.</em></p>\n</blockquote>",
        "1 minute to read",
        "<title>The tide mill · The Courier</title>",
    ):
        assert text in page.text
    outline = Outline(page)
    contents = [link for link in outline.links if link.startswith("#") and link != "#page_main"]
    assert contents == ["#oak", "#iron", "#rust"]
    assert {link[1:] for link in [*contents, "#page_main"]} <= set(outline.ids)


async def test_a_category_page_shows_its_place_in_the_tree_and_its_articles(newsroom: Client) -> None:
    town, council = [await newsroom.http.get(f"/categories/{slug}") for slug in ("town", "council")]
    assert titles(town) == titles(council) == ["The tide mill"]
    assert "Bridge to breakwater." in town.text
    assert "Within <bdi>Town</bdi>" in town.text
    trail = council.text.partition('<ol class="trail">')[2].partition("</ol>")[0]
    assert 'href="/categories/town"><bdi>Town</bdi></a>' in trail
    assert "1 article<" in council.text


@pytest.mark.parametrize(
    "path",
    [
        "/articles/a-secret-draft",
        "/articles/nobody-wrote-this",
        "/categories/none",
        "/nowhere/at/all",
        "/articles/",
        "/?after=nonsense",
        "/categories/town?before=%FF%FE",
        "/articles/%ED%A0%80%00",
    ],
)
async def test_missing_and_hidden_pages_return_a_404_page(newsroom: Client, path: str) -> None:
    page = await newsroom.http.get(path)
    assert page.status_code == 404
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "There is nothing at this address" in page.text
    assert "secret" not in page.text


async def test_an_unpublished_article_is_not_found_under_any_slug(newsroom: Client) -> None:
    post = (await newsroom.ask('{ post(slug: "mill") { id } }'))["post"]
    await newsroom.do("postUnpublish", id=post["id"])
    for slug in ("mill", "the-tide-mill"):
        assert (await newsroom.http.get(f"/articles/{slug}")).status_code == 404


async def test_former_slugs_redirect_to_the_current_slug(newsroom: Client) -> None:
    await newsroom.do("categoryRename", category={"slug": "council"}, slug="城議会")
    for old, new in {
        "/articles/the-tide-mill": "/articles/mill",
        "/categories/council": "/categories/%E5%9F%8E%E8%AD%B0%E4%BC%9A",
    }.items():
        response = await newsroom.http.get(old)
        assert (response.status_code, response.headers["location"]) == (301, new)
        assert response.headers["cache-control"] == "no-cache"
        assert (await newsroom.http.get(new)).status_code == 200


async def test_links_lead_through_all_pages_of_a_list_and_back(api: Client) -> None:
    await api.do("categoryCreate", name="Town")
    article_titles = [f"Article {number}" for number in range(25)]
    for title in article_titles:
        await api.write(title, categories=[{"slug": "town"}], publish=True)
    for path in ("/", "/categories/town"):
        page = await api.http.get(path)
        assert link_to(page, "prev") is None
        pages = [titles(page)]
        while older := link_to(page, "next"):
            page = await api.http.get(page.url.join(older))
            pages.append(titles(page))
        assert [len(page_titles) for page_titles in pages] == [10, 10, 5]
        assert [title for page_titles in pages for title in page_titles] == article_titles[::-1]
        newer = link_to(page, "prev")
        assert newer
        assert titles(await api.http.get(page.url.join(newer))) == pages[1]


async def test_text_of_users_is_escaped(api: Client) -> None:
    await api.do("siteName", name=HOSTILE)
    author = await api.do("authorRegister", "author { id }", name=HOSTILE)
    await api.do("categoryCreate", name=HOSTILE, slug="bad", description=HOSTILE)
    post = await api.write(
        HOSTILE,
        body=f"{HOSTILE}\n\n# {HOSTILE}\n\n# Two\n\n# Three",
        teaser=HOSTILE,
        slug="bad",
        authors=[author["author"]["id"]],
        categories=[{"slug": "bad"}],
        publish=True,
    )
    await api.do("postPublish", id=post["id"], correction=HOSTILE)
    for path in ("/", "/articles/bad", "/categories/bad", "/graphql"):
        page = await api.http.get(path, headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "{{ 7 * 7 }}" in page.text
        scripts = [attributes for tag, attributes in Outline(page).elements if tag == "script"]
        # Data for search engines is not a script.
        assert all("src" in each or each["type"] == "application/ld+json" for each in scripts)


async def test_every_page_has_a_content_security_policy_and_loads_only_own_files(newsroom: Client) -> None:
    for path in ("/", "/articles/mill", "/categories/town", "/nowhere", "/graphql"):
        page = await newsroom.http.get(path, headers={"Accept": "text/html"})
        policy = dict(
            part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == ("'none'" if path == "/graphql" else "'self'")
        assert policy["script-src"] == ("'self'" if path == "/graphql" else "'none'")
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        # Monaco, the editor in GraphiQL, writes style attributes; they can neither load nor run anything.
        unsafe = {name: value for name, value in policy.items() if "unsafe" in value}
        assert unsafe == ({"style-src-attr": "'unsafe-inline'"} if path == "/graphql" else {})
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["ledgerpress-position"].isdecimal()
        loaded = Outline(page).loaded
        assert loaded
        for address in loaded:
            assert address.startswith("/static/")
            asset = await newsroom.http.get(address)
            assert asset.status_code == 200
            assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_each_graphiql_page_has_a_nonce_of_its_own_for_style_elements(newsroom: Client) -> None:
    nonces = set[str]()
    for _ in range(2):
        page = await newsroom.http.get("/graphql", headers={"Accept": "text/html"})
        (nonce,) = re.findall(
            r"style-src 'self' 'nonce-([\w-]{22})';", page.headers["content-security-policy"]
        )
        assert page.text.count(nonce) == 1
        nonces.add(nonce)
    assert len(nonces) == 2


async def test_every_page_has_one_main_element_and_headings_in_order(newsroom: Client) -> None:
    for path in ("/", "/articles/mill", "/categories/council", "/nowhere"):
        outline = Outline(await newsroom.http.get(path))
        assert [outline.count(tag) for tag in ("main", "h1", "footer")] == [1, 1, 1], path
        assert all(
            after <= before + 1 for before, after in zip([0, *outline.levels], outline.levels, strict=False)
        )
        assert len(outline.ids) == len(set(outline.ids))


async def test_static_files_are_revalidated_by_etag(api: Client) -> None:
    plain = await api.http.get("/static/site.css")
    assert plain.headers["content-type"] == "text/css; charset=utf-8"
    assert plain.headers["cache-control"] == "public, no-cache"
    etag = plain.headers["etag"]
    again = await api.http.get("/static/site.css", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    for path in ("none.css", "graphiql/README.md", "../pages.py", "%2e%2e/pages.py", "graphiql"):
        assert (await api.http.get(f"/static/{path}")).status_code == 404


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "text/html;q=0, application/json"])
async def test_a_get_of_graphql_returns_a_page_only_to_browsers(api: Client, accept: str) -> None:
    response = await api.http.get("/graphql?query={site{name}}", headers={"Accept": accept})
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert "errors" in (await api.http.get("/graphql", headers={"Accept": accept})).json()

    page = await api.http.get("/graphql", headers={"Accept": "text/html,application/xml;q=0.9,*/*;q=0.8"})
    assert (page.status_code, page.headers["vary"]) == (200, "Accept")


async def test_the_graphiql_examples_refer_to_existing_posts(newsroom: Client) -> None:
    page = await newsroom.http.get("/graphql", headers={"Accept": "text/html"})
    main_attributes = next(attributes for tag, attributes in Outline(page).elements if tag == "main")
    assert main_attributes["data-site"] == "The Courier"
    assert main_attributes["data-slug"] == "mill"
    article = (await newsroom.ask('{ article(slug: "mill") { id } }'))["article"]
    assert main_attributes["data-article"] == article["id"]
    past = (await newsroom.ask("{ moment { position } }"))["moment"]
    assert main_attributes["data-position"] == str(past["position"])
    assert "data-version" not in main_attributes

    script = (STATIC / "explorer-examples.js").read_text("utf-8")
    examples = re.findall(r"const \w+ = `(.*?)`;", script, re.DOTALL)
    queries = [example for example in examples if "subscription LiveChanges" not in example]
    assert (len(examples), len(queries)) == (6, 5)
    edit = {"id": article["id"], "teaser": "New."}
    variables: list[dict[str, object]] = [{}, {"slug": "mill"}, {"article": article["id"], "then": past}]
    variables += [{"input": edit}, {"input": {**edit, "expectedVersion": 1}}]
    results = [await newsroom.ask(query, **values) for query, values in zip(queries, variables, strict=True)]
    assert all(all(result.values()) for result in results[:-1]), results
    assert results[-2]["postEdit"]["userErrors"] == []
    assert [error["code"] for error in results[-1]["postEdit"]["userErrors"]] == ["VERSION_CONFLICT"]


def test_the_files_of_graphiql_match_the_table_of_digests() -> None:
    folder = STATIC / "graphiql"
    rows = re.findall(
        r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", (folder / "README.md").read_text("utf-8"), re.MULTILINE
    )
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    assert {name: digests[name] for name in digests if name not in {"README.md", "LICENSES.txt"}} == dict(
        rows
    )


def test_text_has_enough_contrast_in_both_themes() -> None:
    """The contrast is at least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    light, dark = [
        {name: luminance(colour) for name, colour in re.findall(r"--(\w+): #([0-9a-f]{6});", block)}
        for block in re.findall(r":root \{(.*?)\}", (STATIC / "site.css").read_text("utf-8"), re.DOTALL)[:2]
    ]
    for theme in (light, dark):
        for text in ("ink", "faded", "accent"):
            for background in ("paper", "tint"):
                low, high = sorted((theme[text], theme[background]))
                assert (high + 0.05) / (low + 0.05) >= 4.5, (text, background)


def luminance(colour: str) -> float:
    """Return the relative luminance (WCAG) of a color in sRGB."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
