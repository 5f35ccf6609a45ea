"""Links in the bodies of articles and site pages: those to pages of the site keep the moment of the page."""

from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx2
import pytest

from ledgerpress.http.pages import links_at_moments
from ledgerpress.http.pages.links_at_moments import with_moment_in_links
from tests.integration.graphql_client import Client, client
from tests.integration.test_pages import Outline

TO_PAGES: Final = {
    "/": "/?asOf={at}",
    "/articles/tram": "/articles/tram?asOf={at}",
    "tram": "tram?asOf={at}",
    "../pages/imprint#top": "../pages/imprint?asOf={at}#top",
    "/Articles/Tram/": "/Articles/Tram/?asOf={at}",
    "/articles/tram#rails": "/articles/tram?asOf={at}#rails",
    "/categories/town?after=x": "/categories/town?after=x&asOf={at}",
    "?utm=1#a": "?utm=1&asOf={at}#a",
    "/compare?from=1&to=2": "/compare?from=1&to=2&asOf={at}",
    "/articles/%D8%AA": "/articles/%D8%AA?asOf={at}",
    "http://test/articles/tram": "http://test/articles/tram?asOf={at}",
    "//TEST/articles/tram": "//TEST/articles/tram?asOf={at}",
}
"""Links to pages, and what they are on a page as of the moment `{at}`."""
TO_OTHERS: Final = (
    "#rails",
    "/articles/tram?asOf=2",
    "/articles/tram?asOf=",
    "/graphql",
    "/static/site.css",
    "/feeds/articles.atom",
    "/media/tram.jpg",
    "/sitemap.xml",
    "https://elsewhere.example/articles/tram",
    "http://test:81/articles/tram",
    "mailto:desk@test",
)
LINKS: Final = "\n\n".join(f"[link]({link})" for link in (*TO_PAGES, *TO_OTHERS))
BODY: Final = (
    f"{LINKS}\n\n- [ ] a task\n\n![a & b](/articles/picture?x=1&y=2)\n\nAnd[^1] so &amp; on.\n\n[^1]: Note."
)


def links_in_body(page: httpx2.Response) -> list[str]:
    body = page.text.partition('<div class="body"')[2].partition("</article>")[0]
    return [link for link in Outline(httpx2.Response(200, text=body)).links if not link.startswith("#note")]


async def write(site: Client) -> int:
    """Publish an article and a site page with the links; return the position after that."""
    await site.write("The mill", slug="mill", body=BODY, publish=True)
    await site.do("pageCreate", title="Imprint", slug="imprint", body=BODY, publish=True)
    position = await site.store.log.head()
    await site.write("The tram", slug="tram", publish=True)
    return position


@pytest.mark.parametrize("path", ["/articles/mill", "/pages/imprint"])
async def test_links_to_pages_of_the_site_keep_the_moment_and_others_stay(tmp_path: Path, path: str) -> None:
    async with client(tmp_path, open_past=True) as site:
        position = await write(site)
        current = await site.http.get(path)
        assert links_in_body(current) == [*TO_PAGES, *TO_OTHERS]
        time = (await site.http.get(path, params={"asOf": position})).text.partition('<time datetime="')[2]
        for at in (str(position), time.partition('"')[0]):
            page = await site.http.get(path, params={"asOf": at})
            moved = [link.format(at=quote(at)) for link in TO_PAGES.values()]
            assert links_in_body(page) == [*moved, *TO_OTHERS], at
        page = await site.http.get(path, params={"asOf": position})
        assert 'src="/articles/picture?x=1&amp;y=2" alt="a &amp; b"' in page.text
        assert "so &amp; on" in page.text


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("/content/articles/tram", "/content/articles/tram?asOf=7"),
        ("tram", "tram?asOf=7"),
        ("/content", "/content?asOf=7"),
        ("https://news.example/n/articles/tram", "https://news.example/n/articles/tram?asOf=7"),
        ("https://news.example/n/", "https://news.example/n/?asOf=7"),
        ("/articles/tram", None),
        ("/contents/articles/tram", None),
        ("https://news.example/articles/tram", None),
        ("http://[::1", None),
    ],
)
def test_below_a_prefix_and_at_the_address_of_the_site(link: str, expected: str | None) -> None:
    html = with_moment_in_links(
        f'<a href="{link}">a</a>',
        "7",
        address="http://127.0.0.1:8000/content/articles/mill?asOf=7",
        roots=("http://127.0.0.1:8000/content", "https://news.example/n"),
        is_page=lambda path: path == "/" or path.startswith("/articles/"),
    )
    assert html == f'<a href="{expected or link}">a</a>'


def test_a_body_without_links_is_not_read_for_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(links_at_moments, "with_changed_urls")
    html = "<p>The <abbr>a</abbr> &amp; b.</p>"
    copy = with_moment_in_links(html, "1", address="http://test/", roots=["http://test"], is_page=bool)
    assert copy == html
