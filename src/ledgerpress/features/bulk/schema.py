"""The mutation `bulk`: its input, its payload, and the checks before any command is executed."""

from enum import Enum
from typing import Final

import strawberry

from ledgerpress.commands import text_rules
from ledgerpress.commands.errors import Rejection
from ledgerpress.commands.text_rules import MAX_IDEMPOTENCY_KEY, MAX_NOTE
from ledgerpress.features.bulk.execution import BulkRequest, execute_individually, execute_together
from ledgerpress.graphql.context import RequestInfo
from ledgerpress.graphql.feature_declarations import SchemaContribution
from ledgerpress.graphql.mutations import Payload, UserError, user_error

MAX_KEY: Final = MAX_IDEMPOTENCY_KEY - 10
"""The maximum number of characters of the key of a bulk request: the keys of its commands are longer."""


@strawberry.enum(description="How the commands of a bulk request are executed.")
class BulkMode(Enum):
    ATOMIC = strawberry.enum_value(
        "ATOMIC", description="All of them or, if one is rejected, none. They are recorded in one step."
    )
    INDIVIDUAL = strawberry.enum_value(
        "INDIVIDUAL",
        description="One after the other. If one is rejected, the others are executed all the same.",
    )


@strawberry.input(
    one_of=True, description="A command: the name of a mutation, with the input of that mutation."
)
class BulkCommand:
    pass


@strawberry.input
class BulkInput:
    mode: BulkMode
    commands: list[BulkCommand] = strawberry.field(
        description="Each command is decided on the state after the commands before it."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=f"At most {MAX_KEY} characters. A request that is repeated with the same key takes effect once. A"
        " command without a key of its own has this key with `/` and its index. In the mode `ATOMIC`, commands have no"
        " keys of their own.",
    )
    reason: str | None = strawberry.field(
        default=None, description="The reason for the changes of those commands that have none of their own."
    )


@strawberry.type
class BulkPayload:
    results: list[Payload] = strawberry.field(
        description="The results of the commands, in the order of the commands: payloads of their mutations, with the"
        " objects as they are after the last command. Empty if the request as a whole was rejected."
    )
    user_errors: list[UserError] = strawberry.field(
        description="The reasons why the request as a whole was rejected: no command was executed."
    )


@strawberry.type
class BulkMutations:
    @strawberry.mutation(
        description="Execute many commands, all or none of them, or each on its own. The user needs the permissions of"
        " all of them; otherwise none is executed."
    )
    async def bulk(self, info: RequestInfo, input: BulkInput) -> BulkPayload:
        try:
            request = await BulkRequest.of(
                info,
                key=_checked_key(input.idempotency_key),
                reason=text_rules.optional_text(input.reason, field="reason", limit=MAX_NOTE),
                are_together=input.mode is BulkMode.ATOMIC,
            )
            execute = execute_together if request.are_together else execute_individually
            return BulkPayload(results=await execute(request), user_errors=[])
        except Rejection as rejection:
            return BulkPayload(results=[], user_errors=[await user_error(info, rejection)])


def _checked_key(key: str | None) -> str | None:
    if key is None:
        return None
    return text_rules.line(key, field="idempotencyKey", limit=MAX_KEY)


SCHEMA: Final = SchemaContribution(
    mutation=BulkMutations,
    permissions={"Mutation.bulk": None},
    objects={"BulkPayload": None},
    command_choice=BulkCommand,
    list_arguments={"Mutation.bulk": "input.commands"},
    sized_fields={"Mutation.bulk": ("results",)},
)
