"""Permissions that features add: which roles and identities have them, and who may declare them."""

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR
from ledgerpress.commands.roles_and_permissions import (
    Permission,
    RequiredPermission,
    Role,
    RolePermissions,
)
from ledgerpress.feature import Feature, FeatureSet, InvalidFeature
from ledgerpress.features.posts import READ_POSTS
from ledgerpress.features.registry import FEATURES
from ledgerpress.features.tokens.token_or_jwt_authenticator import anonymous
from ledgerpress.graphql.feature_declarations import SchemaContribution
from ledgerpress.graphql.schema import build_schema
from ledgerpress.graphql.schema_error import SchemaError
from tests.contract.stars_feature import RATE, WITH_STARS
from tests.identities import GRANTED, PERMISSIONS, identity

ROLES = WITH_STARS.roles


def test_the_declared_roles_and_administrators_have_a_permission() -> None:
    assert {role for role in Role if RATE in ROLES.of(role)} == {Role.AUTHOR, Role.ADMIN}
    for role in Role:
        assert ROLES.of(role) - {RATE} == GRANTED[role]
        assert FEATURES.roles.of(role) == GRANTED[role]
    assert ROLES.of(Role.AUTHOR, Role.AUDITOR) == ROLES.of(Role.AUTHOR) | ROLES.of(Role.AUDITOR)


def test_a_scope_of_a_feature_that_is_not_loaded_permits_nothing() -> None:
    assert ROLES.named(["x.stars:write", "posts:read"]) == {RATE, READ_POSTS}
    assert FEATURES.roles.named(["x.stars:write", "posts:read"]) == {READ_POSTS}


def test_clients_that_differ_in_a_contributed_permission_share_no_cached_response() -> None:
    everything = identity(Role.AUTHOR, "a", roles=ROLES)
    narrowed = identity(Role.AUTHOR, "a", roles=ROLES, scopes=PERMISSIONS)
    assert everything.meets(RequiredPermission(RATE), ROLES)
    assert not narrowed.meets(RequiredPermission(RATE), ROLES)
    assert everything.scope != narrowed.scope


def test_the_local_operator_has_the_permissions_of_every_feature() -> None:
    assert LOCAL_OPERATOR.meets(RequiredPermission(Permission("x.other:write")), ROLES)
    assert not identity(Role.ADMIN, "a").meets(RequiredPermission(RATE), ROLES)
    assert LOCAL_OPERATOR.scope != identity(Role.ADMIN, LOCAL_OPERATOR.actor_id).scope


def test_requiring_every_permission_means_those_of_first_party_features() -> None:
    everything = RequiredPermission(None)
    narrowed = [
        identity(Role.ADMIN, "a", roles=ROLES, scopes=PERMISSIONS - {permission})
        for permission in PERMISSIONS
    ]
    assert not [admin for admin in narrowed if admin.meets(everything, ROLES)]
    assert identity(Role.ADMIN, "a", roles=ROLES, scopes=PERMISSIONS).meets(everything, ROLES)
    assert LOCAL_OPERATOR.meets(everything, ROLES)


def test_a_client_is_public_only_without_any_permission() -> None:
    assert ANONYMOUS.is_public
    assert not LOCAL_OPERATOR.is_public
    assert not identity(Role.AUTHOR, "a", roles=ROLES, scopes=frozenset({RATE})).is_public


def test_a_feature_can_give_readers_a_permission() -> None:
    roles = RolePermissions([Permission("x.stars:read", roles=[Role.READER])])
    assert anonymous(Role.READER, roles).permissions == {"x.stars:read"}
    assert anonymous(Role.READER, FEATURES.roles) == ANONYMOUS


def test_the_enum_of_a_schema_has_the_permissions_of_its_features() -> None:
    def names(schema: str) -> list[str]:
        return [line.strip() for line in schema.splitlines() if line.strip() == "X_STARS_WRITE"]

    assert names(WITH_STARS.graphql_schema().as_str()) == ["X_STARS_WRITE"]
    assert names(FEATURES.graphql_schema().as_str()) == []


def test_a_permission_that_no_feature_declares_cannot_be_required() -> None:
    contribution = SchemaContribution(permissions={"Query.stars": RequiredPermission(RATE)})
    with pytest.raises(SchemaError, match=r"x\.stars:write, a permission that no feature declares"):
        build_schema([contribution])


@pytest.mark.parametrize(
    "permission",
    [
        Permission("x.stars:write", enum_name="X_STARS_RATE"),
        Permission("x.stars:rate", enum_name="X_STARS_WRITE"),
        Permission("posts:write", enum_name="X_STARS_READ"),
        Permission("operations:read", enum_name="X_STARS_READ"),
    ],
)
def test_a_permission_belongs_to_one_feature(permission: Permission) -> None:
    other = Feature(name="other", permissions=(permission,))
    with pytest.raises(InvalidFeature, match=r"two features declare the (name of a )?permission"):
        FeatureSet((*WITH_STARS.features, other))
