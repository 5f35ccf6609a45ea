"""The first hour: the site has a name, the desks have people, and the categories are the usual ones."""

from typing import Final

from ledgerpress.demo.script import THE_OPERATOR, Step, actor, author, category, name_site, step

STEPS: Final[tuple[Step, ...]] = (
    step(0, "00:01", THE_OPERATOR, name_site("The Pellwick Tidings")),
    step(0, "00:02", THE_OPERATOR, actor("hester", "Hester Quillan"), "editor"),
    step(0, "00:03", THE_OPERATOR, actor("bram", "Bram Odding"), "news desk"),
    step(0, "00:04", THE_OPERATOR, actor("yusra", "Yusra Feldmar"), "archive and fact checks"),
    step(0, "00:05", THE_OPERATOR, actor("piet", "Piet Lorrimer"), "copy desk"),
    step(0, "00:06", THE_OPERATOR, actor("nell", "Nell Gannick"), "trainee"),
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
