"""The third week: the seal is back, a light is lit again, and two drafts wait for their day."""

from typing import Final

from ledgerpress.features.demo.story_steps import (
    Step,
    bram,
    bring_back,
    category,
    delete_category,
    edit,
    file_under,
    hester,
    nell,
    piet,
    publish,
    write,
    yusra,
)

STEPS: Final[tuple[Step, ...]] = (
    bram(
        14,
        "02:00",
        write("crabpots", "Whose Are the Crab Pots on Pier Four?", by=("corin",), into=("harbour",)),
    ),
    bram(
        15,
        "01:30",
        edit("crabpots", version=2, title="The Crab Pots on Pier Four Spell Something"),
        "there are letters on them",
    ),
    yusra(15, "01:45", edit("crabpots", by=("corin", "isbel")), "Isbel has counted them"),
    hester(15, "06:00", bring_back("seal"), "she is back"),
    nell(15, "06:20", edit("seal", version=4, title="Seal on the Slipway, With Company"), "there is a pup"),
    hester(15, "06:30", publish("seal")),
    yusra(
        16,
        "00:30",
        write("crane", "Number Two Crane, Which Leaned", by=("tobias",), into=("people",)),
        "for the day on which it comes down",
    ),
    nell(16, "20:00", write("benches", "Every Bench on the Sea Wall", by=("corin",), into=("news",))),
    yusra(17, "03:00", edit("crane", version=2), "what it lifted, from the dock company's day books"),
    nell(17, "06:00", edit("benches", version=2), "three more, behind the net store"),
    piet(
        17,
        "08:00",
        edit(
            "benches",
            title="Every Bench on the Sea Wall, Sat Upon and Described",
            teaser="Thirty-one of them, in one day, with a flask.",
            publish=True,
        ),
        "a headline that owns up to it",
    ),
    hester(18, "01:00", delete_category("puzzles"), "three weeks, and not one word across"),
    nell(18, "04:00", edit("benches", version=3, publish=True), "a reader has found a plaque"),
    bram(
        18,
        "14:40",
        write(
            "swimmers", "At Nine Degrees They Count the Strokes", by=("odile",), into=("people", "harbour")
        ),
    ),
    bram(18, "15:00", publish("swimmers")),
    bram(19, "02:00", edit("swimmers", version=2, publish=True), "the rule of the flask"),
    hester(19, "09:00", category("letters", "Letters", "From those who know better.", under="people")),
    nell(19, "11:30", write("foghorn", "In Defence of the Foghorn", into=("letters",))),
    piet(19, "11:50", edit("foghorn", version=2), "the second half was on the back of the sheet"),
    hester(
        19,
        "12:00",
        edit(
            "foghorn",
            teaser="“I have lived beneath it for sixty years.” A letter, in a raised voice.",
            publish=True,
        ),
    ),
    yusra(19, "18:00", edit("crane", version=3), "last line; hold until it comes down"),
    bram(20, "01:00", write("keeper", "A Talk With the Harbour Master", by=("isbel",), into=("harbour",))),
    bram(20, "03:30", write("relit", "The Light Is Back", by=("isbel",), into=("harbour", "news"))),
    nell(20, "04:30", edit("relit", version=2), "what was seen in the dark"),
    piet(
        20,
        "04:50",
        edit(
            "relit",
            title="The Light on Gannet Head Is Lit Again, One Night Early",
            teaser="Ten nights, after all. The town came out in the road to look, with tea towels.",
            slug="light-on-gannet-head-lit-again",
        ),
        "headline, teaser, address",
    ),
    hester(20, "05:00", publish("relit")),
    bram(20, "08:00", edit("keeper", version=2), "four times wrong, in red: she insists that it goes in"),
    nell(
        20,
        "12:30",
        write("library", "The Library Lends Out Oilskins", by=("corin",), into=("culture", "news")),
    ),
    bram(20, "13:00", publish("library")),
    nell(20, "13:20", edit("library", version=2, publish=True), "the librarian telephoned about the salt"),
    piet(
        20,
        "16:00",
        edit("benches", title="Thirty-One Benches, Sat Upon"),
        "trying a shorter one; not out yet",
    ),
    bram(20, "19:00", edit("keeper", version=3), "on the dark nights"),
    yusra(20, "21:15", edit("keeper", version=4), "fact check: 211 years of books, 9 days missing, all true"),
    hester(20, "21:20", file_under("keeper", "people")),
    piet(
        20,
        "23:20",
        edit(
            "keeper",
            title="“The Sea Keeps the Minutes”",
            teaser="Twenty-six years in the glass room above the pilots' stairs: a talk with the harbour master.",
            slug="the-sea-keeps-the-minutes",
        ),
        "her own words for the headline",
    ),
    hester(20, "23:48", publish("keeper"), "the last of the day"),
)
