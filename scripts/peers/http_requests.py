"""The HTTP requests that are sent to the servers."""

import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count, cycle, islice
from typing import Any, Final
from urllib.parse import urlencode

from scripts.peers.graphql_peers import GraphQLPeer
from scripts.peers.newsroom import Category, Newsroom, Post
from scripts.workloads.raw_client import ask

MOST_ARTICLES: Final = 2_000
_TEMPLATES: Final = 500
_NUMBER: Final = b"-000000000"


class Requests:
    """The requests for one server."""

    def __init__(self, peer: GraphQLPeer, newsroom: Newsroom, token: str | None = None) -> None:
        self.peer = peer
        self._newsroom = newsroom
        self._token = token
        self._created = count(1)

    def graphql(self, document: str, **variables: object) -> bytes:
        """Return a POST request; only mutations have the token."""
        token = self._token if document.startswith("mutation") else None
        return post_request(self.peer.path, {"query": document, "variables": variables}, token)

    def reads(self, kind: str, identifiers: Mapping[str, object]) -> Iterator[bytes]:
        """Yield requests without end: the front page, or all articles or category pages in random order."""
        chance = random.Random(kind)  # noqa: S311  # reproducible order
        match kind:
            case "front_page":
                requests = [self.graphql(self.peer.front_page)]
            case "article":
                posts = chance.sample(self._newsroom.posts, min(self._newsroom.size, MOST_ARTICLES))
                requests = [self.graphql(self.peer.article, slug=each.slug) for each in posts]
            case _:
                categories = chance.sample(self._newsroom.categories, len(self._newsroom.categories))
                requests = [self.category_page(each, identifiers) for each in categories]
        return cycle(requests)

    def category_page(self, category: Category, identifiers: Mapping[str, object]) -> bytes:
        """Return a request for the page of a category."""
        variables = self.peer.category(category.slug, identifiers[category.slug])
        return self.graphql(self.peer.category_page, **variables)

    def new_posts(self, identifiers: Mapping[str, object]) -> Iterator[bytes]:
        """Yield requests that create posts, without end. They have equal sizes as the posts that were loaded."""
        templates = [self.creation(each, identifiers) for each in self.templates()]
        numbers = self._created
        for template in cycle(templates):
            yield template.replace(_NUMBER, b"-%09d" % next(numbers))

    def templates(self) -> list[Post]:
        """Return the posts whose texts `new_posts` repeats; the number in their slugs is 0."""
        posts = islice(self._newsroom.later_posts(), _TEMPLATES)
        return [replace(each, slug=f"created{_NUMBER.decode()}") for each in posts]

    def creation(self, new: Post, identifiers: Mapping[str, object]) -> bytes:
        """Return a request that creates a published post."""
        return self.graphql(
            self.peer.create_post,
            slug=new.slug,
            title=new.title,
            teaser=new.teaser,
            body=new.body,
            publishedAt=new.time,
            categories=[self.peer.reference(each.slug, identifiers[each.slug]) for each in new.categories],
        )


def post_request(path: str, body: Mapping[str, Any], token: str | None = None) -> bytes:
    """Return a POST request with a JSON body."""
    content = json.dumps(body).encode()
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Accept: application/json\r\n{authorization}Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def conditional(port: int, document: str, variables: Mapping[str, object]) -> bytes:
    """Return a conditional GET request with the hash of a document whose response is 304."""
    extensions = {
        "persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(document.encode()).hexdigest()}
    }
    ask(port, post_request("/graphql", {"query": document, "variables": variables, "extensions": extensions}))
    query = urlencode({"variables": json.dumps(variables), "extensions": json.dumps(extensions)})
    head = (
        f"GET /graphql?{query} HTTP/1.1\r\nHost: localhost\r\nAccept: application/graphql-response+json\r\n"
        "GraphQL-Require-Preflight: 1\r\n"
    )
    response = ask(port, f"{head}\r\n".encode()).partition(b"\r\n\r\n")[0]
    tags = [line[6:].decode() for line in response.split(b"\r\n") if line.lower().startswith(b"etag: ")]
    request = f"{head}If-None-Match: {''.join(tags[:1])}\r\n\r\n".encode()
    if b" 304 " not in ask(port, request).partition(b"\r\n")[0]:
        raise SystemExit(
            f"a conditional request is not answered with 304; the first response was {response!r}"
        )
    return request
