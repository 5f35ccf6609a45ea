"""The third week: the seal is back, a light is lit again, and two drafts wait for their day."""

from typing import Final

from ledgerpress.features.demo.story_steps import (
    Step,
    bring_back,
    category,
    delete_category,
    edit,
    file_under,
    publish,
    step,
    write,
)

STEPS: Final[tuple[Step, ...]] = (
    step(
        14,
        "02:00",
        "bram",
        write("crabpots", "Whose Are the Crab Pots on Pier Four?", by=("corin",), into=("harbour",)),
    ),
    step(
        15,
        "01:30",
        "bram",
        edit("crabpots", version=2, title="The Crab Pots on Pier Four Spell Something"),
        "there are letters on them",
    ),
    step(15, "01:45", "yusra", edit("crabpots", by=("corin", "isbel")), "Isbel has counted them"),
    step(15, "06:00", "hester", bring_back("seal"), "she is back"),
    step(
        15,
        "06:20",
        "nell",
        edit("seal", version=4, title="Seal on the Slipway, With Company"),
        "there is a pup",
    ),
    step(15, "06:30", "hester", publish("seal")),
    step(
        16,
        "00:30",
        "yusra",
        write("crane", "Number Two Crane, Which Leaned", by=("tobias",), into=("people",)),
        "for the day on which it comes down",
    ),
    step(16, "20:00", "nell", write("benches", "Every Bench on the Sea Wall", by=("corin",), into=("news",))),
    step(17, "03:00", "yusra", edit("crane", version=2), "what it lifted, from the dock company's day books"),
    step(17, "06:00", "nell", edit("benches", version=2), "three more, behind the net store"),
    step(
        17,
        "08:00",
        "piet",
        edit(
            "benches",
            title="Every Bench on the Sea Wall, Sat Upon and Described",
            teaser="Thirty-one of them, in one day, with a flask.",
            publish=True,
        ),
        "a headline that owns up to it",
    ),
    step(18, "01:00", "hester", delete_category("puzzles"), "three weeks, and not one word across"),
    step(18, "04:00", "nell", edit("benches", version=3, publish=True), "a reader has found a plaque"),
    step(
        18,
        "14:40",
        "bram",
        write(
            "swimmers", "At Nine Degrees They Count the Strokes", by=("odile",), into=("people", "harbour")
        ),
    ),
    step(18, "15:00", "bram", publish("swimmers")),
    step(19, "02:00", "bram", edit("swimmers", version=2, publish=True), "the rule of the flask"),
    step(
        19, "09:00", "hester", category("letters", "Letters", "From those who know better.", under="people")
    ),
    step(19, "11:30", "nell", write("foghorn", "In Defence of the Foghorn", into=("letters",))),
    step(19, "11:50", "piet", edit("foghorn", version=2), "the second half was on the back of the sheet"),
    step(
        19,
        "12:00",
        "hester",
        edit(
            "foghorn",
            teaser="“I have lived beneath it for sixty years.” A letter, in a raised voice.",
            publish=True,
        ),
    ),
    step(19, "18:00", "yusra", edit("crane", version=3), "last line; hold until it comes down"),
    step(
        20,
        "01:00",
        "bram",
        write("keeper", "A Talk With the Harbour Master", by=("isbel",), into=("harbour",)),
    ),
    step(20, "03:30", "bram", write("relit", "The Light Is Back", by=("isbel",), into=("harbour", "news"))),
    step(20, "04:30", "nell", edit("relit", version=2), "what was seen in the dark"),
    step(
        20,
        "04:50",
        "piet",
        edit(
            "relit",
            title="The Light on Gannet Head Is Lit Again, One Night Early",
            teaser="Ten nights, after all. The town came out in the road to look, with tea towels.",
            slug="light-on-gannet-head-lit-again",
        ),
        "headline, teaser, address",
    ),
    step(20, "05:00", "hester", publish("relit")),
    step(
        20,
        "08:00",
        "bram",
        edit("keeper", version=2),
        "four times wrong, in red: she insists that it goes in",
    ),
    step(
        20,
        "12:30",
        "nell",
        write("library", "The Library Lends Out Oilskins", by=("corin",), into=("culture", "news")),
    ),
    step(20, "13:00", "bram", publish("library")),
    step(
        20,
        "13:20",
        "nell",
        edit("library", version=2, publish=True),
        "the librarian telephoned about the salt",
    ),
    step(
        20,
        "16:00",
        "piet",
        edit("benches", title="Thirty-One Benches, Sat Upon"),
        "trying a shorter one; not out yet",
    ),
    step(20, "19:00", "bram", edit("keeper", version=3), "on the dark nights"),
    step(
        20,
        "21:15",
        "yusra",
        edit("keeper", version=4),
        "fact check: 211 years of books, 9 days missing, all true",
    ),
    step(20, "21:20", "hester", file_under("keeper", "people")),
    step(
        20,
        "23:20",
        "piet",
        edit(
            "keeper",
            title="“The Sea Keeps the Minutes”",
            teaser="Twenty-six years in the glass room above the pilots' stairs: a talk with the harbour master.",
            slug="the-sea-keeps-the-minutes",
        ),
        "her own words for the headline",
    ),
    step(20, "23:48", "hester", publish("keeper"), "the last of the day"),
)
