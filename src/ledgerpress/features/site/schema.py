"""The GraphQL schema of the site, and its public names for features above the site."""

from functools import partial
from typing import Final

import strawberry

from ledgerpress.features.site import projector_and_queries as site_queries
from ledgerpress.features.site.commands import DescribeSite, LocalizeSite, NameSite
from ledgerpress.features.site.logo_rules import Logo
from ledgerpress.graphql.as_of import AsOf, moment_of
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.event_loader_and_payload_redaction import EventAccess
from ledgerpress.graphql.feature_declarations import SchemaContribution
from ledgerpress.graphql.input_rules import clearable_field, given_value, given_value_or_null, kept_field
from ledgerpress.graphql.mutations import MutationInput, Payload, command_mutation
from ledgerpress.graphql.scalars import Position

__all__ = [
    "SCHEMA",
    "Site",
    "SiteDescribeInput",
    "SiteLocalizeInput",
    "SiteLogo",
    "SiteLogoInput",
    "SiteNameInput",
    "SitePayload",
    "site_of",
]


@strawberry.type(description="The logo of the site, which is at the top of each page.")
class SiteLogo:
    url: str = strawberry.field(description="An https URL, or a path on the site, which begins with a slash.")
    alternative_text: str = strawberry.field(description="The text for readers who do not see the picture.")


@strawberry.type(description="The site of this publication.")
class Site:
    moment: strawberry.Private[PointInTime]
    name: str | None
    language: str = strawberry.field(
        description="The language of the site, a BCP 47 tag; `en` until it is set. Pages declare it."
    )
    time_zone: str = strawberry.field(
        description="The time zone of the site, an IANA name; `UTC` until it is set. Pages show dates in it; times in "
        "GraphQL are always in UTC."
    )
    description: str | None = strawberry.field(
        description="What the site is about, for search engines, feeds and shared links."
    )
    logo: SiteLogo | None
    address: str | None = strawberry.field(
        description="The postal address, or how to contact the site, in lines. It is at the end of each page."
    )
    version: int = strawberry.field(
        description="Increases with every change of the site. Pass it as `expectedVersion`. 0 until the first change."
    )

    @strawberry.field(description="The log position that the result reflects.")
    def position(self) -> Position:
        self.moment.snapshot.depends_on_position()
        return Position(self.moment.snapshot.position)


def site_of(moment: PointInTime) -> Site:
    snapshot = moment.snapshot
    logo = site_queries.site_logo(snapshot)
    return Site(
        moment=moment,
        name=site_queries.site_name(snapshot),
        language=site_queries.site_language(snapshot),
        time_zone=site_queries.site_time_zone(snapshot),
        description=site_queries.site_description(snapshot),
        logo=SiteLogo(url=logo.url, alternative_text=logo.text) if logo else None,
        address=site_queries.site_address(snapshot),
        version=site_queries.site_version(snapshot),
    )


@strawberry.type
class SiteQueries:
    @strawberry.field
    def site(self, info: RequestInfo, as_of: AsOf | None = None) -> Site:
        return site_of(moment_of(info.context, as_of))


@strawberry.input
class SiteNameInput(MutationInput):
    name: str

    def command(self) -> NameSite:
        return NameSite(name=self.name)


@strawberry.input
class SiteLocalizeInput(MutationInput):
    """The new language, the new time zone or both. An absent field is unchanged."""

    language: str | None = kept_field("A BCP 47 tag, such as `en`, `pt-BR` or `zh-Hant`.")
    time_zone: str | None = kept_field("An IANA name, such as `America/New_York` or `UTC`.")

    def command(self) -> LocalizeSite:
        return LocalizeSite(
            language=given_value(self.language),
            time_zone=given_value(self.time_zone),
        )


@strawberry.input
class SiteLogoInput:
    """A logo, with the text that stands for it."""

    url: str = strawberry.field(
        description="An https URL, or a path on the site, which begins with a slash. At most 2,000 characters."
    )
    alternative_text: str = strawberry.field(
        description="The text for readers who do not see the picture. If it is the name of the site, the logo takes the "
        "place of the name; otherwise it is above the name. At most 200 characters."
    )


@strawberry.input
class SiteDescribeInput(MutationInput):
    """The new description, logo or address, or several of them."""

    description: str | None = clearable_field(
        "What the site is about: plain text, at most 2,000 characters. Search engines show about 160."
    )
    logo: SiteLogoInput | None = clearable_field("The new logo.")
    address: str | None = clearable_field("Plain text in lines, at most 1,000 characters.")

    def command(self) -> DescribeSite:
        logo = given_value_or_null(self.logo)
        return DescribeSite(
            description=given_value_or_null(self.description),
            logo=Logo(url=logo.url, text=logo.alternative_text) if isinstance(logo, SiteLogoInput) else logo,
            address=given_value_or_null(self.address),
        )


@strawberry.type
class SitePayload(Payload):
    site: Site | None


_mutation = partial(
    command_mutation, payload=SitePayload, field="site", load=lambda moment, _: site_of(moment)
)


@strawberry.type
class SiteMutations:
    site_name = _mutation(NameSite, SiteNameInput, "Set the name of the site.")
    site_localize = _mutation(
        LocalizeSite, SiteLocalizeInput, "Set the language, the time zone or both of the site."
    )
    site_describe = _mutation(
        DescribeSite, SiteDescribeInput, "Set or clear the description, the logo and the address of the site."
    )


SCHEMA: Final = SchemaContribution(
    query=SiteQueries,
    mutation=SiteMutations,
    permissions={"Query.site": None},
    objects={"Site": None, "SiteLogo": None},
    # With the name key, a client could guess slugs from the names of their streams.
    events={"log.opened": EventAccess(secret=frozenset({"nameKey"}))},
)
