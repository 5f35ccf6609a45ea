"""The schema is built from contributions: access is denied by default, and schemas do not influence each other."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, ClassVar, Final, NoReturn

import pytest
import strawberry
from graphql import GraphQLInputObjectType, GraphQLObjectType, graphql
from strawberry.types.field import StrawberryField

from ledgerpress.commands.client_identity import LOCAL_OPERATOR
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.roles_and_permissions import RequiredPermission
from ledgerpress.feature import load
from ledgerpress.features.posts.schema.mutations import PostCreateInput
from ledgerpress.features.posts.schema.types import Post
from ledgerpress.features.registry import FEATURES, FIRST_PARTY, graphql_schema
from ledgerpress.features.site import WRITE_SITE
from ledgerpress.features.site.schema import SCHEMA as SITE
from ledgerpress.features.site.schema import Site
from ledgerpress.graphql import cost_directives
from ledgerpress.graphql.access_control import GUARDED
from ledgerpress.graphql.context import PointInTime
from ledgerpress.graphql.feature_declarations import SchemaContribution
from ledgerpress.graphql.mutations import AddedInput
from ledgerpress.graphql.relay.global_ids import Node
from ledgerpress.graphql.request_telemetry_record import NO_TRACE
from ledgerpress.graphql.schema import Schema, build_schema
from ledgerpress.graphql.schema_error import SchemaError

COMMANDS: Final = FEATURES.declarations.commands
PERMISSIONS: Final = FEATURES.roles.contributed
READ_SITE: Final = RequiredPermission(WRITE_SITE)


@strawberry.type
class Visits:
    """Visits of the site."""

    count: int


@strawberry.type
class VisitQueries:
    """A query for visits."""

    @strawberry.field
    def visits(self) -> list[Visits]:
        """Return the visits."""
        return [Visits(count=3)]


@strawberry.type
class SiteFields:
    """Fields added to the site."""

    @strawberry.field
    @staticmethod
    def visits(first: int | None = None) -> Visits:
        """Return the visits."""
        return Visits(count=first or 7)


@dataclass(frozen=True)
class Tags:
    """The input of a command."""

    fingerprint_name: ClassVar[str] = "Tags"

    tags: tuple[str, ...]


@strawberry.input
class PostTags(AddedInput):
    """Inputs added to new posts."""

    tags: list[str] | None = None

    def command_input(self) -> Tags | None:
        """Return the tags."""
        return None if self.tags is None else Tags(tuple(self.tags))


@strawberry.type
class Visit(Node):
    """A visit with an id."""


@strawberry.type
class VisitIdQueries:
    """A query for a visit with an id."""

    visit: Visit | None = None


def load_visit(_: PointInTime, __: str) -> Node | None:
    """Return no visit."""
    return None


VISITS: Final = SchemaContribution(
    query=VisitQueries,
    extends={Site: SiteFields},
    permissions={"Query.visits": READ_SITE, "Site.visits": None},
    objects={"Visits": None},
    weights={"Site.visits": 4.0, "Site.name": 2.0},
    sizes={"Query.visits": 9},
)


def field(schema: Schema, coordinate: str) -> Any:
    """Return a field of an object type."""
    type_name, _, name = coordinate.partition(".")
    named = schema._schema.type_map[type_name]
    assert isinstance(named, GraphQLObjectType)
    return named.fields[name]


def test_a_feature_adds_fields_to_the_types_of_required_features() -> None:
    schema = build_schema(
        [SITE, VISITS], commands=COMMANDS, permissions=PERMISSIONS, error_codes=["TOO_MANY_VISITS"]
    )
    assert list(field(schema, "Query.site").type.of_type.fields)[-1] == "visits"
    assert cost_directives.weight_of(field(schema, "Site.visits")) == 4.0
    size = cost_directives.size_of(field(schema, "Query.visits"))
    assert size is not None
    assert size.assumed_size == 9
    assert field(schema, "Query.visits").extensions[GUARDED] == READ_SITE
    assert "TOO_MANY_VISITS" in schema._schema.type_map["ErrorCode"].values  # type: ignore[attr-defined]
    assert field(schema, "Site.visits").resolve(None, None) == Visits(count=7)


def test_schemas_with_different_features_do_not_influence_each_other() -> None:
    before = graphql_schema().as_str()
    alone = build_schema([SITE], commands=COMMANDS, permissions=PERMISSIONS).as_str()
    both = build_schema([SITE, VISITS], commands=COMMANDS, permissions=PERMISSIONS).as_str()
    assert build_schema([SITE], commands=COMMANDS, permissions=PERMISSIONS).as_str() == alone
    assert both not in {alone, before}
    assert "visits" not in alone
    assert graphql_schema().as_str() == before
    assert 'name: String @cost(weight: "2.0")' in both
    definition = field(
        build_schema([SITE, VISITS], commands=COMMANDS, permissions=PERMISSIONS), "Site.name"
    ).extensions["strawberry-definition"]
    shared = next(field_ for field_ in _fields(Site) if field_.python_name == "name")
    assert definition.directives
    assert not shared.directives


def _fields(type_: Any) -> list[StrawberryField]:
    fields: list[StrawberryField] = type_.__strawberry_definition__.fields
    return fields


@pytest.mark.parametrize(
    ("argument", "inputs"),
    [('tags: ["a", "b"]', (Tags(("a", "b")),)), ("tags: $tags", (Tags(("c",)),)), ("", ())],
)
async def test_a_feature_adds_fields_to_the_inputs_of_required_features(
    argument: str, inputs: tuple[Tags, ...]
) -> None:
    contributions = [load(feature.schema) for feature in FIRST_PARTY if feature.schema]
    contributions.append(SchemaContribution(extends={PostCreateInput: PostTags}))
    schema = build_schema(contributions, commands=COMMANDS, permissions=PERMISSIONS)
    requests = list[CommandRequest]()

    async def handle(_: object, request: CommandRequest) -> NoReturn:
        requests.append(request)
        raise Rejection(ErrorCode.BUSY, "Try again.")

    context = SimpleNamespace(
        store=SimpleNamespace(commands=SimpleNamespace(handle=handle)),
        identity=LOCAL_OPERATOR,
        trace=NO_TRACE,
    )
    variable = "($tags: [String!])" if "$" in argument else ""
    mutation = f'mutation {variable} {{ postCreate(input: {{ title: "A" {argument} }}) {{ userErrors {{ code }} }} }}'
    result = await graphql(schema._schema, mutation, context_value=context, variable_values={"tags": ["c"]})
    assert result.data == {"postCreate": {"userErrors": [{"code": "BUSY"}]}}
    assert [request.inputs for request in requests] == [inputs]
    alone = graphql_schema()._schema.type_map["PostCreateInput"]
    assert isinstance(alone, GraphQLInputObjectType)
    assert "tags" not in alone.fields


def test_a_mutation_requires_the_permission_of_its_command() -> None:
    needed = graphql_schema().declarations.permissions
    assert needed["Mutation.siteName"] == RequiredPermission(WRITE_SITE)
    with pytest.raises(SchemaError, match=r"Mutation\.siteName runs NameSite, which no feature declares"):
        build_schema([SITE])


@pytest.mark.parametrize(
    ("contribution", "error"),
    [
        (replace(VISITS, permissions={"Site.visits": None}), r"Query\.visits has no declared permission"),
        (replace(VISITS, permissions={"Query.visits": None}), r"Site\.visits has no declared permission"),
        (replace(VISITS, objects={}), "type Visits has no declared permission"),
        (replace(VISITS, weights={"Site.visit": 1.0}), r"Site\.visit is declared, but not in the schema"),
        (replace(VISITS, objects={"Visits": None, "Guest": None}), "Guest is declared, but not in the schema"),
        (replace(VISITS, nodes={"Visits": load_visit}), "Visits needs both the interface Node and a node loader"),
        (
            SchemaContribution(
                query=VisitIdQueries, permissions={"Query.visit": None}, objects={"Visit": None}
            ),
            "Visit needs both the interface Node and a node loader",
        ),
        (replace(VISITS, extends={Post: SiteFields}), "added to Post, which is not in the schema"),
        (
            replace(VISITS, permissions={**VISITS.permissions, "Query.site": None}),
            r"Two features declare a permission for Query\.site",
        ),
        (SITE, "Two features declare a permission"),
        (replace(VISITS, query=SiteFields, extends={Site: Site}), r"Site\.\w+ is added, but exists"),
    ],
)  # fmt: skip
def test_an_invalid_contribution_is_rejected(contribution: SchemaContribution, error: str) -> None:
    with pytest.raises(SchemaError, match=error):
        build_schema([SITE, contribution], commands=COMMANDS, permissions=PERMISSIONS)
