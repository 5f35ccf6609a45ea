"""The contract suite for authors of features: what LedgerPress requires of a feature, checked on a scenario of its own.

Tests alone import it. It needs `pip install 'ledgerpress[testing]'`, and works with any test runner; with pytest::

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

Each check records the scenario in a new store. `check.run(tmp_path, log="postgresql://…")` does so in another engine: any
URL at which there is no log yet. A failure is a `ContractViolation`; it names the feature, the probe (the query or the page,
and as whom it was asked), the position, the event type, and what to do.

The checks, by name:

`declarations`
    The names are within the feature's namespace, the schema can be built (so each root field, added field, object and
    mutation has a declared permission), and a `DependencyRule` covers each event type.
`coverage`
    The scenario records each event type. The queries read each field of `Query`, each added field, and each field of the
    feature's objects, and get a value of each somewhere; `pages` has each page. No probe fails. Each command that is run is declared with a permission. Without this, the other
    checks would say nothing about what is missing.
`stored-versions`
    Each event is the same after it is recorded and read. There is an upcaster for each older version of an event type, and
    a sample of each (`samples`) is read as the newest version.
`rebuild`
    Following the log event by event, all at once, in threes, and again after a rollback give the same rows. Projectors call
    no clock and no source of randomness, in Python or in SQL.
`past`
    For each position p: each query as of p in the whole store equals the same query in a store whose log ends at p.
`cache`
    A store follows the log event by event. Each query and page is asked through the whole application before each event,
    as an anonymous client and as one who may do everything, and so cached; after the event the answer equals one that is
    computed without a cache.
`permissions`
    What requires a permission is refused to anonymous clients and to clients with every other permission, after the
    answer was cached for somebody else: root fields, added fields, fields of objects, commands. Nothing is recorded.
`withdrawal`
    The payload of each event of the scenario, alone, can be withdrawn: projectors and `evolve` accept it. Then an event of
    each type of the feature is withdrawn in the store: its text is in no table, answer or page any more, cached answers are
    true, and rebuilt views equal the store's.
`switch`
    Views are rebuilt and switched while the probes are asked: the rebuilt rows equal those served, and no answer changes.
`absence`
    A process without the feature passes over its events, on the same directory. When the feature is back, each answer is
    the same. For third-party features only.

`StoreClient` has the time of the store (`now`, `advance`), clients of each role (`identity`), and `verify`, too.

What it does not check: races of commands with guards, routes (`Feature.routes`), settings, and the program's commands.
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
