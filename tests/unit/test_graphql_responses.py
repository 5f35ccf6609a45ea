"""The status and headers of answers, for those that are hard to come by at the door."""

import pytest

from ledgerpress.graphql.results import Result, ResultKind, encoded, error_result
from ledgerpress.http.content_negotiation import GRAPHQL_RESPONSE, JSON
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.responses import GraphQLResponses, Response


class Standing:
    """A clock that stands still."""

    def now(self) -> int:
        return 1_000_000


def kept(etag: str | None, media_type: str = JSON, public_max_age: int = 0) -> dict[bytes, bytes]:
    result = Result(ResultKind.COMPLETE, b'{"data":{}}', 7, etag, Standing().now() + 30_500_000)
    answers = GraphQLResponses(HttpSettings(public_max_age=public_max_age), Standing())
    return dict(answers.cacheable(result, media_type, None, public=True).headers)


@pytest.mark.parametrize("settings", [HttpSettings(), HttpSettings.development()])
@pytest.mark.parametrize("media_type", [JSON, GRAPHQL_RESPONSE])
def test_a_failure_of_ours_is_one(settings: HttpSettings, media_type: str) -> None:
    errors = [{"message": "Something went wrong.", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]
    answers = GraphQLResponses(settings, Standing())
    failed = answers.uncacheable(encoded(error_result(errors, 0)), media_type)
    assert failed.status == 500
    assert b"ledgerpress-position" not in dict(failed.headers)

    quoted = encoded(error_result([{"message": 'No "code":"INTERNAL_SERVER_ERROR" here.'}], 7))
    assert GraphQLResponses(HttpSettings(), Standing()).uncacheable(quoted, GRAPHQL_RESPONSE).status == 422


def test_an_answer_that_fails_in_parts_is_no_failure() -> None:
    body = b'{"errors":[{"extensions":{"code":"INTERNAL_SERVER_ERROR"}}],"data":{"site":null}}'
    response: Response = GraphQLResponses(HttpSettings(), Standing()).uncacheable(
        Result(ResultKind.PARTIAL, body, 7), JSON
    )
    assert (response.status, dict(response.headers)[b"ledgerpress-position"]) == (200, b"7")


def test_an_answer_brings_its_own_tag() -> None:
    assert kept("abc")[b"etag"] == kept('"abc"')[b"etag"] == b'"jabc"'
    assert kept("abc", GRAPHQL_RESPONSE)[b"etag"] == b'"gabc"'


def test_nothing_is_kept_past_the_moment_at_which_the_clock_changes_it() -> None:
    assert kept(None, public_max_age=600)[b"cache-control"] == b"public, max-age=30"
    assert kept(None, public_max_age=10)[b"cache-control"] == b"public, max-age=10"
    assert kept(None)[b"cache-control"] == b"public, no-cache"
