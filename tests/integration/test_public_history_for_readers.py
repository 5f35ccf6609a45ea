"""What readers of public histories find: blocks in differences, proofs in words, links, and what is no longer public."""

import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Final

import pytest

from tests.integration.graphql_client import Client, client
from tests.integration.test_public_history import SECRETS, diff_of, newsroom, public, text_of

__all__ = ["public"]

BEFORE: Final = """\
# Tides

The mill turns **twice** a day.

## Timetable

| Place | High water |
| --- | --- |
| Pellwick | 06:12 |
| Skarra | 06:40 |

3. Grease the axle
4. Count the cogs
5. Sweep

> It never stops.

    wheel = 2
"""
AFTER: Final = """\
# Tides

The mill turns **four times** a day.

## Times of high water

| Place | High water |
| --- | --- |
| Pellwick | 06:15 |
| Farr | 07:02 |
| Skarra | 06:40 |

3. Grease the axle
4. Sweep
5. Lock the door

> It stops at night.

    wheel = 4

## Visitors

Come on Sundays.
"""


async def test_a_difference_keeps_headings_lists_tables_quotes_and_code(public: Client) -> None:
    post = await public.write("Blocks", body=BEFORE, publish=True)
    await public.do("postEdit", id=post["id"], body=AFTER, publish=True)
    inline = diff_of(await public.http.get("/articles/blocks/history/2"))
    for html in (
        "<h4>Tides</h4>",
        "<del>twice </del><ins>four times </ins>a day.</p>",
        "<table><thead><tr><th>Place</th><th>High water</th></tr>",
        "<tr><td>Pellwick</td><td>06:<del>12</del><ins>15</ins></td></tr>",
        '<tr class="inserted"><td><ins>Farr</ins></td><td><ins>07:02</ins></td></tr>',
        "<tr><td>Skarra</td><td>06:40</td></tr>",
        '<li value="3"><p>Grease the axle</p>',
        '<li value="4"><p class="deleted"><del>Count the cogs</del></p>',
        '<li value="5"><p class="inserted"><ins>Lock the door</ins></p>',
        "<blockquote><p>It ",
        "<pre>wheel = <del>2</del><ins>4</ins></pre>",
        '<h5 class="inserted"><ins>Visitors</ins></h5>',
        '<p class="inserted"><ins>Come on Sundays.</ins></p>',
    ):
        assert html in inline, html
    assert inline.count("<table>") == inline.count("</table>") == 1
    assert inline.count("<ol>") == inline.count("</ol>") == 1
    assert inline.count("<blockquote>") == inline.count("</blockquote>") == 1

    sides = diff_of(await public.http.get("/articles/blocks/history/2?view=side-by-side"))
    for html in (
        "<td>06:<del>12</del></td></tr></table>",
        "<td>06:<ins>15</ins></td></tr></table>",
        '<ol><li value="4"><p class="deleted"><del>Count the cogs</del></p></li></ol>',
        '<h5 class="inserted"><ins>Visitors</ins></h5>',
    ):
        assert html in sides, html
    first = diff_of(await public.http.get("/articles/blocks/history/1"))
    assert "<h3>Tides</h3>" in first
    assert "<h4>Timetable</h4>" in first
    assert "<ins>" not in first


async def test_a_paragraph_that_becomes_a_heading_is_replaced_as_a_block(public: Client) -> None:
    post = await public.write("Kinds", body="Visitors\n\nCome on Sundays.", publish=True)
    await public.do("postEdit", id=post["id"], body="## Visitors\n\nCome on Mondays.", publish=True)
    page = diff_of(await public.http.get("/articles/kinds/history/2"))
    assert '<p class="deleted"><del>Visitors</del></p>' in page
    assert '<h4 class="inserted"><ins>Visitors</ins></h4>' in page
    assert "<del>Sundays</del><ins>Mondays</ins>" in page


async def test_the_proof_has_a_page_with_steps_that_work(public: Client, tmp_path: Path) -> None:
    await newsroom(public)
    history = "/articles/the-tide-mill/history"
    version = await public.http.get(f"{history}/2")
    assert f'<a href="{history}/2/check">Proof that this version is in the log</a>' in version.text
    page = await public.http.get(f"{history}/2/check")
    assert page.status_code == 200
    proof = (await public.http.get(f"{history}/2/proof")).json()
    text = text_of(page)
    for value in (proof["position"], proof["leafHash"], proof["size"], proof["root"]):
        assert str(value) in text
    assert not any(secret in page.text for secret in SECRETS)

    for href in re.findall(r'<a href="([^"]*)" download', page.text):
        file = await public.http.get(unescape(href))
        name = re.search(r'filename="([^"]*)"', file.headers["Content-Disposition"])
        assert name is not None
        (tmp_path / name[1]).write_bytes(file.content)
    command = re.search(r"<pre[^>]*><code>python3 (.*?)</code>", page.text)
    assert command is not None
    result = subprocess.run(  # noqa: ASYNC221 - it takes a moment
        [sys.executable, "-I", "-S", *command[1].split()],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert f"The root is {proof['root']}." in result.stdout

    tag = page.headers["ETag"]
    again = await public.http.get(f"{history}/2/check", headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert (await public.http.get(f"{history}/9/check")).status_code == 404


async def test_a_correction_of_an_article_links_to_the_change_that_made_it(public: Client) -> None:
    await newsroom(public)
    box = re.search(
        r'<section class="corrections">.*?</section>',
        (await public.http.get("/articles/the-tide-mill")).text,
        re.DOTALL,
    )
    assert box is not None
    assert '<a href="/articles/the-tide-mill/history/2">See the change</a>' in box[0]
    post = await public.write("Added", body="One.", publish=True)
    await public.do("correctionAdd", id=post["id"], kind="CLARIFICATION", note="One wheel.")
    # The first version changed nothing.
    assert "See the change" not in (await public.http.get("/articles/added")).text


async def test_without_public_histories_a_correction_links_to_nothing(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        await newsroom(api)
        assert "See the change" not in (await api.http.get("/articles/the-tide-mill")).text


async def test_versions_link_to_the_article_as_it_was_where_the_past_is_public(tmp_path: Path) -> None:
    async with client(tmp_path, public_history=True, open_past=True) as api:
        await newsroom(api)
        page = (await api.http.get("/articles/the-tide-mill/history")).text
        href = re.search(r'<a href="([^"]*)">Read the article as it was then</a>', page)
        assert href is not None
        then = await api.http.get(unescape(href[1]))
        assert "It has three wheels." in then.text
        assert '<h1 dir="auto">The tide mill</h1>' in then.text
        assert '<a href="/articles/the-tide-mill">Read the current article</a>' in page
        assert page.count("See the changes") == 2


@pytest.mark.parametrize("rest", ["", "/history", "/history/1", "/history/1/proof", "/history/1/check"])
async def test_an_article_that_is_no_longer_public_is_explained_without_a_hint_about_drafts(
    tmp_path: Path, rest: str
) -> None:
    async with client(tmp_path, public_history=True, open_past=True) as api:
        mill = await newsroom(api)
        head = await api.store.log.head()
        draft = await api.write("A draft", body="Not yet.")
        await api.do("postUnpublish", id=mill["id"], reason=SECRETS[1])
        pages = [
            await api.http.get(f"/articles/{slug}{rest}{query}")
            for slug in (mill["slug"], draft["slug"], "never")
            for query in ("", f"?asOf={head}")
        ]
        assert {page.status_code for page in pages} == {404}
        now, then, draft_now, draft_then, unknown_now, unknown_then = pages
        for page in (now, then):
            assert "This article is not public at present" in page.text
            assert "mill" not in text_of(page)
            assert "wheels" not in page.text
            assert not any(secret in page.text for secret in SECRETS)
            assert 'id="time"' not in page.text
        assert "What is not public now is not shown as of earlier times either." in then.text
        for hidden, unknown in ((draft_now, unknown_now), (draft_then, unknown_then)):
            assert hidden.text == unknown.text
            assert "not public at present" not in hidden.text
        await api.do("postPublish", id=mill["id"])
        assert (await api.http.get(f"/articles/{mill['slug']}{rest}")).status_code == 200
        await api.do("postUnpublish", id=mill["id"])


async def test_an_article_that_was_hidden_for_a_time_is_not_called_hidden_now(tmp_path: Path) -> None:
    async with client(tmp_path, open_past=True) as api:
        post = await api.write("Back", body="Back.", publish=True)
        await api.do("postUnpublish", id=post["id"])
        hidden = await api.store.log.head()
        await api.do("postPublish", id=post["id"])
        then = await api.http.get(f"/articles/back?asOf={hidden}")
        assert then.status_code == 404
        assert "There was nothing at this address then" in then.text
        assert "was not public then" in then.text
