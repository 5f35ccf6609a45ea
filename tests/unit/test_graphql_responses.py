"""The status and headers of answers, for those that are hard to come by at the door."""

import pytest

from ledgerpress.graphql.response_cache import EncodedResponse
from ledgerpress.http.content_negotiation import GRAPHQL_RESPONSE, JSON
from ledgerpress.http.graphql.graphql_responses import GraphQLResponses, Response
from ledgerpress.http.settings import HttpSettings


class Standing:
    """A clock that stands still."""

    def now(self) -> int:
        return 1_000_000


def kept(etag: str | None, media_type: str = JSON, public_max_age: int = 0) -> dict[bytes, bytes]:
    ready = EncodedResponse(b'{"data":{}}', 7, True, etag, Standing().now() + 30_500_000)
    answers = GraphQLResponses(HttpSettings(public_max_age=public_max_age), Standing())
    return dict(answers.kept(ready, media_type, None, public=True).headers)


@pytest.mark.parametrize("settings", [HttpSettings(), HttpSettings.development()])
@pytest.mark.parametrize("media_type", [JSON, GRAPHQL_RESPONSE])
def test_a_failure_of_ours_is_one(settings: HttpSettings, media_type: str) -> None:
    body = b'{"errors":[{"message":"Something went wrong.","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}'
    answers = GraphQLResponses(settings, Standing())
    failed = answers.answered(EncodedResponse(body, 0, False), media_type, 400)
    assert failed.status == 500
    assert b"ledgerpress-position" not in dict(failed.headers)

    quoted = b'{"errors":[{"message":"No \\"code\\":\\"INTERNAL_SERVER_ERROR\\" here."}]}'
    assert answers.answered(EncodedResponse(quoted, 7, False), GRAPHQL_RESPONSE, 422).status == 422


def test_an_answer_that_fails_in_parts_is_no_failure() -> None:
    body = b'{"errors":[{"extensions":{"code":"INTERNAL_SERVER_ERROR"}}],"data":{"site":null}}'
    response: Response = GraphQLResponses(HttpSettings(), Standing()).answered(
        EncodedResponse(body, 7, True), JSON, 400
    )
    assert (response.status, dict(response.headers)[b"ledgerpress-position"]) == (200, b"7")


def test_an_answer_brings_its_own_tag() -> None:
    assert kept("abc")[b"etag"] == kept('"abc"')[b"etag"] == b'"jabc"'
    assert kept("abc", GRAPHQL_RESPONSE)[b"etag"] == b'"gabc"'


def test_nothing_is_kept_past_the_moment_at_which_the_clock_changes_it() -> None:
    assert kept(None, public_max_age=600)[b"cache-control"] == b"public, max-age=30"
    assert kept(None, public_max_age=10)[b"cache-control"] == b"public, max-age=10"
    assert kept(None)[b"cache-control"] == b"public, no-cache"
