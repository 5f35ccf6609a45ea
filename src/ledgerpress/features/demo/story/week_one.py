"""The first week: a lighthouse and a clock make news, the ferry is corrected, and a gale comes early."""

from typing import Final

from ledgerpress.features.demo.story_steps import (
    Step,
    archive,
    category,
    edit,
    file_under,
    publish,
    step,
    take_out_of,
    write,
)

STEPS: Final[tuple[Step, ...]] = (
    step(
        0, "01:10", "hester", write("welcome", "A Word Befor the First Tide", by=("tobias",), into=("news",))
    ),
    step(0, "01:12", "hester", publish("welcome")),
    step(0, "01:31", "piet", edit("welcome", title="A Word Before the First Tide"), "typo in the headline"),
    step(0, "01:33", "piet", edit("welcome", slug="a-word-before-the-first-tide"), "and in the address"),
    step(0, "01:34", "piet", publish("welcome")),
    step(0, "02:00", "bram", category("ferries", "Ferries", under="harbour")),
    step(0, "02:30", "nell", write("ferry", "Winter Ferry Timetable", by=("corin",), into=("ferries",))),
    step(0, "03:10", "nell", edit("ferry", version=2), "what the skipper said on the telephone"),
    step(
        0,
        "03:40",
        "bram",
        edit(
            "ferry",
            title="The Marigold Keeps Her Winter Hours",
            teaser="One boat fewer each way, and the first of the day half an hour later: the crossings to Skarra.",
            slug="winter-ferry-hours",
        ),
        "a headline with a boat in it",
    ),
    step(0, "04:00", "bram", publish("ferry")),
    step(
        0,
        "20:00",
        "yusra",
        write("regatta", "The Regatta of the Borrowed Boats", by=("tobias",), into=("harbour",)),
        "from bound volume 61 of the old paper",
    ),
    step(
        0, "20:25", "yusra", edit("regatta", teaser="Nine crews, four boats, and one cup of tea."), "teaser"
    ),
    step(0, "20:30", "yusra", publish("regatta", days_before=163), "dated as it was printed"),
    step(
        1,
        "01:00",
        "bram",
        write("lamp", "Light on Gannet Head to Be Switched Off", by=("isbel",), into=("harbour", "news")),
    ),
    step(
        1,
        "03:00",
        "bram",
        edit("lamp", version=2, title="Leading Light to Go Dark for Ten Nights"),
        "the foundry has called back",
    ),
    step(1, "06:15", "yusra", edit("lamp", version=3), "second source: the engineer, in her own words"),
    step(
        1, "22:00", "nell", edit("lamp", version=4), "what the boats will steer by, from the harbour office"
    ),
    step(
        2,
        "00:20",
        "piet",
        edit(
            "lamp",
            slug="leading-light-dark-for-ten-nights",
            teaser="Four tonnes of glass will be lifted by the breadth of two hands, while somebody listens.",
        ),
        "teaser, and an address that says what the headline says",
    ),
    step(2, "00:30", "hester", publish("lamp")),
    step(
        2, "03:00", "bram", write("clock", "Custom House Clock to Be Mended?", by=("corin",), into=("news",))
    ),
    step(2, "12:05", "yusra", edit("ferry", version=3), "fact check: the timetable at the kiosk says 16:25"),
    step(
        2,
        "12:10",
        "hester",
        publish(
            "ferry",
            correction="The last boat leaves Pellwick at 16:25 and Skarra at 17:40. We had put both an hour later.",
        ),
        "three readers and a cello were left on the quay",
    ),
    step(2, "21:00", "bram", edit("clock", version=2), "from the council's minutes"),
    step(3, "04:10", "bram", edit("clock", version=3), "Corin has been up the tower with the key"),
    step(3, "09:55", "bram", edit("lamp", version=5), "the foundry asks for one more night"),
    step(
        3,
        "10:00",
        "piet",
        edit("lamp", title="Leading Light to Go Dark for Eleven Nights", slug="leading-light-goes-dark"),
        "headline follows; no number in the address this time",
    ),
    step(
        3,
        "10:05",
        "hester",
        publish("lamp", correction="The light will be out for eleven nights. We had first written ten."),
    ),
    step(3, "23:00", "yusra", edit("clock", version=4), "fact check: the harbour registers, one floor down"),
    step(
        4,
        "02:00",
        "piet",
        edit(
            "clock",
            title="Four Minutes Slow, and Nobody Wants It Mended",
            teaser="A firm offers to repair the Custom House clock for nothing. The town has other plans for the time.",
            slug="four-minutes-slow",
        ),
        "a headline that does not ask",
    ),
    step(4, "02:15", "hester", publish("clock")),
    step(4, "02:20", "hester", file_under("clock", "people"), "it is about the man with the key"),
    step(
        4,
        "10:00",
        "nell",
        write("gale", "Gale Expected Tonight", by=("isbel",), into=("weather", "news"), publish=True),
    ),
    step(4, "12:00", "nell", edit("gale", version=2, publish=True), "what to tie down"),
    step(
        4,
        "18:05",
        "nell",
        edit("gale", version=3, title="Gale Comes Early; Last Boat Stays on Skarra", publish=True),
        "the school has called: there is soup",
    ),
    step(
        5,
        "07:30",
        "bram",
        edit("gale", version=4, title="Gale Blows Itself Out: One Chimney, No Hurts", publish=True),
        "the morning after",
    ),
    step(
        5,
        "09:00",
        "bram",
        write("bread", "Dulse Bread, From the Bricks Above the Oven", by=("wenna",), into=("food",)),
    ),
    step(5, "11:00", "piet", edit("bread", teaser="A loaf with the red weed of the mole in it."), "teaser"),
    step(5, "11:05", "bram", publish("bread")),
    step(5, "14:30", "yusra", edit("bread", version=2), "320 degrees? Checked with the bakery: 230"),
    step(
        5,
        "14:32",
        "hester",
        publish(
            "bread",
            correction="The oven should be at 230 degrees. At 320, as we had it, the loaf is a brick.",
        ),
        "digits turned round",
    ),
    step(5, "22:00", "nell", edit("lamp", version=6, publish=True), "what becomes of the old bearing"),
    step(6, "02:00", "bram", write("tuba", "A Tuba Is Found", by=("odile",), into=("arts",))),
    step(6, "04:00", "bram", category("music", "Music", "Rehearsals, mostly.", under="arts")),
    step(6, "04:05", "bram", file_under("tuba", "music")),
    step(6, "09:00", "hester", archive("gale"), "the wind has gone, and the warning with it"),
    step(6, "09:30", "hester", take_out_of("welcome", "news"), "it is about us, which is not news"),
    step(6, "20:00", "yusra", edit("tuba", version=2), "the second mate's letter, with his leave"),
)
