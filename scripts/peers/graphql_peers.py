"""The servers with a GraphQL API: how each is installed, its tables, its start, and the documents for the same work."""

import re
import sqlite3
import sys
from abc import ABC, abstractmethod
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

from scripts.peers import installation
from scripts.peers.installation import CHECKOUT, SERVERS
from scripts.peers.processes import Command

_ARTICLE: Final = "slug title teaser publishedAt body categories { slug name }"
_SUMMARY: Final = "slug title teaser publishedAt"
_LISTED: Final = f"{_SUMMARY} categories {{ slug name }}"


class GraphQLPeer(ABC):
    """A server; it keeps its data in a directory of its own.

    The documents alias their fields to `page` and `articles`, which `agreement` compares. Documents with a variable
    declare `$slug`; `create_post` has those of a post.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    path: ClassVar[str] = "/graphql"
    durability: ClassVar[str]
    reused: ClassVar[str]
    """What the server keeps in memory between two requests, and uses again."""
    remarks: ClassVar[str] = ""
    front_page: ClassVar[str]
    article: ClassVar[str]
    category_page: ClassVar[str]
    categories: ClassVar[str]
    create_category: ClassVar[str]
    create_post: ClassVar[str]
    post_count: ClassVar[str]

    @abstractmethod
    def install(self) -> None:
        """Install and build the peer. Raises `NotInstalled` if that fails."""

    @abstractmethod
    def create_tables(self, data: Path) -> None:
        """Create an empty database in the directory `data`."""

    @abstractmethod
    def command(self, data: Path, port: int) -> Command:
        """Return the command that serves the database in `data`."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return the versions of the packages that matter."""

    def digest(self) -> str:
        """Return a digest that changes when the format of the database can change."""
        return installation.digest_of_folder(self.key)

    def reference(self, slug: str, _identifier: object) -> object:
        """Return how a post names a category: by its slug or its id."""
        return {"slug": slug}

    def category(self, slug: str, _identifier: object) -> dict[str, object]:
        """Return the variables of `category_page`."""
        return {"slug": slug}

    def token(self, _data: Path) -> str | None:
        """Return the token that mutations need, if any."""
        return None

    def database(self, data: Path) -> Path:
        """Return the SQLite database that queries read."""
        return data / "db"


class LedgerPress(GraphQLPeer):
    """LedgerPress from this checkout, as `ledgerpress serve` starts it."""

    key = "ledgerpress"
    title = "LedgerPress"
    durability = "The log is flushed before the answer; clients that write at the same time share a flush."
    reused = (
        "Compiled documents. Records, pages of listings and rendered texts that it has read, until the next change of any"
        " data; a response is still executed for each request."
    )
    remarks = (
        "Checks a token in each mutation, records who did what, and projects the change before it answers."
    )
    front_page = f"{{ page: articles(first: 10) {{ nodes {{ {_LISTED} }} }} }}"
    article = (
        "query ($slug: String!) { page: article(slug: $slug) {"
        " slug title teaser publishedAt body { markdown } categories { slug name } } }"
    )
    category_page = (
        f"query ($slug: String!) {{ page: category(slug: $slug) {{ slug name"
        f" articles(first: 10) {{ nodes {{ {_SUMMARY} }} }} }} }}"
    )
    categories = "{ page: categories(first: 100) { nodes { id slug } } }"
    create_category = (
        "mutation ($slug: String!, $name: String!) {"
        " made: categoryCreate(input: {slug: $slug, name: $name}) { category { slug } userErrors { message } } }"
    )
    create_post = (
        "mutation ($slug: String!, $title: String!, $teaser: String!, $body: String!, $publishedAt: DateTime!,"
        " $categories: [CategoryBy!]!) { made: postCreate(input: {slug: $slug, title: $title, teaser: $teaser,"
        " body: $body, publishedAt: $publishedAt, categories: $categories, publish: true})"
        " { post { id article { slug } } userErrors { message } } }"
    )
    post_count = "{ count: articles(first: 1) { totalCount } }"

    def __init__(self, *, cached: bool) -> None:
        """Serve with or without the response cache."""
        self._cached = cached

    def install(self) -> None:
        """Do nothing: it is this checkout."""

    def create_tables(self, data: Path) -> None:
        """Do nothing: the server creates its store."""

    def command(self, data: Path, port: int) -> Command:
        cache = {} if self._cached else {"LEDGERPRESS_CACHE_MAX_BYTES": "0"}
        arguments = [
            sys.executable,
            "-m",
            "ledgerpress",
            "serve",
            "--port",
            str(port),
            "--data",
            str(data / "store"),
        ]
        return Command(arguments, CHECKOUT, cache)

    def versions(self) -> dict[str, str]:
        commit = installation.run(["git", "describe", "--always", "--dirty"], CHECKOUT, {}).strip()
        packages = ("strawberry-graphql", "graphql-core", "uvicorn")
        return {"commit": commit, **{name: installation.own_version_of(name) for name in packages}}

    def token(self, data: Path) -> str | None:
        """Return the token of the administrator, which the first start printed to the file `output`."""
        match = re.search(r"admin token (lp_[A-Za-z0-9_-]+)", (data / "output").read_text("utf-8"))
        return match[1] if match else None

    def database(self, data: Path) -> Path:
        (views,) = (data / "store").glob("views-*.sqlite")
        return views


class _WithPlainTables(GraphQLPeer):
    """A server with hand-written SQL and the tables of newsroom.sql."""

    durability = "One transaction for each post (WAL, synchronous = FULL)."
    front_page = f"{{ page: posts(first: 10) {{ {_LISTED} }} }}"
    article = f"query ($slug: String!) {{ page: post(slug: $slug) {{ {_ARTICLE} }} }}"
    category_page = (
        "query ($slug: String!) { page: category(slug: $slug)"
        f" {{ slug name articles: posts(first: 10) {{ {_SUMMARY} }} }} }}"
    )
    categories = "{ page: categories { id slug } }"
    create_category = "mutation ($slug: String!, $name: String!) { made: createCategory(slug: $slug, name: $name) { slug } }"
    create_post = (
        "mutation ($slug: String!, $title: String!, $teaser: String!, $body: String!, $publishedAt: String!,"
        " $categories: [ID!]!) { made: createPost(slug: $slug, title: $title, teaser: $teaser, body: $body,"
        " publishedAt: $publishedAt, categories: $categories) { id slug } }"
    )
    post_count = "{ count: postCount }"

    def create_tables(self, data: Path) -> None:
        _execute(data, SERVERS / "newsroom.sql")

    def digest(self) -> str:
        return installation.digest_of((SERVERS / "newsroom.sql").read_bytes())

    def reference(self, _slug: str, identifier: object) -> object:
        return identifier


class PlainStrawberry(_WithPlainTables):
    """strawberry's own ASGI application."""

    key = "strawberry"
    title = "plain strawberry"
    reused = "Parsed and validated documents."
    remarks = "Hand-written SQL, no features: what the GraphQL library of LedgerPress costs by itself."

    def install(self) -> None:
        """Do nothing: LedgerPress has the same packages."""

    def command(self, data: Path, port: int) -> Command:
        module = "scripts.peers.servers.plain_strawberry"
        return Command([sys.executable, "-m", module, str(port), str(data / "db")], CHECKOUT, {})

    def versions(self) -> dict[str, str]:
        return {name: installation.own_version_of(name) for name in ("strawberry-graphql", "uvicorn")}


class Mercurius(_WithPlainTables):
    """mercurius with graphql-jit."""

    key = "mercurius"
    title = "mercurius + graphql-jit"
    reused = "Compiled documents, and prepared statements."
    remarks = "Hand-written SQL, no features: a fast GraphQL server of Node.js."

    @cached_property
    def _folder(self) -> Path:
        return installation.npm_folder(self.key)

    def install(self) -> None:
        _ = self._folder

    def command(self, data: Path, port: int) -> Command:
        arguments = ["node", "server.mjs", str(port), str(data / "db")]
        return Command(arguments, self._folder, {**installation.node_environment(), "NODE_ENV": "production"})

    def versions(self) -> dict[str, str]:
        return _npm_versions(self._folder, "mercurius", "graphql-jit", "fastify")


class Django(GraphQLPeer):
    """Django with strawberry-django."""

    key = "django"
    title = "Django + strawberry-django"
    reused = "Parsed and validated documents."
    durability = "One transaction for each post (WAL, synchronous = FULL)."
    remarks = "One worker of granian with four threads. No middleware."
    front_page = (
        '{ page: posts(filters: {status: "published"}, ordering: [{publishedAt: DESC}], pagination: {limit: 10})'
        f" {{ {_LISTED} }} }}"
    )
    article = (
        'query ($slug: String!) { page: posts(filters: {slug: $slug, status: "published"}, pagination: {limit: 1})'
        f" {{ {_ARTICLE} }} }}"
    )
    category_page = (
        "query ($slug: String!) { page: categories(filters: {slug: $slug}) { slug name }"
        ' articles: posts(filters: {status: "published", categories: {slug: $slug}},'
        f" ordering: [{{publishedAt: DESC}}], pagination: {{limit: 10}}) {{ {_SUMMARY} }} }}"
    )
    categories = "{ page: categories { id slug } }"
    create_category = (
        "mutation ($slug: String!, $name: String!)"
        " { made: createCategory(data: {slug: $slug, name: $name}) { slug } }"
    )
    create_post = (
        "mutation ($slug: String!, $title: String!, $teaser: String!, $body: String!, $publishedAt: DateTime!,"
        " $categories: [ID!]!) { made: createPost(data: {slug: $slug, title: $title, teaser: $teaser, body: $body,"
        ' publishedAt: $publishedAt, status: "published", categories: {set: $categories}}) { id slug } }'
    )
    post_count = "{ count: postCount }"

    @cached_property
    def _environment(self) -> Path:
        return installation.python_environment(self.key)

    def install(self) -> None:
        _ = self._environment

    def create_tables(self, data: Path) -> None:
        arguments = [str(self._environment / "bin" / "python"), "-m", "django", "migrate", "--run-syncdb"]
        installation.run(arguments, SERVERS / self.key, self._variables(data))

    def command(self, data: Path, port: int) -> Command:
        arguments = [
            *(str(self._environment / "bin" / "granian"), "--interface", "wsgi", "--host", "127.0.0.1"),
            *("--port", str(port), "--workers", "1", "--blocking-threads", "4", "--log-level", "warning"),
            *("--factory", "django.core.wsgi:get_wsgi_application"),
        ]
        return Command(arguments, SERVERS / self.key, self._variables(data))

    def versions(self) -> dict[str, str]:
        packages = ("django", "strawberry-graphql-django", "strawberry-graphql", "granian")
        return {name: installation.python_version_of(self._environment, name) for name in packages}

    def reference(self, _slug: str, identifier: object) -> object:
        return identifier

    def _variables(self, data: Path) -> dict[str, str]:
        return {
            "DATABASE": str(data / "db"),
            "DJANGO_SETTINGS_MODULE": "site_settings",
            "PYTHONPATH": str(SERVERS / self.key),
        }


class Keystone(GraphQLPeer):
    """Keystone on SQLite through Prisma."""

    key = "keystone"
    title = "Keystone"
    reused = "Parsed and validated documents (Apollo Server), and plans of Prisma's queries."
    path = "/api/graphql"
    durability = "One transaction for each post (WAL, synchronous = FULL)."
    remarks = (
        "Without its admin interface. Its tables are created with SQL, because npm does not"
        " have Prisma's program for migrations."
    )
    front_page = (
        '{ page: posts(where: {status: {equals: "published"}}, orderBy: [{publishedAt: desc}], take: 10)'
        f" {{ {_LISTED} }} }}"
    )
    article = f"query ($slug: String!) {{ page: post(where: {{slug: $slug}}) {{ {_ARTICLE} }} }}"
    category_page = (
        "query ($slug: String!) { page: category(where: {slug: $slug}) { slug name"
        ' articles: posts(where: {status: {equals: "published"}}, orderBy: [{publishedAt: desc}], take: 10)'
        f" {{ {_SUMMARY} }} }} }}"
    )
    categories = "{ page: categories { id slug } }"
    create_category = (
        "mutation ($slug: String!, $name: String!)"
        " { made: createCategory(data: {slug: $slug, name: $name}) { slug } }"
    )
    create_post = (
        "mutation ($slug: String!, $title: String!, $teaser: String!, $body: String!, $publishedAt: DateTime!,"
        " $categories: [CategoryWhereUniqueInput!]!) { made: createPost(data: {slug: $slug, title: $title,"
        ' teaser: $teaser, body: $body, publishedAt: $publishedAt, status: "published",'
        " categories: {connect: $categories}}) { id slug } }"
    )
    post_count = "{ count: postsCount }"

    @cached_property
    def _folder(self) -> Path:
        build = ["node", "node_modules/@keystone-6/core/bin/cli.js", "build", "--no-ui"]
        return installation.npm_folder(self.key, [build])

    def install(self) -> None:
        _ = self._folder

    def create_tables(self, data: Path) -> None:
        _execute(data, SERVERS / self.key / "tables.sql")

    def command(self, data: Path, port: int) -> Command:
        variables = {
            **installation.node_environment(),
            "NODE_ENV": "production",
            "DATABASE": str(data / "db"),
            "PORT": str(port),
        }
        arguments = ["node", "node_modules/@keystone-6/core/bin/cli.js", "start", "--no-ui"]
        return Command(arguments, self._folder, variables)

    def versions(self) -> dict[str, str]:
        return _npm_versions(self._folder, "@keystone-6/core", "@prisma/client", "better-sqlite3")

    def reference(self, _slug: str, identifier: object) -> object:
        return {"id": identifier}


class Payload(GraphQLPeer):
    """Payload on SQLite, in Next.js."""

    key = "payload"
    title = "Payload"
    reused = "No documents: each is parsed and validated again."
    path = "/api/graphql"
    durability = "One transaction for each post (WAL, synchronous = FULL)."
    remarks = (
        "Only its GraphQL API, in a build of Next.js. Without drafts and versions. Category pages are requested by id,"
        " because its GraphQL API cannot filter posts by the slug of a category."
    )
    front_page = (
        '{ page: Posts(where: {status: {equals: published}}, sort: "-publishedAt", limit: 10, pagination: false)'
        f" {{ docs {{ {_LISTED} }} }} }}"
    )
    article = (
        "query ($slug: String!) { page: Posts(where: {slug: {equals: $slug}, status: {equals: published}},"
        f" limit: 1, pagination: false) {{ docs {{ {_ARTICLE} }} }} }}"
    )
    category_page = (
        "query ($id: Int!, $category: JSON!) { page: Category(id: $id) { slug name }"
        " articles: Posts(where: {status: {equals: published}, categories: {equals: $category}},"
        f' sort: "-publishedAt", limit: 10, pagination: false) {{ docs {{ {_SUMMARY} }} }} }}'
    )
    categories = "{ page: Categories(limit: 100) { docs { id slug } } }"
    create_category = (
        "mutation ($slug: String!, $name: String!)"
        " { made: createCategory(data: {slug: $slug, name: $name}) { slug } }"
    )
    create_post = (
        "mutation ($slug: String!, $title: String!, $teaser: String!, $body: String!, $publishedAt: String!,"
        " $categories: [Int]) { made: createPost(data: {slug: $slug, title: $title, teaser: $teaser,"
        " body: $body, publishedAt: $publishedAt, status: published, categories: $categories}) { id slug } }"
    )
    post_count = "{ count: countPosts { totalDocs } }"

    @cached_property
    def _folder(self) -> Path:
        build = ["node", "node_modules/next/dist/bin/next", "build", "--experimental-build-mode", "compile"]
        return installation.npm_folder(self.key, [build])

    def install(self) -> None:
        _ = self._folder

    def create_tables(self, data: Path) -> None:
        arguments = ["node", "node_modules/payload/bin.js", "run", "create-tables.ts"]
        installation.run(arguments, self._folder, self._variables(data))

    def command(self, data: Path, port: int) -> Command:
        arguments = ["node", "node_modules/next/dist/bin/next", "start", "-H", "127.0.0.1", "-p", str(port)]
        return Command(arguments, self._folder, {**self._variables(data), "NODE_ENV": "production"})

    def versions(self) -> dict[str, str]:
        return _npm_versions(self._folder, "payload", "@payloadcms/db-sqlite", "next")

    def reference(self, _slug: str, identifier: object) -> object:
        return identifier

    def category(self, _slug: str, identifier: object) -> dict[str, object]:
        return {"id": identifier, "category": identifier}

    def _variables(self, data: Path) -> dict[str, str]:
        return {**installation.node_environment(), "DATABASE": str(data / "db")}


def _execute(data: Path, script: Path) -> None:
    with closing(sqlite3.connect(data / "db")) as db:
        db.executescript(script.read_text("utf-8"))


def _npm_versions(folder: Path, *packages: str) -> dict[str, str]:
    versions = {package: installation.npm_version(folder, package) for package in packages}
    return {**versions, "Node.js": installation.node_version()}
