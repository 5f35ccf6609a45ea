"""The interface for a feature's part of the GraphQL schema.

This module imports strawberry, so manifests refer to their part of the schema with a string, which is loaded when it is
needed.
"""

from ledgerpress.graphql.access_control import AccessDenied
from ledgerpress.graphql.as_of import AsOf, moment_of
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.event_loader_and_payload_redaction import EventAccess
from ledgerpress.graphql.feature_declarations import NodeLoader, SchemaContribution, runs
from ledgerpress.graphql.input_rules import (
    clearable_field,
    given_value,
    given_value_or_null,
    kept_field,
    stated_field,
)
from ledgerpress.graphql.mutations import (
    AddedInput,
    MutationInput,
    Payload,
    command_mutation,
    run_command,
)
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection, connect_in_order_of_creation
from ledgerpress.graphql.relay.global_ids import Node
from ledgerpress.graphql.scalars import DateTime, Position
from ledgerpress.graphql.schema_error import SchemaError
from ledgerpress.graphql.viewer_node_and_projection_queries import Viewer
from ledgerpress.views.paging import PageRequest

__all__ = [
    "AccessDenied",
    "AddedInput",
    "AsOf",
    "BadRequest",
    "Connection",
    "DateTime",
    "EventAccess",
    "MutationInput",
    "Node",
    "NodeLoader",
    "PageRequest",
    "Payload",
    "PointInTime",
    "Position",
    "RequestInfo",
    "SchemaContribution",
    "SchemaError",
    "Viewer",
    "clearable_field",
    "command_mutation",
    "connect_in_order_of_creation",
    "given_value",
    "given_value_or_null",
    "global_ids",
    "kept_field",
    "moment_of",
    "run_command",
    "runs",
    "stated_field",
]
