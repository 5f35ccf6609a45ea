"""Plans: an operation as a tree of functions, for one choice of what @skip and @include leave in it."""

from typing import Any, Final

from graphql import (
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    OperationType,
    is_leaf_type,
)
from graphql.execution.collect_fields import (
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues

from ledgerpress.graphql.compiled.completion import completer, needs_info, no_null
from ledgerpress.graphql.compiled.execution import DeadlineExceeded, Execution, Field, Place, Unsupported
from ledgerpress.graphql.compiled.field_resolvers import Asked, Resolver, attribute_of, resolver_of
from ledgerpress.graphql.compiled.leaf_serializers import Leaf, leaf, unchanged
from ledgerpress.graphql.documents import Operation

MOST_FIELDS: Final = 4_000
"""A plan with more fields is not kept: graphql-core executes the operation."""


class Plan:
    """An operation as functions. Fields are compiled when an object that has them comes first."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: Operation,
        conditions: VariableValues,
        *,
        hide_suggestions: bool = False,
    ) -> None:
        """`conditions` are the variables that @skip and @include name. Raises `Unsupported`."""
        if operation.type is not OperationType.QUERY or operation.node.directives:
            raise Unsupported("an operation that is more than a query")
        fragments = [one for one in operation.document.definitions if isinstance(one, FragmentDefinitionNode)]
        if any(one.variable_definitions for one in fragments) or schema.query_type is None:
            raise Unsupported("fragments with variables")
        self._schema = schema
        self._operation = operation.node
        self._fragments = {one.name.value: FragmentDetails(one) for one in fragments}
        self._conditions = conditions
        self._hide_suggestions = hide_suggestions
        self._query: GraphQLObjectType = schema.query_type
        self._fields: tuple[tuple[str, Field], ...] | None = None
        self._count = 0

    def execute(
        self, variables: VariableValues, context: Any, root: Any = None, deadline: float | None = None
    ) -> ExecutionResult:
        """Execute the operation. Raises `Unsupported`, with nothing done that cannot be done again."""
        parts = (self._schema, self._fragments, self._operation, self._hide_suggestions)
        run = Execution(parts, variables, context, deadline)
        data: dict[str, Any] | None = None
        try:
            if self._fields is None:
                self._fields = self._root_fields()
            data = {key: field(root, None, run) for key, field in self._fields}
        except GraphQLError as error:
            run.errors.append(error)
        except DeadlineExceeded as late:
            return ExecutionResult(None, [late.error])
        return ExecutionResult(data, run.errors or None)

    def _root_fields(self) -> tuple[tuple[str, Field], ...]:
        collected = collect_fields(
            self._schema,
            self._fragments,
            self._conditions,
            self._query,
            self._operation,
            self._hide_suggestions,
        )
        return self._compiled(self._query, collected.grouped_field_set)

    def _sub_fields(self, type_: GraphQLObjectType, group: FieldDetailsList) -> tuple[tuple[str, Field], ...]:
        collected = collect_subfields(
            self._schema,
            self._fragments,
            self._conditions,
            self._operation,
            type_,
            group,
            self._hide_suggestions,
        )
        return self._compiled(type_, collected.grouped_field_set)

    def _compiled(self, parent: GraphQLObjectType, groups: GroupedFieldSet) -> tuple[tuple[str, Field], ...]:
        self._count += len(groups)
        if self._count > MOST_FIELDS:
            raise Unsupported("very many fields")
        return tuple((key, self._field(parent, key, group)) for key, group in groups.items())

    def _field(self, parent: GraphQLObjectType, key: str, group: FieldDetailsList) -> Field:
        nodes = [details.node for details in group]
        name = nodes[0].name.value
        if name == "__typename":
            typename = parent.name
            return lambda _source, _place, _run: typename
        definition = self._schema.get_field(parent, name)
        if definition is None or name.startswith("__"):
            raise Unsupported("introspection")
        asked = Asked(self._schema, parent, key, definition, nodes, self._hide_suggestions)
        inner = definition.type.of_type if isinstance(definition.type, GraphQLNonNull) else definition.type
        if is_leaf_type(inner):
            put_out = leaf(inner)
            attribute = attribute_of(asked)
            return (
                _attribute(asked, attribute, put_out, unchanged(inner))
                if attribute
                else _value(asked, resolver_of(asked), put_out)
            )
        return self._composite(asked, group)

    def _composite(self, asked: Asked, group: FieldDetailsList) -> Field:
        type_, nodes, key, parent_name = asked.definition.type, asked.nodes, asked.key, asked.parent.name
        non_null, told = isinstance(type_, GraphQLNonNull), needs_info(type_)
        attribute = attribute_of(asked)
        resolver = _getting(attribute) if attribute else resolver_of(asked)
        complete = completer(type_, asked, group, lambda one: self._sub_fields(one, group))

        def field(source: Any, place: Place | None, run: Execution) -> Any:
            here: Place = (place, key, parent_name)
            try:
                value = resolver(source, here, run)
                completed = complete(value, here, run, asked.info(here, run) if told else None)
                if completed is None and non_null:
                    raise no_null(asked)
            except Exception as error:  # noqa: BLE001 - whatever a resolver raises stands in the answer
                return run.fail(error, nodes, here, non_null=non_null)
            return completed

        return field


def _getting(attribute: str) -> Resolver:
    return lambda source, _place, _run: getattr(source, attribute)


def _attribute(asked: Asked, attribute: str, put_out: Leaf, kind: type | None) -> Field:
    nodes, key, parent_name = asked.nodes, asked.key, asked.parent.name
    non_null = isinstance(asked.definition.type, GraphQLNonNull)

    def field(source: Any, place: Place | None, run: Execution) -> Any:
        try:
            value = getattr(source, attribute)
            if type(value) is kind:
                return value
            value = put_out(value)
            if value is None and non_null:
                raise no_null(asked)
        except Exception as error:  # noqa: BLE001 - whatever a property raises stands in the answer
            return run.fail(error, nodes, (place, key, parent_name), non_null=non_null)
        return value

    return field


def _value(asked: Asked, resolver: Resolver, put_out: Leaf) -> Field:
    nodes, key, parent_name = asked.nodes, asked.key, asked.parent.name
    non_null = isinstance(asked.definition.type, GraphQLNonNull)

    def field(source: Any, place: Place | None, run: Execution) -> Any:
        here: Place = (place, key, parent_name)
        try:
            value = put_out(resolver(source, here, run))
            if value is None and non_null:
                raise no_null(asked)
        except Exception as error:  # noqa: BLE001 - whatever a resolver raises stands in the answer
            return run.fail(error, nodes, here, non_null=non_null)
        return value

    return field
