"""Validation of variables in `@oneOf` inputs (specification, section 5.6.1), where graphql-core validates only some."""

from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLInputObjectType,
    NonNullTypeNode,
    ObjectFieldNode,
    OperationDefinitionNode,
    ValidationContext,
    ValidationRule,
    VariableNode,
    get_named_type,
)


class NonNullVariablesInOneOfRule(ValidationRule):
    """Report variables that may be null as the value of a field of a `@oneOf` input.

    graphql-core's `VariablesInAllowedPositionRule` reports those in inputs of a nullable type. This rule reports the
    others: those in inputs of a non-null type, and in lists.
    """

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.context: ValidationContext = context
        self._one_of_by_variable: dict[int, GraphQLInputObjectType] = {}

    def enter_object_field(self, node: ObjectFieldNode, *_: Any) -> None:
        """Note a variable in a `@oneOf` input."""
        type_ = self.context.get_parent_input_type()
        input_type = get_named_type(type_)
        if (
            isinstance(node.value, VariableNode)
            and isinstance(input_type, GraphQLInputObjectType)
            and input_type.is_one_of
            and type_ is not input_type
        ):
            self._one_of_by_variable[id(node.value)] = input_type

    def leave_document(self, node: DocumentNode, *_: Any) -> None:
        """Compare the variables with their definitions, which are in the operations that use the fragments."""
        if not self._one_of_by_variable:
            return
        for operation in node.definitions:
            if isinstance(operation, OperationDefinitionNode):
                self._check(operation)

    def _check(self, operation: OperationDefinitionNode) -> None:
        definitions = {
            definition.variable.name.value: definition for definition in operation.variable_definitions or ()
        }
        for usage in self.context.get_recursive_variable_usages(operation):
            input_type = self._one_of_by_variable.get(id(usage.node))
            definition = definitions.get(usage.node.name.value)
            if input_type and definition and not isinstance(definition.type, NonNullTypeNode):
                self.report_error(
                    GraphQLError(
                        f"Variable '${usage.node.name.value}' may be null, but a field of the OneOf Input Object "
                        f"'{input_type}' must not be. Declare the variable with '!'.",
                        [definition, usage.node],
                    )
                )
