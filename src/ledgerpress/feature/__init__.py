"""The interface for first-party and third-party features: see `docs/how-to/extend.md`.

A feature is a folder or a package that owns one concept, from its events to its pages. Its `Feature`, the manifest,
lists everything that it adds. This module exports the manifest and everything that a feature needs for commands and
projections. `ledgerpress.feature.schema` exports what it needs for the GraphQL schema, `ledgerpress.feature.pages` what
it needs for pages.
"""

from ledgerpress.commands import text_rules
from ledgerpress.commands.client_identity import Identity
from ledgerpress.commands.command_and_guard_declarations import (
    AddedEvents,
    Command,
    CommandDeclaration,
    GuardDeclaration,
    InputDeclaration,
    commands,
)
from ledgerpress.commands.command_request_and_context import CommandContext, CommandRequest, Facts
from ledgerpress.commands.content_field_declarations_and_revert import ContentDeclaration, ContentField
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.roles_and_permissions import (
    READ_HISTORY,
    READ_OPERATIONS,
    WRITE_OPERATIONS,
    Permission,
    PermissionDenied,
    RequiredPermission,
    Role,
)
from ledgerpress.commands.streams_and_append_plan import (
    AppendPlan,
    LoadedStream,
    PlannedWrite,
    StreamCategory,
)
from ledgerpress.eventlog.codec import EventType, Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import KEPT, Event, ValueOf, Withdrawn, remaining_event
from ledgerpress.eventlog.unknown_third_party_events import UnknownEvent
from ledgerpress.feature.feature_set import FeatureSet
from ledgerpress.feature.lazy_references import load
from ledgerpress.feature.manifest import Feature, InvalidFeature
from ledgerpress.views.feature_declarations import (
    DependencyRule,
    FieldValue,
    FieldValues,
    HiddenRule,
    RecentEvent,
    Reference,
    Subject,
    plain,
)
from ledgerpress.views.listings.projector import (
    Entry,
    ListedItem,
    ListingChanges,
    ListingContribution,
    ListingWriter,
)
from ledgerpress.views.listings.queries import changed_listings
from ledgerpress.views.named_listings import MemberChange, NamedListings
from ledgerpress.views.projection.projector_interface_and_composition import (
    Effect,
    Erasure,
    ImmediateProjector,
    Projector,
    ProjectorBatch,
)
from ledgerpress.views.recorded_time_positions import corrected_time
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, Topic

__all__ = [
    "KEPT",
    "READ_HISTORY",
    "READ_OPERATIONS",
    "WRITE_OPERATIONS",
    "AddedEvents",
    "AppendPlan",
    "Command",
    "CommandContext",
    "CommandDeclaration",
    "CommandRequest",
    "ContentDeclaration",
    "ContentField",
    "DependencyRule",
    "Effect",
    "Entry",
    "Erasure",
    "ErrorCode",
    "Event",
    "EventType",
    "Facts",
    "Feature",
    "FeatureSet",
    "FieldValue",
    "FieldValues",
    "GuardDeclaration",
    "HiddenRule",
    "Identity",
    "ImmediateProjector",
    "InputDeclaration",
    "InvalidFeature",
    "ListedItem",
    "ListingChanges",
    "ListingContribution",
    "ListingWriter",
    "LoadedStream",
    "MemberChange",
    "NamedListings",
    "Permission",
    "PermissionDenied",
    "PlannedWrite",
    "Projector",
    "ProjectorBatch",
    "RecentEvent",
    "Recorded",
    "Reference",
    "Rejection",
    "RequiredPermission",
    "Role",
    "Snapshot",
    "StreamCategory",
    "Subject",
    "Topic",
    "UnknownEvent",
    "ValueOf",
    "Withdrawn",
    "changed_listings",
    "commands",
    "corrected_time",
    "load",
    "plain",
    "remaining_event",
    "text_rules",
]
