"""The story of the demo newsroom, in steps: an invented paper in an invented town."""

from typing import Final

from ledgerpress.features.demo.story import week_one, week_three, week_two
from ledgerpress.features.demo.story_steps import Step

STORY: Final[tuple[Step, ...]] = (*week_one.STEPS, *week_two.STEPS, *week_three.STEPS)
"""Every step, in order."""
