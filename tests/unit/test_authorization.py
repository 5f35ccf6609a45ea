"""Who may carry out what: every use case has been decided about, and scopes hold all that decides an answer."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Final

import pytest

from ledgerpress import commands, features
from ledgerpress.commands.client_identity import ANONYMOUS
from ledgerpress.commands.roles_and_permissions import RequiredPermission, Role
from ledgerpress.features.registry import FEATURES
from tests.identities import GRANTED, PERMISSIONS, identity

COMMANDS: Final = {command: declared.required for command, declared in FEATURES.declarations.commands.items()}


def command_classes() -> Iterator[type]:
    """Yield every use case there is: each class of the room that can plan, and is not the beginning of others."""
    packages = [commands, features]
    modules = [
        one for package in packages for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    for module in modules:
        for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if (
                found.__module__ == module.name
                and hasattr(found, "plan")
                and not inspect.isabstract(found)
                and not found.__name__.startswith("_")
            ):
                yield found


def test_every_use_case_has_been_decided_about() -> None:
    found = {one for one in command_classes() if one.__name__ != "Command"}
    assert len(found) > 20
    assert found == set(COMMANDS), (
        "declare the permissions of these commands in the manifest of their feature"
    )


def test_what_is_for_ones_own_posts_names_a_post_or_makes_one() -> None:
    for command, need in COMMANDS.items():
        names_one = "post_id" in {
            name for one in command.__mro__ for name in getattr(one, "__annotations__", {})
        }
        assert need.own is None or names_one or command.__name__ == "CreatePost", command


def test_an_auditor_writes_nothing_and_a_reader_has_no_permission() -> None:
    assert not [one for one in GRANTED[Role.AUDITOR] if ":write" in one]
    assert GRANTED[Role.READER] == frozenset()
    for need in COMMANDS.values():
        assert not identity(Role.AUDITOR, "a").meets(need, FEATURES.roles)
        assert not identity(Role.AUDITOR, "a").meets_with_own(need)
        assert identity(Role.ADMIN, "a").meets(need, FEATURES.roles)


def test_what_takes_every_permission_takes_them_all() -> None:
    admin = identity(Role.ADMIN, "a")
    assert admin.meets(RequiredPermission(None), FEATURES.roles)
    for permission in PERMISSIONS:
        assert not identity(Role.ADMIN, "a", scopes=PERMISSIONS - {permission}).meets(
            RequiredPermission(None), FEATURES.roles
        )


@pytest.mark.parametrize("role", Role)
def test_two_viewers_of_one_scope_are_told_the_same(role: Role) -> None:
    some = identity(role, "a")
    assert some.scope == identity(role, "a").scope
    assert some.scope == identity(role, "a", token_id="t").scope
    others = {
        identity(role, "b").scope,
        ANONYMOUS.scope,
        *(identity(one, "a").scope for one in Role if one is not role),
    }
    others |= {identity(role, "a", scopes=GRANTED[role] - {one}).scope for one in GRANTED[role]}
    assert some.scope not in others
    assert hash(some.scope)
