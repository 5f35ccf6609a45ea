"""The first hour: the site has a name, the desks have people, and the categories are the usual ones."""

from typing import Final

from ledgerpress.features.demo.story_steps import (
    OPERATOR_STEPS,
    Step,
    actor,
    author,
    category,
    name_site,
    step,
)

STEPS: Final[tuple[Step, ...]] = (
    step(0, "00:01", OPERATOR_STEPS, name_site("The Pellwick Tidings")),
    step(0, "00:02", OPERATOR_STEPS, actor("hester", "Hester Quillan"), "editor"),
    step(0, "00:03", OPERATOR_STEPS, actor("bram", "Bram Odding"), "news desk"),
    step(0, "00:04", OPERATOR_STEPS, actor("yusra", "Yusra Feldmar"), "archive and fact checks"),
    step(0, "00:05", OPERATOR_STEPS, actor("piet", "Piet Lorrimer"), "copy desk"),
    step(0, "00:06", OPERATOR_STEPS, actor("nell", "Nell Gannick"), "trainee"),
    step(0, "00:20", "hester", author("tobias", "Tobias Quern")),
    step(0, "00:21", "hester", author("isbel", "Isbel Tarrow")),
    step(0, "00:22", "hester", author("corin", "Corin Vasey")),
    step(0, "00:23", "hester", author("odile", "Odile Marchbank")),
    step(0, "00:24", "hester", author("wenna", "Wenna Lisk")),
    step(0, "00:40", "hester", category("news", "News")),
    step(0, "00:41", "hester", category("harbour", "Harbour", "What floats, and what it floats past.")),
    step(0, "00:42", "hester", category("arts", "Arts")),
    step(0, "00:43", "hester", category("food", "Food")),
    step(0, "00:44", "hester", category("people", "People")),
    step(0, "00:45", "hester", category("weather", "Weather")),
    step(0, "00:46", "hester", category("puzzles", "Puzzles", "A crossing of words, once there is one.")),
)
