"""A reader of all addresses of a site, who keeps every response and its entity tag, as caches do."""

import html
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import unquote, urlsplit

import httpx2
from starlette.routing import Route, compile_path

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, FixedIdentity
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.features.registry import FEATURES, page_contributions
from ledgerpress.graphql.relay import global_ids
from ledgerpress.http.feature_routes import RouteContext
from tests.integration.graphql_client import Client, client
from tests.property.newsroom_of_words import words_in
from tests.property.newsroom_with_roles import NewsroomWithRoles

OF_A_ROUTE: Final = 14
"""Addresses of each route that are requested at each of several moments of a history."""
STALE: Final = 150
"""Cached responses with words that are hidden now that are requested again, at most."""
LINKS: Final = 2
"""Links of each response that are followed."""
AGAIN: Final = 60
"""Cached responses without hidden words that are requested again."""
_LINK: Final = re.compile(r'(?:href|src)="([^"]+)"|<loc>([^<]+)</loc>|"next_url":"([^"]+)"')
_MEDIA: Final = {"accept": "text/html"}
GRAPHIQL: Final = "/graphql"


async def read_history(
    data: Path, seed: int, *, steps: int, stops: int, is_open: bool
) -> "ReaderOfEverything":
    """Run a random history in `data`, and let a reader request everything at several moments; return the reader.

    `is_open` makes the past and the histories public. Raises `AssertionError` if something hidden is shown.
    """
    chance = Random(seed)
    async with client(data, open_past=is_open, public_history=is_open) as site:
        newsroom = NewsroomWithRoles(site, data, chance)
        await newsroom.begin()
        reader = ReaderOfEverything(site, newsroom, chance)
        for step in range(1, steps + 1):
            await newsroom.step()
            if step % (steps // stops) == 0:
                await reader.read_everything()
        return reader


def all_routes(site: Client) -> list[str]:
    """Return the paths of all routes for readers, in the syntax of Starlette: of pages, feeds, sitemaps and GraphiQL."""
    pages = [path for part in page_contributions() for path in part.routes]
    routes = FEATURES.routes(lambda _: RouteContext(site.store, FixedIdentity(ANONYMOUS)))
    return [*pages, *(route.path for route in routes if isinstance(route, Route)), GRAPHIQL]


class ReaderOfEverything:
    """Requests addresses that are derived from the routes and from the state of the newsroom."""

    def __init__(self, site: Client, newsroom: NewsroomWithRoles, chance: Random) -> None:
        self._site = site
        self._newsroom = newsroom
        self._chance = chance
        self._routes = all_routes(site)
        self._patterns = {route: compile_path(route)[0] for route in self._routes}
        self._cached: defaultdict[str, dict[str, str]] = defaultdict(dict)
        """All responses so far, by address and entity tag."""
        self.counts = Counter[str]()
        self.answered = Counter[str]()
        """The number of responses with status 200, by route."""

    @property
    def unanswered(self) -> set[str]:
        """The routes that have never had a response with status 200."""
        return set(self._routes) - self.answered.keys()

    async def read_everything(self) -> None:
        """Request addresses with a hidden past first, then new ones and the links of their responses."""
        head = await self._site.store.log.head()
        events = await self._site.store.log.read(0, head)
        hidden = self._newsroom.hidden
        actors = actor_ids(events)
        stale, fresh = list[str](), list[str]()
        for address, responses in self._cached.items():
            shows_hidden = any(words_in(text) & hidden for text in responses.values())
            (stale if shows_hidden else fresh).append(address)
        self.counts["cached and now hidden"] += len(stale)
        queue = [*self._some(stale, STALE), *self._some(fresh, AGAIN)]
        for route in self._routes:
            queue += self._some(list(self._addresses(route, events)), OF_A_ROUTE)
        for address in queue:
            for link in self._some(await self._read(address, hidden, actors), LINKS):
                await self._read(link, hidden, actors)

    def _some(self, addresses: Sequence[str], number: int) -> list[str]:
        return self._chance.sample(addresses, min(number, len(addresses)))

    def _addresses(self, route: str, events: Sequence[StoredEvent]) -> Iterator[str]:
        """Yield addresses of a route, each as of now or as of a moment."""
        for path in paths_of(route, values_of(route, self._newsroom)):
            for query in ("", *queries_of(route, self._chance.randint(1, len(events)))):
                moment = self._moment(events) if self._chance.random() < 0.7 else ""
                parameters = "&".join(filter(None, (query, moment)))
                yield f"{path}?{parameters}" if parameters else path

    def _moment(self, events: Sequence[StoredEvent]) -> str:
        position = self._chance.randint(0, len(events))
        if position and self._chance.random() < 0.3:
            at = events[position - 1].header.recorded_at
            return f"asOf={datetime.fromtimestamp(at / 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
        return f"asOf={position}"

    async def _read(self, address: str, hidden: set[str], actors: Collection[str]) -> list[str]:
        """Request an address, check the response, and return its links to addresses of this site."""
        chance, cached = self._chance, self._cached[address]
        users = [ANONYMOUS, LOCAL_OPERATOR, *self._newsroom.users.values()]
        headers = _MEDIA | ({"authorization": "Bearer x"} if chance.random() < 0.3 else {})
        if cached and chance.random() < 0.9:
            headers["if-none-match"] = ", ".join(cached)
        method = "HEAD" if chance.random() < 0.1 else "GET"
        with self._site.acting_as(chance.choice(users)):
            response = await self._site.http.request(method, address, headers=headers)
        self.counts[str(response.status_code)] += 1
        assert response.status_code < 500, address
        text = response.text
        if response.status_code == 304:
            assert response.headers["etag"] in cached, (
                f"{address}: not modified, but the reader does not have it"
            )
            text = cached[response.headers["etag"]]
        elif response.status_code == 200:
            self._answered(address)
            if "etag" in response.headers and method == "GET":
                cached[response.headers["etag"]] = text
        self._check(address, response, text, hidden, actors)
        return links_in(text)

    def _check(
        self,
        address: str,
        response: httpx2.Response,
        text: str,
        hidden: set[str],
        actors: Collection[str],
    ) -> None:
        """Fail if a response contains something hidden. An address may be repeated in links, but not in what is read."""
        sent = unquote("\n".join([text, *(f"{name}: {value}" for name, value in response.headers.items())]))
        shown = words_in(sent) - words_in(unquote(address))
        self.counts["words"] += len(shown)
        leaked = (shown | words_in(re.sub(r"<[^>]*>", "", text))) & hidden
        details = (address, response.status_code, sorted(leaked))
        assert not leaked, details
        assert not any(actor in sent for actor in actors), details

    def _answered(self, address: str) -> None:
        path = unquote(urlsplit(address).path)
        for route, pattern in self._patterns.items():
            if pattern.match(path):
                self.answered[route] += 1
                break


def values_of(route: str, newsroom: NewsroomWithRoles) -> Mapping[str, Sequence[str]]:
    """Return values for the parameters of a route. A route that no rule here covers fails."""
    slugs = {
        "/articles": {slug for post in newsroom.posts for slug in {post.slug, *post.slugs}},
        "/categories": set(newsroom.categories),
        "/authors": {slug for author in newsroom.authors for slug in {author.slug, *author.slugs}},
        "/pages": {slug for page in newsroom.pages for slug in page.slugs},
    }
    start = next((start for start in slugs if route.removeprefix("/feeds").startswith(f"{start}/")), None)
    return {
        "slug": sorted(slugs[start]) if start else [],
        "number": ["1", "2", "3", "5"] if start else ["1"],
        "format": ["atom", "json"],
    }


def paths_of(route: str, values: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the paths of a route with these values."""
    _, template, parameters = compile_path(route)
    assert parameters.keys() <= values.keys(), f"no values for the parameters of {route}"
    names = list(parameters)
    for chosen in product(*(values[name] for name in names)):
        yield template.format(**dict(zip(names, chosen, strict=True)))


def queries_of(route: str, position: int) -> Sequence[str]:
    """Return parameters of a route, besides the moment."""
    if route == "/compare":
        return [f"from={position}", f"from=1&to={position}"]
    if route.endswith("/history/{number}"):
        return ["view=side-by-side", "from=1", "from=2&view=side-by-side"]
    if route.endswith("/proof"):
        return [f"size={position}"]
    if route.startswith("/feeds"):
        return ["text=teaser", "archive=1", "archive=2&text=teaser"]
    return ()


def links_in(text: str) -> list[str]:
    """Return the links of a document to addresses of the site, without fragments."""
    links = set[str]()
    for match in _LINK.finditer(text):
        url = html.unescape(next(filter(None, match.groups()))).partition("#")[0]
        path = url.removeprefix("http://test")
        if path.startswith("/") and not path.startswith(("//", "/static/")):
            links.add(path)
    return sorted(links)


def actor_ids(events: Sequence[StoredEvent]) -> set[str]:
    """Return the ids of all actors, which no reader sees, also as ids of GraphQL."""
    actors = {str(event.header.actor_id) for event in events}
    return actors | {str(global_ids.encode("Actor", actor)) for actor in actors}
