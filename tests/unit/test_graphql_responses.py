"""Status and headers of responses, for cases that are hard to produce over HTTP."""

import pytest

from ledgerpress.graphql.results import Result, ResultKind, encoded, error_result
from ledgerpress.http.content_negotiation import GRAPHQL_RESPONSE, JSON
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.responses import GraphQLResponses, Response


class FixedClock:
    """A clock that always shows the same time."""

    def now(self) -> int:
        return 1_000_000


def headers_of(etag: str | None, media_type: str = JSON, public_max_age: int = 0) -> dict[bytes, bytes]:
    result = Result(ResultKind.COMPLETE, b'{"data":{}}', 7, etag, FixedClock().now() + 30_500_000)
    responses = GraphQLResponses(HttpSettings(public_max_age=public_max_age), FixedClock())
    return dict(responses.cacheable(result, media_type, None, public=True).headers)


@pytest.mark.parametrize("settings", [HttpSettings(), HttpSettings.development()])
@pytest.mark.parametrize("media_type", [JSON, GRAPHQL_RESPONSE])
def test_an_internal_error_has_the_status_500(settings: HttpSettings, media_type: str) -> None:
    errors = [{"message": "Something went wrong.", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]
    responses = GraphQLResponses(settings, FixedClock())
    failed = responses.uncacheable(encoded(error_result(errors, 0)), media_type)
    assert failed.status == 500
    assert b"ledgerpress-position" not in dict(failed.headers)

    quoted = encoded(error_result([{"message": 'No "code":"INTERNAL_SERVER_ERROR" here.'}], 7))
    assert GraphQLResponses(HttpSettings(), FixedClock()).uncacheable(quoted, GRAPHQL_RESPONSE).status == 422


def test_a_partial_error_has_the_status_200() -> None:
    body = b'{"errors":[{"extensions":{"code":"INTERNAL_SERVER_ERROR"}}],"data":{"site":null}}'
    response: Response = GraphQLResponses(HttpSettings(), FixedClock()).uncacheable(
        Result(ResultKind.PARTIAL, body, 7), JSON
    )
    assert (response.status, dict(response.headers)[b"ledgerpress-position"]) == (200, b"7")


def test_the_etag_depends_on_the_media_type() -> None:
    assert headers_of("abc")[b"etag"] == headers_of('"abc"')[b"etag"] == b'"jabc"'
    assert headers_of("abc", GRAPHQL_RESPONSE)[b"etag"] == b'"gabc"'


def test_max_age_ends_when_the_clock_changes_the_response() -> None:
    assert headers_of(None, public_max_age=600)[b"cache-control"] == b"public, max-age=30"
    assert headers_of(None, public_max_age=10)[b"cache-control"] == b"public, max-age=10"
    assert headers_of(None)[b"cache-control"] == b"public, no-cache"
