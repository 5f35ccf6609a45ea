"""The manifest of a feature: the only thing that the kernel and the features share.

A feature is a folder that owns one concept from the event to the page. Its `FEATURE` lists everything that it adds. The
kernel knows no feature: it works with what the manifests declare, first-party and third-party alike.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """What one feature adds. `requires` names the features below it, on which it builds."""

    name: str
    requires: tuple[str, ...] = ()

    # --- writing: ledgerpress.commands.declarations ---

    # --- views: ledgerpress.views.declarations ---

    # --- GraphQL, pages: lazy references, "module:attribute" ---
    schema: str | None = None
    """A `ledgerpress.graphql.declarations.SchemaContribution`, loaded when a schema is built."""
    pages: str | None = None
    """A `ledgerpress.http.pages.pages.PageContribution`, loaded when an application is made."""


def load(reference: str) -> Any:
    """Return the attribute that a lazy reference, "module:attribute", names."""
    module, _, attribute = reference.partition(":")
    return getattr(import_module(module), attribute)
