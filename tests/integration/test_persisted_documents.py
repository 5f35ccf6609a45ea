"""Documents by hash: from a manifest, which production can require, or registered by clients."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.persisted_documents import BadManifest
from tests.integration.graphql_client import Client, client

pytestmark = pytest.mark.usefixtures("workers")

HEADERS = {"Accept": "application/graphql-response+json", "GraphQL-Require-Preflight": "1"}
SITE = "{ site { name } }"
OTHER = "query Other { __typename }"
MUTATION = 'mutation { postCreate(input: { title: "By its hash" }) { position } }'
NAMED = {"data": {"site": {"name": None}}}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def persisted(text: str, **changes: Any) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": sha256(text)} | changes}


@asynccontextmanager
async def serving(folder: Path, manifest: Mapping[str, Any] | None = None, **settings: Any) -> AsyncIterator[Client]:  # fmt: skip
    if manifest is not None:
        (folder / "manifest.json").write_text(json.dumps(manifest))
        settings["trusted_documents"] = str(folder / "manifest.json")
    async with client(folder / "store", settings=HttpSettings(**settings)) as api:
        yield api


async def post(api: Client, **request: Any) -> httpx2.Response:
    return await api.http.post("/graphql", json=request, headers=HEADERS)


async def get(api: Client, **params: Any) -> httpx2.Response:
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
    return await api.http.get("/graphql", params=values, headers=HEADERS)


def error_of(response: httpx2.Response) -> tuple[int, str]:
    (error,) = response.json()["errors"]
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, error["extensions"]["code"]


async def test_a_client_registers_a_document_by_sending_it_with_its_hash(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        for ask in (post, get):
            document = f"{SITE} # {ask.__name__}"
            by_hash = {"extensions": persisted(document)}
            unknown = await ask(api, **by_hash)
            assert error_of(unknown) == (404, "PERSISTED_QUERY_NOT_FOUND")
            assert unknown.json()["errors"][0]["message"] == "PersistedQueryNotFound"
            assert (await ask(api, query=document, **by_hash)).json() == NAMED
            assert (await ask(api, **by_hash)).json() == NAMED
            assert (await ask(api, documentId=f"sha256:{sha256(document)}")).json() == NAMED


async def test_a_response_to_a_document_by_hash_can_be_revalidated(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        await post(api, query=SITE, extensions=persisted(SITE))
        url = f"/graphql?documentId=sha256:{sha256(SITE)}"
        first = await api.http.get(url, headers=HEADERS)
        again = await api.http.get(url, headers=HEADERS | {"If-None-Match": first.headers["etag"]})
        assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


async def test_a_document_is_not_registered_under_a_wrong_hash(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        response = await post(api, query=MUTATION, extensions=persisted(SITE))
        assert error_of(response) == (400, "PERSISTED_QUERY_MISMATCH")
        assert error_of(await post(api, extensions=persisted(SITE))) == (404, "PERSISTED_QUERY_NOT_FOUND")
        assert (await post(api, query=SITE, extensions=persisted(SITE))).json() == NAMED
        assert error_of(await post(api, query=MUTATION, extensions=persisted(SITE)))[0] == 400
        assert (await post(api, extensions=persisted(SITE))).json() == NAMED


@pytest.mark.parametrize(
    "document", ["{ nowhere }", "{", "query ($a: Int!) { posts(first: $a) { totalCount } }"]
)
async def test_a_document_that_was_not_executed_is_not_registered(tmp_path: Path, document: str) -> None:
    async with serving(tmp_path) as api:
        assert (await post(api, query=document, extensions=persisted(document))).status_code in {400, 422}
        assert error_of(await post(api, extensions=persisted(document)))[0] == 404


@pytest.mark.one_worker
async def test_registered_documents_are_limited_and_the_least_recently_used_are_removed(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, max_persisted_document_bytes=1_000, max_persisted_bytes=2_000) as api:
        documents = [f"{{ site {{ name }} }} # {number} {'x' * 400}" for number in range(3)]
        for document in documents[:2]:
            await post(api, query=document, extensions=persisted(document))
        assert (await post(api, extensions=persisted(documents[0]))).status_code == 200
        for document in (documents[2], f"{SITE} # {'y' * 400}"):
            await post(api, query=document, extensions=persisted(document))
        statuses = [(await post(api, extensions=persisted(document))).status_code for document in documents]
        assert statuses == [200, 404, 200]

        large = f"{SITE} # {'x' * 1_000}"
        assert (await post(api, query=large, extensions=persisted(large))).json() == NAMED
        assert (await post(api, extensions=persisted(large))).status_code == 404


@pytest.mark.parametrize(
    "request_",
    [
        {"extensions": {"persistedQuery": None}},
        {"extensions": {"persistedQuery": 7}},
        {"extensions": {"persistedQuery": {}}},
        {"extensions": persisted(SITE, version=2)},
        {"extensions": persisted(SITE, version=True)},
        {"extensions": persisted(SITE, version="1")},
        {"extensions": persisted(SITE, sha256Hash=7)},
        {"extensions": persisted(SITE, sha256Hash=sha256(SITE).upper())},
        {"extensions": persisted(SITE, sha256Hash="../../etc/passwd")},
        {"documentId": "sha256:short"},
        {"documentId": f"md5:{sha256(SITE)}"},
        {"documentId": f"sha256:{sha256(SITE)}", "extensions": persisted(OTHER)},
    ],
)
async def test_an_invalid_document_id_is_rejected(tmp_path: Path, request_: dict[str, Any]) -> None:
    async with serving(tmp_path) as api:
        assert error_of(await post(api, **request_)) == (422, "BAD_REQUEST")


@pytest.mark.parametrize(
    "manifest",
    [
        {sha256(SITE): SITE},
        {f"sha256:{sha256(SITE)}": SITE},
        {"front-page": SITE},
        {
            "format": "apollo-persisted-query-manifest",
            "version": 1,
            "operations": [{"id": sha256(SITE), "name": "Site", "type": "query", "body": SITE}],
        },
    ],
    ids=["relay", "prefixed", "named", "apollo"],
)
async def test_only_documents_of_the_manifest_are_trusted(tmp_path: Path, manifest: dict[str, Any]) -> None:
    async with serving(tmp_path, manifest, only_trusted_documents=True) as api:
        for ask in (post, get):
            assert (await ask(api, documentId=f"sha256:{sha256(SITE)}")).json() == NAMED
            assert (await ask(api, extensions=persisted(SITE))).json() == NAMED
            assert (await ask(api, query=SITE)).json() == NAMED
            assert error_of(await ask(api, query=OTHER)) == (403, "DOCUMENT_NOT_TRUSTED")
            registering = await ask(api, query=OTHER, extensions=persisted(OTHER))
            assert error_of(registering) == (403, "DOCUMENT_NOT_TRUSTED")
            assert error_of(await ask(api, extensions=persisted(OTHER)))[0] == 404
            unknown = await ask(api, documentId=f"sha256:{sha256(OTHER)}")
            assert error_of(unknown) == (404, "PERSISTED_DOCUMENT_NOT_FOUND")
        if "front-page" in manifest:
            assert (await post(api, documentId="front-page")).json() == NAMED


async def test_a_manifest_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Shells of Windows write it when they redirect the output of a build."""
    path = tmp_path / "manifest.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({sha256(SITE): SITE}).encode())
    settings = HttpSettings(trusted_documents=str(path), only_trusted_documents=True)
    async with client(tmp_path / "store", settings=settings) as api:
        assert (await post(api, extensions=persisted(SITE))).json() == NAMED


async def test_an_optional_manifest_does_not_affect_other_documents(tmp_path: Path) -> None:
    async with serving(tmp_path, {sha256(SITE): SITE}) as api:
        assert (await post(api, query=OTHER)).status_code == 200
        assert (await post(api, query=OTHER, extensions=persisted(OTHER))).status_code == 200
        assert (await post(api, extensions=persisted(OTHER))).status_code == 200


async def test_a_trusted_mutation_is_not_executed_by_get(tmp_path: Path) -> None:
    async with serving(tmp_path, {sha256(MUTATION): MUTATION}, only_trusted_documents=True) as api:
        response = await get(api, documentId=f"sha256:{sha256(MUTATION)}")
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
        assert (await post(api, documentId=f"sha256:{sha256(MUTATION)}")).status_code == 200


async def test_registration_can_be_disabled(tmp_path: Path) -> None:
    async with serving(tmp_path, automatic_persisted_documents=False) as api:
        unknown = await post(api, extensions=persisted(SITE))
        assert error_of(unknown) == (404, "PERSISTED_QUERY_NOT_SUPPORTED")
        assert (await post(api, query=SITE, extensions=persisted(SITE))).json() == NAMED
        assert (await post(api, extensions=persisted(SITE))).status_code == 404


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a manifest"),
        (b"[]", "not a manifest"),
        (b"\xff", "not a manifest"),
        (b'{"a": 7}', "not a manifest"),
        (b'{"format": "other", "version": 1, "operations": []}', "format"),
        (b'{"format": "apollo-persisted-query-manifest", "version": 2, "operations": []}', "version 2"),
        (json.dumps({sha256(SITE): OTHER}).encode(), "does not have this SHA-256"),
        (json.dumps({"sha256:abc": OTHER}).encode(), "does not have this SHA-256"),
        (None, "cannot be read"),
    ],
)
async def test_an_invalid_manifest_stops_the_server(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "manifest.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadManifest, match=message):
        async with client(tmp_path / "store", settings=HttpSettings(trusted_documents=str(path))):
            pass


async def test_requiring_trusted_documents_needs_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(BadManifest, match="needs trusted_documents"):
        async with serving(tmp_path, only_trusted_documents=True):
            pass
