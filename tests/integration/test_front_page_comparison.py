"""The comparison of the front page at two points in time, as a page and as a query."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx2
import pytest

from ledgerpress.commands.client_identity import ANONYMOUS
from tests.fixed_sources import SetClock, StandingClock
from tests.integration.graphql_client import Client, client

COMPARE = """
query ($from: AsOf!, $to: AsOf) { frontPageComparison(from: $from, to: $to) {
  from { position } to { position }
  added { ...Place } removed { ...Place } moved { ...Place } shifted { ...Place } unchanged { ...Place }
} }
fragment Place on FrontPagePlace { from to article { title } }
"""


def groups(page: httpx2.Response) -> dict[str, list[str]]:
    """Return the entries of each group on the page: the title and the places."""
    entries_by_group: dict[str, list[str]] = {}
    for section in re.split(r"<h2>", page.text)[1:]:
        name = re.sub(r"<[^>]*>", "", re.split(r" <span", section)[0])
        entries = re.findall(r"<li>(.*?)</li>", section, re.DOTALL)
        entries_by_group[name] = [
            " ".join(unescape(re.sub(r"<[^>]*>", " ", entry)).split()) for entry in entries
        ]
    return entries_by_group


def text_of(page: httpx2.Response) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", re.sub(r"</?bdi>", "", page.text))).split())


async def newsroom(api: Client) -> tuple[int, int]:
    """Publish eleven articles; then one more with another title for one. Return the positions before and after."""
    posts = [await api.write(f"Number {number}", publish=True) for number in range(11)]
    before = await api.store.log.head()
    await api.do("postEdit", id=posts[10]["id"], title="Number ten", publish=True)
    await api.write("Latest", publish=True)
    return before, await api.store.log.head()


@pytest.fixture
async def past(tmp_path: Path) -> AsyncIterator[Client]:
    async with client(tmp_path, open_past=True) as api:
        yield api


async def test_the_page_lists_what_was_added_removed_and_moved(past: Client) -> None:
    before, after = await newsroom(past)
    front = await past.http.get("/")
    assert '<a href="/compare">Compare front pages</a>' in front.text
    page = await past.http.get(f"/compare?from={before}&to={after}")
    assert page.status_code == 200
    compared = groups(page)
    assert compared["Added"] == ["Latest In place 1 of the newer front page"]
    assert compared["No longer on the front page"] == ["Number 1 Was in place 10 of the older front page"]
    assert compared["With another headline"] == [
        "Number ten Moved from place 1 to place 2 Former headline: Number 10"
    ]
    assert "8 other articles only moved up or down because of that; their order stayed the same." in text_of(
        page
    )
    assert set(compared) == {"Added", "No longer on the front page", "With another headline"}
    for position in (before, after):
        assert f'<a href="/?asOf={position}">See this front page</a>' in page.text
    assert '<meta name="robots" content="noindex">' in page.text
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]


async def test_only_articles_in_another_order_have_moved(past: Client) -> None:
    posts = [await past.write(f"Number {number}", publish=True) for number in range(1, 6)]
    before = await past.store.log.head()
    await past.do("postPublish", id=posts[4]["id"], publishedAt="2020-01-01T00:00:00Z")
    after = await past.store.log.head()
    page = await past.http.get(f"/compare?from={before}&to={after}")
    assert groups(page) == {"Moved": ["Number 5 Moved from place 1 to place 5"]}
    assert "4 other articles only moved up or down because of that" in text_of(page)
    # Of two articles that changed places, one has moved.
    await past.do("postPublish", id=posts[3]["id"], publishedAt="2020-01-02T00:00:00Z")
    now = await past.store.log.head()
    page = await past.http.get(f"/compare?from={after}&to={now}")
    assert groups(page)["Moved"] == ["Number 4 Moved from place 1 to place 4"]
    assert groups(page)["In the same place"] == ["Number 5 In place 5 of both front pages"]


async def test_the_page_states_which_side_is_older_and_what_was_exchanged_or_equal(past: Client) -> None:
    before, after = await newsroom(past)
    page = await past.http.get(f"/compare?from={before}&to={after}")
    text = text_of(page)
    assert re.search(
        rf"Older front page .*? \(position {before}\) See this front page Newer front page .*? \(position {after}\)",
        text,
    )
    assert "exchanged" not in text
    exchanged = await past.http.get(f"/compare?from={after}&to={before}")
    assert groups(exchanged) == groups(page)
    assert "The first of the two moments was the later one, so they have been exchanged." in text_of(
        exchanged
    )

    same = await past.http.get(f"/compare?from={after}&to={after}")
    assert "Nothing was recorded between these moments, so there is nothing to compare" in text_of(same)
    assert len(groups(same)["In the same place"]) == 10
    await past.write("A draft")
    now = await past.store.log.head()
    unchanged = await past.http.get(f"/compare?from={after}&to={now}")
    assert "Nothing changed on the front page between these moments." in text_of(unchanged)
    assert groups(unchanged)["In the same place"][0] == "Latest In place 1 of both front pages"
    empty = text_of(await past.http.get("/compare?from=0&to=1"))
    assert "Older front page the beginning, before the first event" in empty
    assert "There were no articles on the front page." in empty


async def test_each_article_links_to_what_it_was_on_its_side(past: Client) -> None:
    before, after = await newsroom(past)
    await past.write("Newest", publish=True)
    page = (await past.http.get(f"/compare?from={before}&to={after}")).text
    assert f'<a href="/articles/latest?asOf={after}">Latest</a>' in page
    assert f'<a href="/articles/number-1?asOf={before}">Number 1</a>' in page
    assert f'<a href="/articles/number-10?asOf={after}">Number ten</a>' in page
    # The current articles have no moment.
    assert '<a href="/articles/newest">Newest</a>' in (await past.http.get(f"/compare?from={before}")).text


async def test_by_default_the_older_moment_is_a_day_before_the_newer_one(tmp_path: Path) -> None:
    clock = SetClock()
    async with client(tmp_path, open_past=True, clock=clock) as api:
        await api.write("First", publish=True)
        clock.time += 2 * 86_400_000_000
        await api.write("Second", publish=True)
        second = await api.store.log.head()
        clock.time += 10 * 86_400_000_000
        page = await api.http.get(f"/compare?to={second}")
        assert groups(page)["Added"] == ["Second In place 1 of the newer front page"]
        assert "exchanged" not in page.text
        page = await api.http.get("/compare")
        assert "Nothing was recorded between these moments" in text_of(page)


def values(page: httpx2.Response) -> list[str]:
    """Return what the two fields show."""
    return re.findall(r'type="datetime-local" step="\d+" value="([^"]*)"', page.text)


async def test_the_page_shows_the_moments_that_the_reader_asked_for(tmp_path: Path) -> None:
    clock = StandingClock()  # 4 May 2024, 08:00 UTC
    async with client(tmp_path, open_past=True, clock=clock) as api:
        await api.write("First", publish=True)
        clock.time += 30 * 3_600_000_000
        await api.write("Second", publish=True)
        head = await api.store.log.head()
        clock.time += 3_600_000_000 + 20_000_000

        page = await api.http.get("/compare")
        text = text_of(page)
        # Exactly 24 hours, although the last event before that is older.
        assert "Older front page 4 May 2024, 15:00 UTC (position" in text
        assert f"Newer front page now (position {head})" in text
        assert groups(page)["Added"] == ["Second In place 1 of the newer front page"]
        assert values(page) == ["", ""]
        assert '<a href="/?asOf=2024-05-04T15%3A00">See this front page</a>' in page.text
        assert '<a href="/">See this front page</a>' in page.text
        clock.time += 30_000_000
        again = await api.http.get("/compare", headers={"If-None-Match": page.headers["ETag"]})
        assert again.status_code == 304

        entered = {"from": "2024-05-04T12:00", "to": "2024-05-05T12:00:30"}
        assert values(await api.http.get("/compare", params=entered)) == list(entered.values())
        page = await api.http.get("/compare", params={"from": "", "to": "2024-05-05T14:00"})
        assert "Older front page 4 May 2024, 14:00 UTC" in text_of(page)
        assert values(page) == ["", "2024-05-05T14:00"]
        page = await api.http.get("/compare", params={"to": "0001-01-01"})
        assert page.status_code == 200
        assert (await api.http.get("/compare?to=0")).status_code == 200


async def test_each_field_has_a_label_with_the_time_zone_and_there_is_no_third_moment(past: Client) -> None:
    await past.do("siteLocalize", language="en", timeZone="Asia/Tokyo")
    before, after = await newsroom(past)
    for query in ("", "?from=x"):
        page = (await past.http.get(f"/compare{query}")).text
        for name, label in (("from", "Older"), ("to", "Newer")):
            zone = r"front page: date and time \(<bdi>Asia/Tokyo</bdi>\)|front page: date and time \(Asia/Tokyo\)"
            assert re.search(rf'<label for="page_{name}">{label} ({zone}) <span', page)
        assert 'id="time"' not in page
    then = await past.http.get(f"/compare?asOf={after}")
    assert (then.status_code, then.headers["location"]) == (301, f"/compare?to={after}")
    then = await past.http.get(f"/compare?from={before}&asOf={after}", follow_redirects=True)
    assert groups(then)["Added"] == ["Latest In place 1 of the newer front page"]
    assert "asOf=" not in re.sub(r"<main.*</main>", "", then.text, flags=re.DOTALL)
    day = await past.http.get("/compare?from=2020-01-01&to=2020-01-01 09:00")
    assert day.status_code == 200


async def test_points_in_time_can_be_times_in_the_zone_of_the_site(tmp_path: Path) -> None:
    clock = SetClock()
    async with client(tmp_path, open_past=True, clock=clock) as api:
        await api.do("siteLocalize", language="de", timeZone="Europe/Berlin")
        first = await api.write("First", publish=True)
        clock.time += 3_600_000_000
        await api.do("postUnpublish", id=first["id"])
        await api.do("postPublish", id=first["id"])
        await api.write("Second", publish=True)
        published = datetime.fromtimestamp(clock.time / 1_000_000, UTC)
        clock.time += 60_000_000
        local = f"{published.astimezone(ZoneInfo('Europe/Berlin')) + timedelta(seconds=30):%Y-%m-%dT%H:%M:%S}"
        minute_before = f"{published - timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}"
        page = await api.http.get("/compare", params={"from": minute_before, "to": local})
        assert page.status_code == 200, page.text
        assert groups(page)["Hinzugekommen"] == ["Second Auf Platz 1 der neueren Startseite"]
        assert (await api.http.get("/compare")).status_code == 200


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"from": "yesterday"}, "“yesterday” is not a time: write it like 2026-11-30T09:00"),
        ({"from": "2026-02-30T09:00"}, "is not a time"),
        ({"from": "1", "to": "9999"}, "There is no position 9999"),
        ({"from": "1", "to": "9" * 99}, "There is no position 999"),
        ({"from": "2999-01-01T00:00"}, "2999-01-01T00:00 is in the future"),
        ({"from": "<script>"}, "“<script>” is not a time"),
    ],
)
async def test_an_invalid_point_in_time_is_explained(
    past: Client, query: dict[str, str], problem: str
) -> None:
    await newsroom(past)
    page = await past.http.get("/compare", params=query)
    assert page.status_code == 400
    text = unescape(re.sub(r"</?bdi>", "", page.text))
    assert problem in text
    assert "<script>" not in page.text.lower()
    assert "ETag" not in page.headers


async def test_what_is_not_public_today_is_in_neither_front_page(past: Client) -> None:
    post = await past.write("Withheld", publish=True)
    before = await past.store.log.head()
    path = f"/compare?from={before}&to={before}"
    page = await past.http.get(path)
    tag = page.headers["ETag"]
    assert "Withheld" in page.text
    assert (await past.http.get(path, headers={"If-None-Match": tag})).status_code == 304
    await past.do("postUnpublish", id=post["id"])
    hidden = await past.http.get(path, headers={"If-None-Match": tag})
    assert hidden.status_code == 200
    assert "Withheld" not in hidden.text


async def test_a_closed_past_is_explained(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        before, after = await newsroom(api)
        page = await api.http.get(f"/compare?from={before}&to={after}")
        assert page.status_code == 403
        assert "The past of this site is not public" in page.text
        assert "/compare" not in (await api.http.get("/")).text
        with api.acting_as(ANONYMOUS):
            (error,) = await api.errors(COMPARE, **{"from": {"position": before}})
        assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_graphql_has_the_same_comparison(past: Client) -> None:
    before, after = await newsroom(past)
    variables = {"from": {"position": before}, "to": {"position": after}}
    comparison = (await past.ask(COMPARE, **variables))["frontPageComparison"]
    assert comparison["from"] == {"position": before}
    assert comparison["added"] == [{"from": None, "to": 1, "article": {"title": "Latest"}}]
    assert comparison["removed"] == [{"from": 10, "to": None, "article": {"title": "Number 1"}}]
    assert comparison["shifted"][0] == {"from": 1, "to": 2, "article": {"title": "Number ten"}}
    assert (comparison["moved"], len(comparison["shifted"]), comparison["unchanged"]) == ([], 9, [])
    # By default, the later moment is now. An object as of a moment has an id of its own, so only titles are compared.
    now = (await past.ask(COMPARE, **{"from": variables["from"]}))["frontPageComparison"]
    assert now["added"] == comparison["added"]
