"""What readers ask of a history: whether an article was hidden, whether a note was reworded, and what a note is about."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Final

import httpx2
import pytest

from tests.fixed_sources import SetClock
from tests.integration.graphql_client import Client, client
from tests.integration.test_public_history import text_of

DAY: Final = 86_400_000_000
SECRET: Final = "The harbour master asked for it."


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def public(tmp_path: Path, clock: SetClock) -> AsyncIterator[Client]:
    async with client(tmp_path, public_history=True, open_past=True, clock=clock) as api:
        yield api


def boxes_of(page: httpx2.Response) -> str:
    return " ".join(re.findall(r'<section class="corrections">.*?</section>', page.text, re.DOTALL))


async def test_the_history_states_when_an_article_was_not_public(public: Client, clock: SetClock) -> None:
    post = await public.write("The seal", body="One seal.", publish=True)
    await public.do("postEdit", id=post["id"], body="One grey seal.", publish=True)
    clock.time += DAY
    await public.do("postUnpublish", id=post["id"], reason=SECRET)
    await public.do("postEdit", id=post["id"], body="Two seals.")
    hidden = await public.store.log.head()
    clock.time += 3 * DAY
    await public.do("postPublish", id=post["id"])

    page = await public.http.get("/articles/the-seal/history")
    text = text_of(page)
    assert re.search(
        r"Version 3 .* Not public from 5 May 2024, 08:0\d UTC to 8 May 2024, 08:0\d UTC Version 2", text
    )
    assert text.count("Not public") == 1
    assert "until the next one, or until the article was no longer public." in text
    assert SECRET not in page.text
    assert "Not public from 5 May 2024" in text_of(await public.http.get("/articles/the-seal/history/3"))
    assert "Not public" not in (await public.http.get("/articles/the-seal/history/2")).text
    # As of the time before, the article had always been public.
    then = await public.http.get(f"/articles/the-seal/history?asOf={hidden - 2}")
    assert "Not public" not in then.text
    await public.do("postUnpublish", id=post["id"])
    assert (await public.http.get("/articles/the-seal/history")).status_code == 404


async def test_a_reworded_note_states_when_it_got_its_words(public: Client, clock: SetClock) -> None:
    post = await public.write("The mill", body="Two wheels.", publish=True)
    note = {"note": "It has three sails.", "passage": "Three wheels"}
    await public.do("postEdit", id=post["id"], body="Three wheels.", publish=True, withCorrection=note)
    corrections = (await public.ask('{ article(slug: "the-mill") { corrections { id } } }'))["article"]
    pages = (
        "/articles/the-mill",
        "/articles/the-mill/history",
        "/articles/the-mill/history/2",
        "/corrections",
    )
    for path in pages:
        assert "Note reworded" not in (await public.http.get(path)).text
    clock.time += DAY
    await public.do(
        "correctionReword",
        id=post["id"],
        correction=corrections["corrections"][0]["id"],
        note="It has three wheels.",
    )
    for path in pages:
        page = await public.http.get(path)
        assert "Note reworded 5 May 2024, 08:0" in text_of(page), path
        assert "sails" not in page.text


async def test_the_link_to_an_article_states_whether_it_leads_to_the_present(public: Client) -> None:
    post = await public.write("The mill", body="Two wheels.", publish=True)
    first = await public.store.log.head()
    await public.do("postEdit", id=post["id"], body="Three wheels.", publish=True)
    for rest in ("", "/1"):
        then = await public.http.get(f"/articles/the-mill/history{rest}?asOf={first}")
        assert f'<a href="/articles/the-mill?asOf={first}">Read the article as it was then</a>' in then.text
        assert "Read the current article" not in then.text
    now = await public.http.get("/articles/the-mill/history/2")
    assert '<a href="/articles/the-mill">Read the current article</a>' in now.text


async def test_versions_in_the_wrong_order_are_exchanged_and_chosen_from_a_list(public: Client) -> None:
    post = await public.write("The mill", body="One wheel.", publish=True)
    for body in ("Two wheels.", "Two old wheels."):
        await public.do("postEdit", id=post["id"], body=body, publish=True)
    page = await public.http.get("/articles/the-mill/history/2?from=3")
    assert "Changes from version 2 to version 3" in text_of(page)
    assert "Version 3 is newer than version 2, so they have been exchanged." in text_of(page)
    assert "<ins>old </ins>" in page.text
    assert "<del>" not in page.text
    options = re.findall(r'<option value="(\d)"( selected)?>(.*?)</option>', page.text)
    assert [(number, bool(selected)) for number, selected, _ in options] == [("3", True), ("1", False)]
    assert options[0][2].startswith("Version 3, 4 May 2024, 08:0")
    assert "exchanged" not in (await public.http.get("/articles/the-mill/history/3?from=2")).text

    for number in range(48):
        await public.do("postEdit", id=post["id"], body=f"{number} wheels.", publish=True)
    long = (await public.http.get("/articles/the-mill/history/2")).text
    assert '<input id="page_from" name="from" type="number" min="1" max="51" value="1" required>' in long


async def test_a_quotation_is_named_as_one(public: Client) -> None:
    post = await public.write("The mill", body="Two wheels.", publish=True)
    note = {"note": "It has three.", "passage": "Three wheels"}
    await public.do("postEdit", id=post["id"], body="**Three** wheels.", publish=True, withCorrection=note)
    former = "Passage concerned, which the article does not have now: "
    for path in (
        "/articles/the-mill",
        "/articles/the-mill/history",
        "/articles/the-mill/history/2",
        "/corrections",
    ):
        assert re.search(r"Passage concerned:\s+Three wheels", text_of(await public.http.get(path))), path
    await public.do("postEdit", id=post["id"], body="Many wheels.", publish=True)
    for path in (
        "/articles/the-mill",
        "/articles/the-mill/history",
        "/articles/the-mill/history/2",
        "/corrections",
    ):
        assert f"{former}Three wheels" in text_of(await public.http.get(path)), path


async def test_a_note_on_an_unchanged_text_leads_to_its_passage(public: Client, tmp_path: Path) -> None:
    post = await public.write("The mill", body="Two wheels turn-about.", publish=True)
    await public.do("postEdit", id=post["id"], title="The old mill", publish=True)
    await public.do("correctionAdd", id=post["id"], note="Both.", passage="wheels turn-about")
    note = await public.store.log.head()
    await public.do("correctionAdd", id=post["id"], note="All day.")
    href = f"/articles/the-mill?asOf={note}#:~:text=wheels%20turn%2Dabout"
    for path in ("/articles/the-mill", "/corrections?notes=only"):
        page = await public.http.get(path)
        assert "See the change" not in page.text
        assert re.findall(r'<a href="([^"]*)">See the passage', page.text) == [href]
    assert "Two wheels" in (await public.http.get(unescape(href))).text
    async with client(tmp_path / "closed", public_history=True) as closed:
        post = await closed.write("The mill", body="Two wheels.", publish=True)
        await closed.do("postEdit", id=post["id"], body="Three wheels.", publish=True)
        await closed.do("correctionAdd", id=post["id"], note="Three.", passage="Three wheels")
        assert "See the" not in boxes_of(await closed.http.get("/articles/the-mill"))


async def test_the_page_of_a_proof_gives_it_for_a_root_that_someone_else_has(public: Client) -> None:
    await public.write("The mill", body="Two wheels.", publish=True)
    earlier = (await public.http.get("/articles/the-mill/history/1/proof")).json()
    await public.write("The tram", body="It rings.", publish=True)
    page = await public.http.get("/articles/the-mill/history/1/check")
    assert "Each proof of this site contains the root" in text_of(page)
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    form = re.search(r'<form [^>]*action="([^"]*)">.*?name="(\w+)"', page.text, re.DOTALL)
    assert form is not None
    proof = await public.http.get(form[1], params={form[2]: earlier["size"]})
    assert proof.json()["root"] == earlier["root"]


async def test_the_headings_of_a_first_version_have_the_level_of_the_text(public: Client) -> None:
    await public.write("The mill", body="# One\n\n## Two", publish=True)
    page = (await public.http.get("/articles/the-mill/history/1")).text
    assert '<div class="diff body level-3" dir="auto">' in page
    sheet = re.search(r'<link rel="stylesheet" href="([^"]*site[^"]*)"', page)
    assert sheet is not None
    styles = (await public.http.get(sheet[1])).text
    sizes = dict(re.findall(r"([^{};]*)\{\s*font-size: var\((--text-\w+)\);\s*\}", styles))
    rules = {selector.strip().split("\n")[-1]: size for selector, size in sizes.items()}
    assert rules[".diff :is(h3, h4)"] == "--text-xl"
    assert any(".diff.level-3 h4" in selector and size == "--text-l" for selector, size in sizes.items())
