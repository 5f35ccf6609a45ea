"""The page of all corrections, and the query with the same entries."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ledgerpress.commands.client_identity import ANONYMOUS
from tests.integration.graphql_client import Client, client

CORRECTIONS = """
query ($asOf: AsOf) { corrections(asOf: $asOf) { totalCount nodes {
  at article { title } correction { note kind } revision { number kind }
} } }
"""


def listed(page: httpx2.Response) -> list[tuple[str, str]]:
    """Return the title and the rest of each entry of the page."""
    entries_html = page.text.partition('<ol class="revisions">')[2].partition("</ol>")[0]
    entries = re.findall(r'<li(?: class="quiet")?>(.*?)</li>', entries_html, re.DOTALL)
    texts = [" ".join(unescape(re.sub(r"<[^>]*>", " ", entry)).split()) for entry in entries]
    titles = re.findall(r'<h2 dir="auto"><a [^>]*>(.*?)</a>', page.text)
    return [(title, text.removeprefix(title).strip()) for title, text in zip(titles, texts, strict=True)]


async def newsroom(api: Client) -> dict[str, dict[str, Any]]:
    """Publish two articles: one with a correction, a clarification and an edit; one published again without a change."""
    mill = await api.write("The mill", body="Two wheels.", publish=True)
    note = {"note": "It has three wheels.", "passage": "Three wheels"}
    await api.do("postEdit", id=mill["id"], body="Three wheels.", publish=True, withCorrection=note)
    await api.do("postEdit", id=mill["id"], body="A secret draft.")
    await api.do("postEdit", id=mill["id"], body="Three wooden wheels.", publish=True, reason="A complaint.")
    await api.do("correctionAdd", id=mill["id"], kind="CLARIFICATION", note="Only two of them turn.")
    tram = await api.write("The tram", body="It rings.", publish=True)
    await api.do("postPublish", id=tram["id"], publishedAt="2020-01-01T00:00:00Z")
    await api.do("postEdit", id=tram["id"], body="It rings twice.", publish=True)
    await api.write("A draft", body="Not yet.")
    return {"mill": mill, "tram": tram}


@pytest.fixture
async def public(tmp_path: Path) -> AsyncIterator[Client]:
    async with client(tmp_path, public_history=True) as api:
        yield api


async def test_every_page_links_to_the_corrections_and_edits_without_a_note(public: Client) -> None:
    await newsroom(public)
    assert '<a href="/corrections">Corrections</a>' in (await public.http.get("/")).text
    page = await public.http.get("/corrections")
    assert page.status_code == 200
    entries = listed(page)
    assert [title for title, _ in entries] == ["The tram", "The mill", "The mill"]
    assert "Edited without a note Changed: text" in entries[0][1]
    assert "Clarification Only two of them turn." in entries[1][1]
    assert "Correction It has three wheels." in entries[2][1]
    assert "Three wheels" in entries[2][1]
    assert re.findall(r'href="(/articles/[^"]*/history/\d)"', page.text) == [
        "/articles/the-tram/history/3",
        "/articles/the-mill/history/2",
    ]
    for secret in ("secret draft", "complaint"):
        assert secret not in page.text


async def test_edits_without_a_note_are_quiet_explained_and_can_be_left_out(tmp_path: Path) -> None:
    async with client(tmp_path, public_history=True, open_past=True) as api:
        posts = await newsroom(api)
        page = await api.http.get("/corrections")
        assert page.text.count('<li class="quiet">') == 1
        assert "the editors changed an article and wrote nothing about it" in page.text
        link = '<a href="/corrections?notes=only">Show only corrections with a note</a>'
        assert link in page.text
        only = await api.http.get("/corrections?notes=only")
        assert [title for title, _ in listed(only)] == ["The mill", "The mill"]
        assert "wrote nothing" not in only.text
        assert '<a href="/corrections">Show edits without a note, too</a>' in only.text

        for number in range(25):
            await api.do("postEdit", id=posts["tram"]["id"], body=str(number), publish=True)
            await api.do("correctionAdd", id=posts["tram"]["id"], note=f"Note {number}.")
        head = await api.store.log.head()
        first = await api.http.get(f"/corrections?notes=only&asOf={head}")
        older = re.search(r'rel="next" href="([^"]*)"', first.text)
        assert older is not None
        assert f"asOf={head}" in older[1]
        second = await api.http.get(f"/corrections{unescape(older[1])}")
        assert [len(listed(each)) for each in (first, second)] == [20, 7]
        assert "Edited without a note" not in first.text + second.text
        newer = re.search(r'rel="prev" href="([^"]*)"', second.text)
        assert newer is not None
        assert "notes=only" in newer[1]
        assert f'<a href="/corrections?asOf={head}">Show edits' in second.text


async def test_without_public_histories_only_corrections_are_listed(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        await newsroom(api)
        page = await api.http.get("/corrections")
        assert [title for title, _ in listed(page)] == ["The mill", "The mill"]
        assert "without a note" not in page.text
        assert "/history" not in page.text
        with api.acting_as(ANONYMOUS):
            nodes = (await api.ask(CORRECTIONS))["corrections"]["nodes"]
        assert [node["correction"]["kind"] for node in nodes] == ["CLARIFICATION", "CORRECTION"]
        assert [node["revision"] for node in nodes] == [None, None]
        assert (await api.ask(CORRECTIONS))["corrections"]["totalCount"] == 3


async def test_the_list_follows_what_is_public(public: Client) -> None:
    posts = await newsroom(public)
    tag = (await public.http.get("/corrections")).headers["ETag"]
    again = await public.http.get("/corrections", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    corrections = (await public.ask("{ corrections { nodes { correction { id } } } }"))["corrections"][
        "nodes"
    ]
    clarification = corrections[1]["correction"]["id"]
    await public.do("correctionRetract", id=posts["mill"]["id"], correction=clarification)
    page = await public.http.get("/corrections", headers={"If-None-Match": tag})
    assert page.status_code == 200
    assert "Only two of them turn." not in page.text
    # The edit that the clarification was about has no note any more.
    assert [title for title, text in listed(page) if "Edited without a note" in text] == [
        "The tram",
        "The mill",
    ]
    await public.do("postUnpublish", id=posts["mill"]["id"])
    await public.do("postArchive", id=posts["tram"]["id"])
    page = await public.http.get("/corrections")
    assert listed(page) == []
    assert "Nothing has been corrected." in page.text


async def test_an_edit_while_an_article_was_not_public_is_listed(public: Client) -> None:
    post = await public.write("Hidden and back", body="Then.", publish=True)
    await public.do("postUnpublish", id=post["id"])
    await public.do("postEdit", id=post["id"], body="Now.")
    await public.do("postPublish", id=post["id"])
    assert [title for title, _ in listed(await public.http.get("/corrections"))] == ["Hidden and back"]


async def test_a_long_list_has_pages_in_both_directions(public: Client) -> None:
    post = await public.write("Long", body="0", publish=True)
    for number in range(1, 46):
        note: dict[str, Any] = {"withCorrection": {"note": f"Note {number}."}} if number % 3 else {}
        await public.do("postEdit", id=post["id"], body=str(number), publish=True, **note)
    sizes, query = [], ""
    for rel, count in (("next", 2), ("prev", 2)):
        for _ in range(count):
            page = await public.http.get(f"/corrections{query}")
            sizes.append(len(listed(page)))
            match = re.search(rf'rel="{rel}" href="([^"]*)"', page.text)
            assert match
            query = unescape(match[1])
    assert sizes == [20, 20, 5, 20]
    assert (await public.http.get("/corrections?after=x")).status_code == 404


async def test_graphql_has_the_same_entries(public: Client) -> None:
    await newsroom(public)
    with public.acting_as(ANONYMOUS):
        corrections = (await public.ask(CORRECTIONS))["corrections"]
    assert corrections["totalCount"] == 3
    assert [
        (node["article"]["title"], node["correction"], node["revision"]) for node in corrections["nodes"]
    ] == [
        ("The tram", None, {"number": 3, "kind": "EDITED"}),
        (
            "The mill",
            {"note": "Only two of them turn.", "kind": "CLARIFICATION"},
            {"number": 3, "kind": "CORRECTED"},
        ),
        (
            "The mill",
            {"note": "It has three wheels.", "kind": "CORRECTION"},
            {"number": 2, "kind": "CORRECTED"},
        ),
    ]
