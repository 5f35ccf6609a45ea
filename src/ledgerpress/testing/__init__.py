"""The contract suite for authors of features: it checks that a feature meets the requirements of LedgerPress.

Only tests import it. It needs `pip install 'ledgerpress[testing]'` and works with any test runner. With pytest::

    async def scenario(client: StoreClient) -> dict[str, str]:
        post = await client.create(CreatePost(title="Tide", body="Low."))
        await client.mutate("postCheck", {"id": client.global_id("Post", post), "check": {"passed": False}})
        await client.command(PublishPost(post_id=post), rejected="X_FACTCHECK_FAILED")
        return {"article": client.global_id("Article", post)}

    CONTRACT = FeatureContract(
        FEATURE,
        scenario=scenario,
        queries=["query ($article: ID!) { article(id: $article) { factChecks { passed note } } }"],
        pages=["/factchecks"],
    )

    @pytest.mark.parametrize("check", CONTRACT.checks, ids=str)
    def test_contract(check: Check, tmp_path: Path) -> None:
        check.run(tmp_path)

Each check records the scenario in a new store. `check.run(tmp_path, log="postgresql://…")` uses another engine: any
URL at which there is no log yet. A failure is a `ContractViolation`. It names the feature, the probe (the query or the
page, and the client), the position, the event type, and what to do.

The checks, by name:

`declarations`
    All names are in the feature's namespace. The schema can be built, so each root field, added field, object and
    mutation has a declared permission. A `DependencyRule` covers each event type.
`coverage`
    The scenario records each event type. The queries read each field of `Query`, each added field, and each field of
    the feature's objects, and each field has a value in at least one response. `pages` contains an example of each
    page. No probe fails. Each command that the scenario runs is declared with a permission. The other checks do not
    cover anything that is missing here.
`stored-versions`
    Each event is the same after it is recorded and read. Each older version of an event type has an upcaster and a
    sample (`samples`), and the sample is read as the newest version.
`rebuild`
    The rows are the same if the events are applied one by one, three at a time, all at once, or again after a rollback.
    Projectors use no clock and no source of randomness, neither in Python nor in SQL.
`past`
    For each position p, each query as of p in the complete store has the same result as in a store whose log ends at p.
`cache`
    A store follows the log event by event. Before each event, an anonymous client and a client with all permissions
    request each query and page from the complete application, so that the responses are cached. After the event, each
    response equals a response that is computed without a cache.
`permissions`
    Root fields, added fields, fields of objects and commands that require a permission are denied to anonymous clients
    and to clients that have all other permissions, even after the response was cached for another client. Nothing is
    recorded.
`withdrawal`
    The payload of each event of the scenario can be withdrawn: projectors and `evolve` accept the event without it.
    Then the payload of one event of each type of the feature is withdrawn in the store. Its text is no longer in any
    table, response or page, no cached response is stale, and rebuilt views equal the views of the store.
`switch`
    Views are rebuilt and switched while the probes run: the rebuilt rows equal the current rows, and no response
    changes.
`absence`
    A process without the feature uses the same directory and ignores the feature's events. When the feature is
    installed again, each response is the same as before. For third-party features only.

`StoreClient` also controls the time of the store (`now`, `advance`), returns clients with a role (`identity`), and
verifies the store (`verify`).

The suite does not check races between commands and guards, routes (`Feature.routes`), settings, and commands of the
command line.
"""

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR
from ledgerpress.eventlog.clock_randomness_ids import Clock
from ledgerpress.testing.contract_violation import ContractViolation
from ledgerpress.testing.definition import Scenario
from ledgerpress.testing.feature_contract import Check, FeatureContract
from ledgerpress.testing.store_client import Answer, StoreClient, open_client

__all__ = [
    "ANONYMOUS",
    "LOCAL_OPERATOR",
    "Answer",
    "Check",
    "Clock",
    "ContractViolation",
    "FeatureContract",
    "Scenario",
    "StoreClient",
    "open_client",
]
