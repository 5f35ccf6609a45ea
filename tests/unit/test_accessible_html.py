"""What a page adds to the HTML of a body: names of boxes, and elements in which tables scroll."""

from ledgerpress.features.posts.body.accessible_html import with_names_and_scrolling_tables
from ledgerpress.features.posts.body.html_rendering_and_sections import render

TABLE = "| a | b |\n| - | - |\n| 1 | 2 |\n"


def body(markdown: str) -> str:
    return render(markdown, 1).html


def test_html_without_tables_and_tasks_stays_as_it_is() -> None:
    html = body("Tom &amp; *Ann* &lt;table> `<table>` &copy; [x](https://a.example/?a=1&b=2)\n\n<br>")
    assert with_names_and_scrolling_tables(html) == html


def test_each_table_is_in_an_element_that_scrolls() -> None:
    html = body(f"Before & after\n\n{TABLE}\nBetween\n\n{TABLE}")
    complete = with_names_and_scrolling_tables(html)
    assert complete.count('<div class="scroll" tabindex="0"><table>') == 2
    assert complete.count("</table></div>") == 2
    assert (
        complete.replace('<div class="scroll" tabindex="0">', "").replace("</table></div>", "</table>")
        == html
    )


def test_the_box_of_a_task_has_the_text_of_the_task_as_its_name() -> None:
    complete = with_names_and_scrolling_tables(body("- [x] grease\n- [ ] count\n  - [ ] cogs\n"))
    for number in (1, 2, 3):
        assert (
            f'<li id="page_task_{number}" class="task-list-item"><input aria-labelledby="page_task_{number}"'
            in complete
        )
    assert complete.count("aria-labelledby") == 3
