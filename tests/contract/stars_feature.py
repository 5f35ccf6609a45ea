"""A third-party feature for tests: stars of posts, with its own permission and without tables."""

from dataclasses import dataclass
from typing import ClassVar, Final

from ledgerpress import feature
from ledgerpress.feature import AppendPlan, CommandContext, Event, EventType, Feature, FeatureSet
from ledgerpress.features.posts import POSTS
from ledgerpress.features.registry import FIRST_PARTY

RATE: Final = feature.Permission("x.stars:write", roles=[feature.Role.AUTHOR])


class Rated(Event, frozen=True):
    post_id: str
    stars: int


STARS_OF_POST: Final = feature.StreamCategory[int](
    "x.stars", 0, lambda stars, event: event.stars if isinstance(event, Rated) else stars
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePost:
    """Give a post stars, in a stream of the feature or, with `in_post`, in the stream of the post."""

    fingerprint_name: ClassVar[str] = "x.stars.RatePost"

    post_id: str
    stars: int
    in_post: bool = False

    lock_key = None

    async def plan(self, context: CommandContext) -> AppendPlan:
        events = [Rated(post_id=self.post_id, stars=self.stars)]
        if self.in_post:
            return AppendPlan.of(self.post_id, (await context.load(POSTS, self.post_id)).write(events))
        return AppendPlan.of(self.post_id, (await context.load(STARS_OF_POST, self.post_id)).write(events))


STARS: Final = Feature(
    name="stars",
    requires=("posts",),
    events=(EventType("x.stars.rated", 1, Rated),),
    streams=(STARS_OF_POST,),
    permissions=(RATE,),
    commands=feature.commands(feature.RequiredPermission(RATE), RatePost),
)
WITH_STARS: Final = FeatureSet(FIRST_PARTY, third_party=[STARS])
