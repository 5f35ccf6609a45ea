"""The second week: a seal arrives, the fish are sold without a word, and the categories are put in order."""

from typing import Final

from ledgerpress.features.demo.story_steps import (
    Step,
    archive,
    bram,
    category,
    describe,
    edit,
    file_under,
    hester,
    merge,
    move,
    nell,
    piet,
    publish,
    rename_author,
    rename_category,
    take_out_of,
    unpublish,
    write,
    yusra,
)

STEPS: Final[tuple[Step, ...]] = (
    bram(7, "03:00", edit("tuba", version=3, title="The Tuba Comes Home"), "after the rehearsal"),
    piet(
        7,
        "04:40",
        edit(
            "tuba",
            teaser="It was left on the quay forty-one years ago. It came back with a letter.",
            slug="the-tuba-comes-home",
        ),
        "teaser, address",
    ),
    hester(7, "05:00", publish("tuba")),
    nell(7, "21:00", edit("bread", version=3, publish=True), "readers ask where the weed grows"),
    nell(8, "06:10", write("seal", "Seal on the Slipway", by=("isbel",), into=("harbour",), publish=True)),
    nell(8, "09:20", edit("seal", version=2, publish=True), "the coxswain asks for forty paces"),
    bram(
        9, "01:00", write("auction", "Sold by a Scratch of the Ear", by=("isbel",), into=("harbour", "food"))
    ),
    piet(
        9, "02:00", edit("auction", teaser="In the Fish Hall nobody says a word, and all is sold."), "teaser"
    ),
    nell(
        9,
        "04:30",
        write("roadworks", "Cable Street Closed for Nine Days", by=("corin",), into=("news",), publish=True),
        "from the gasworks' notice",
    ),
    yusra(9, "23:00", edit("auction", version=2), "fact check: signs seen on four mornings, by four buyers"),
    hester(10, "00:15", publish("auction")),
    hester(10, "03:00", unpublish("roadworks"), "the gasworks have taken the dates back"),
    nell(
        10,
        "08:00",
        edit("lamp", version=7, title="Leading Light Goes Dark for Eleven Nights", publish=True),
        "the lens is up",
    ),
    nell(10, "19:30", edit("seal", version=3, publish=True), "she has gone"),
    hester(11, "02:00", category("culture", "Culture"), "Arts and Music are one desk now"),
    hester(11, "02:01", move("music", under="culture")),
    hester(11, "02:02", merge("arts", into="culture"), "Arts and Music are one desk now"),
    hester(
        11, "02:05", describe("culture", "What is played, painted, printed or put on, and who cleared up.")
    ),
    hester(11, "02:10", take_out_of("tuba", "culture"), "Music is enough"),
    hester(11, "02:20", rename_category("food", "Table and Market", slug="table-and-market")),
    hester(11, "02:25", describe("food", "What is caught, grown, baked or bargained for.")),
    hester(11, "09:00", archive("seal"), "she has gone"),
    hester(12, "01:00", move("weather", under="harbour"), "it is all the same wind"),
    hester(12, "01:05", rename_category("news", "Town", slug="town"), "there is news in every category"),
    bram(12, "04:00", edit("auction", version=3, publish=True), "the youngest buyer was willing to talk"),
    hester(13, "05:00", rename_author("wenna", "Wenna Lisk-Arden"), "with our best wishes"),
    bram(13, "10:00", edit("clock", version=5, publish=True), "the council has answered"),
    bram(13, "10:10", file_under("bread", "people"), "for the sake of the grandmother"),
    yusra(13, "21:15", edit("welcome", version=2, publish=True), "people keep asking where we are"),
)
