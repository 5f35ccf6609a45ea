"""Plans: a query as a tree of functions, for one combination of its @skip and @include conditions."""

from collections.abc import Callable
from typing import Any, Final

from graphql import (
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLNonNull,
    GraphQLObjectType,
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

from ledgerpress.graphql.compiled.arguments import RequestedField
from ledgerpress.graphql.compiled.completion import (
    Completer,
    Completion,
    PlainList,
    completion,
    custom_scalar,
    identity_class,
    leaf_serializer,
    needs_info,
    null_error,
)
from ledgerpress.graphql.compiled.execution_state import (
    DeadlineExceeded,
    Execution,
    Field,
    PathNode,
    Unsupported,
    check_value,
)
from ledgerpress.graphql.compiled.field_resolvers import Resolver, attribute_of, method_of, resolver_of
from ledgerpress.graphql.compiled.object_fields import (
    CompiledField,
    LeafSerializer,
    ObjectFields,
    PlainField,
    object_fields,
)
from ledgerpress.graphql.documents import Operation
from ledgerpress.graphql.limits.exceeded import TimeLimitExceeded

MAX_FIELDS: Final = 4_000
"""An operation with more fields is executed by graphql-core."""


class Plan:
    """An operation as functions. The fields of an object are compiled when the first such object appears."""

    def __init__(self, operation: Operation, conditions: VariableValues) -> None:
        """`conditions` are the variables in @skip and @include. Raises `Unsupported`."""
        root_type = operation.schema.get_root_type(operation.type)
        if operation.type is OperationType.SUBSCRIPTION or operation.node.directives or root_type is None:
            raise Unsupported("a subscription, or an operation with directives")
        fragments = [
            node for node in operation.document.definitions if isinstance(node, FragmentDefinitionNode)
        ]
        if any(fragment.variable_definitions for fragment in fragments):
            raise Unsupported("fragments with variables")
        self._schema = operation.schema
        self._operation = operation.node
        self._fragments = {fragment.name.value: FragmentDetails(fragment) for fragment in fragments}
        self._conditions = conditions
        self._hide_suggestions = not operation.limits.suggestions
        self._root_type: GraphQLObjectType = root_type
        self._fields: ObjectFields | None = None
        self._count = 0

    def execute(self, variables: VariableValues, context: Any, root: Any) -> ExecutionResult:
        """Execute the operation. Raises `Unsupported` before it does anything that cannot be repeated."""
        execution = self._execution(variables, context, getattr(context, "deadline", None))
        data: dict[str, Any] | None = None
        try:
            if self._fields is None:
                self._fields = self._compiled(self._root_type, self._root_fields())
            data = self._fields.complete(root, None, execution)
        except GraphQLError as error:
            execution.errors.append(error)
        except DeadlineExceeded:
            return ExecutionResult(None, [TimeLimitExceeded()])
        return ExecutionResult(data, execution.errors or None)

    def _execution(self, variables: VariableValues, context: Any, deadline: float | None) -> Execution:
        parts = (self._schema, self._fragments, self._operation, self._hide_suggestions)
        return Execution(parts, variables, context, deadline)

    def _root_fields(self) -> GroupedFieldSet:
        collected = collect_fields(
            self._schema,
            self._fragments,
            self._conditions,
            self._root_type,
            self._operation,
            self._hide_suggestions,
        )
        return collected.grouped_field_set

    def _subfields(self, type_: GraphQLObjectType, group: FieldDetailsList) -> ObjectFields:
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

    def _compiled(self, parent: GraphQLObjectType, groups: GroupedFieldSet) -> ObjectFields:
        self._count += len(groups)
        if self._count > MAX_FIELDS:
            raise Unsupported("very many fields")
        return object_fields([self._field(parent, key, group) for key, group in groups.items()])

    def _field(self, parent: GraphQLObjectType, key: str, group: FieldDetailsList) -> CompiledField:
        requested = self._requested(parent, key, group)
        if requested is None:
            typename = parent.name
            return CompiledField(key, lambda _source, _path, _execution: typename)
        definition = requested.definition
        inner = definition.type.of_type if isinstance(definition.type, GraphQLNonNull) else definition.type
        if is_leaf_type(inner):
            serialize = leaf_serializer(inner)
            if attribute := attribute_of(requested):
                plain = PlainField(
                    attribute,
                    serialize,
                    identity_class(inner),
                    isinstance(definition.type, GraphQLNonNull),
                    custom_scalar(inner),
                )
                return CompiledField(key, _attribute(requested, plain), plain)
            if method := method_of(requested):
                return CompiledField(key, _method_value(requested, method, serialize, identity_class(inner)))
            return CompiledField(key, _value(requested, resolver_of(requested), serialize))
        return CompiledField(key, self._composite(requested, group))

    def _requested(
        self, parent: GraphQLObjectType, key: str, group: FieldDetailsList
    ) -> RequestedField | None:
        """Return a requested field; `None` for `__typename`."""
        nodes = [details.node for details in group]
        name = nodes[0].name.value
        if name == "__typename":
            return None
        definition = self._schema.get_field(parent, name)
        if definition is None or name.startswith("__"):
            raise Unsupported("introspection")
        return RequestedField(self._schema, parent, key, definition, nodes, self._hide_suggestions)

    def _completion(self, requested: RequestedField, group: FieldDetailsList) -> Completion:
        """Return how the values of a field are completed."""
        type_ = requested.definition.type
        return completion(type_, requested, group, lambda type_: self._subfields(type_, group))

    def _composite(self, requested: RequestedField, group: FieldDetailsList) -> Field:
        type_, nodes, key, parent_name = (
            requested.definition.type,
            requested.nodes,
            requested.key,
            requested.parent.name,
        )
        non_null, with_info = isinstance(type_, GraphQLNonNull), needs_info(type_)
        attribute = attribute_of(requested)
        resolver = _attribute_resolver(attribute) if attribute else resolver_of(requested)
        complete, plain = self._completion(requested, group)
        method = method_of(requested)
        if method is not None and plain is not None and not with_info:
            return _list_of_objects(requested, method, complete, plain)

        def field(source: Any, path: PathNode | None, execution: Execution) -> Any:
            here: PathNode = (path, key, parent_name)
            try:
                value = resolver(source, here, execution)
                completed = complete(
                    value, here, execution, requested.info(here, execution) if with_info else None
                )
                if completed is None and non_null:
                    raise null_error(requested)
            except Exception as error:  # noqa: BLE001 - any exception of a resolver is in the response
                return execution.fail(error, nodes, here, non_null=non_null)
            return completed

        return field


def _list_of_objects(
    requested: RequestedField, method: Callable[[Any], Any], complete: Completer, plain: PlainList
) -> Field:
    """Return the function of a field whose method returns a list of objects, mostly with plain fields only."""
    nodes, key, parent_name = requested.nodes, requested.key, requested.parent.name
    non_null = isinstance(requested.definition.type, GraphQLNonNull)

    def field(source: Any, path: PathNode | None, execution: Execution) -> Any:
        try:
            value = method(source)
            if type(value) is list and (completed := plain(value, execution)) is not None:
                return completed
            check_value(value)
            completed = complete(value, (path, key, parent_name), execution, None)
            if completed is None and non_null:
                raise null_error(requested)
        except Exception as error:  # noqa: BLE001 - any exception of a resolver is in the response
            return execution.fail(error, nodes, (path, key, parent_name), non_null=non_null)
        return completed

    return field


def _attribute_resolver(attribute: str) -> Resolver:
    return lambda source, _path, _execution: getattr(source, attribute)


def _attribute(requested: RequestedField, plain: PlainField) -> Field:
    nodes, key, parent_name = requested.nodes, requested.key, requested.parent.name
    attribute, serialize, kind, non_null, _ = plain

    def field(source: Any, path: PathNode | None, execution: Execution) -> Any:
        try:
            value = getattr(source, attribute)
            if type(value) is kind:
                return value
            value = serialize(value)
            if value is None and non_null:
                raise null_error(requested)
        except Exception as error:  # noqa: BLE001 - any exception of a property is in the response
            return execution.fail(error, nodes, (path, key, parent_name), non_null=non_null)
        return value

    return field


def _method_value(
    requested: RequestedField, method: Callable[[Any], Any], serialize: LeafSerializer, kind: type | None
) -> Field:
    nodes, key, parent_name = requested.nodes, requested.key, requested.parent.name
    non_null = isinstance(requested.definition.type, GraphQLNonNull)

    def field(source: Any, path: PathNode | None, execution: Execution) -> Any:
        try:
            value = method(source)
            if type(value) is kind:
                return value
            check_value(value)
            value = serialize(value)
            if value is None and non_null:
                raise null_error(requested)
        except Exception as error:  # noqa: BLE001 - any exception of a resolver is in the response
            return execution.fail(error, nodes, (path, key, parent_name), non_null=non_null)
        return value

    return field


def _value(requested: RequestedField, resolver: Resolver, serialize: LeafSerializer) -> Field:
    nodes, key, parent_name = requested.nodes, requested.key, requested.parent.name
    non_null = isinstance(requested.definition.type, GraphQLNonNull)

    def field(source: Any, path: PathNode | None, execution: Execution) -> Any:
        here: PathNode = (path, key, parent_name)
        try:
            value = serialize(resolver(source, here, execution))
            if value is None and non_null:
                raise null_error(requested)
        except Exception as error:  # noqa: BLE001 - any exception of a resolver is in the response
            return execution.fail(error, nodes, here, non_null=non_null)
        return value

    return field
