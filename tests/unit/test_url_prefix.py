"""The URL prefix of the application, from its host application or from a proxy."""

import pytest
from starlette.types import Receive, Scope, Send

from ledgerpress.http.middleware.forwarded_prefix import ForwardedPrefix, forwarded_prefix
from ledgerpress.http.middleware.trusted_proxies import TrustedProxies
from ledgerpress.http.requests.url_prefix_and_route_path import route_path, url_prefix, with_prefix_in_path


@pytest.mark.parametrize(
    ("path", "root_path", "below"),
    [
        ("/graphql", "", "/graphql"),
        ("/content/graphql", "/content", "/graphql"),
        ("/content", "/content", ""),
        ("/contents/graphql", "/content", "/contents/graphql"),
        ("/graphql", "/content", "/graphql"),
    ],
)
def test_routes_are_matched_below_the_prefix(path: str, root_path: str, below: str) -> None:
    assert route_path({"path": path, "root_path": root_path}) == below


@pytest.mark.parametrize(
    ("root_path", "prefix"),
    [
        ("", ""),
        ("/", ""),
        ("/content", "/content"),
        ("/a/b/", "/a/b"),
        ("/süd", "/s%C3%BCd"),
        ("//evil.example", "/evil.example"),
        ("/\\evil", "/%5Cevil"),
        ('/"><script>', "/%22%3E%3Cscript%3E"),
    ],
)
def test_urls_begin_with_the_prefix_and_never_name_another_host(root_path: str, prefix: str) -> None:
    assert url_prefix({"root_path": root_path}) == prefix


@pytest.mark.parametrize(
    ("root_path", "outer", "path", "completed"),
    [
        ("/content", "", "/content/x", "/content/x"),
        ("/ext/content", "/ext", "/content/x", "/ext/content/x"),
        ("/ext", None, "/x", "/ext/x"),
        ("", None, "/x", "/x"),
    ],
)
def test_a_path_without_its_prefix_is_completed(
    root_path: str, outer: str | None, path: str, completed: str
) -> None:
    scope = {"root_path": root_path, "path": path} | ({} if outer is None else {"app_root_path": outer})
    assert with_prefix_in_path(scope)["path"] == completed


@pytest.mark.parametrize(
    ("value", "prefix"),
    [
        (b"/ext", "/ext"),
        (b"/ext/", "/ext"),
        (b"/a, /b", "/a/b"),
        (b"/.well-known/x", "/.well-known/x"),
        (b"", ""),
        (b"/", ""),
        (b"ext", ""),
        (b"//evil.example", ""),
        (b"/a/../b", ""),
        (b"/a%2Fb", ""),
        (b"/a b", ""),
        (b"/a\n", ""),
        (b"https://evil.example/", ""),
        (b"/" + b"a" * 300, ""),
    ],
)
def test_only_plain_paths_are_accepted_as_a_prefix(value: bytes, prefix: str) -> None:
    assert forwarded_prefix(value) == prefix


async def scope_after(trusted: list[str], client: tuple[str, int] | None, root_path: str = "") -> Scope:
    """Return the scope that the application gets for a request with a forwarded prefix."""
    scopes: list[Scope] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        scopes.append(scope)

    async def unused() -> dict[str, object]:
        raise AssertionError

    scope = {
        "type": "http",
        "path": f"{root_path}/x",
        "root_path": root_path,
        "client": client,
        "headers": [(b"x-forwarded-prefix", b"/ext")],
    }

    async def send(_: object) -> None:
        raise AssertionError

    await ForwardedPrefix(app, TrustedProxies(trusted))(scope, unused, send)
    return scopes[0]


@pytest.mark.parametrize(
    ("trusted", "client", "is_accepted"),
    [
        ([], ("127.0.0.1", 1), False),
        (["127.0.0.1"], ("127.0.0.1", 1), True),
        (["127.0.0.1"], ("127.0.0.2", 1), False),
        (["10.0.0.0/8"], ("10.1.2.3", 1), True),
        (["10.0.0.0/8"], ("11.1.2.3", 1), False),
        (["::1"], ("::1", 1), True),
        (["127.0.0.1"], None, False),
        (["*"], None, True),
        (["*"], ("11.1.2.3", 1), True),
        (["127.0.0.1"], ("::ffff:127.0.0.1", 1), True),
        (["127.0.0.1"], ("proxy", 1), False),
    ],
)
async def test_a_prefix_is_accepted_from_trusted_proxies(
    trusted: list[str], client: tuple[str, int] | None, is_accepted: bool
) -> None:
    scope = await scope_after(trusted, client)
    assert (scope["root_path"], scope["path"]) == (("/ext", "/ext/x") if is_accepted else ("", "/x"))


async def test_a_forwarded_prefix_comes_before_the_prefix_of_the_host_application() -> None:
    scope = await scope_after(["*"], None, root_path="/content")
    assert (scope["root_path"], scope["path"]) == ("/ext/content", "/ext/content/x")
