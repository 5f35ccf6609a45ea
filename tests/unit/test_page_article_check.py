"""Files that are not article pages are rejected, with what is missing. Articles in any language are accepted."""

from datetime import UTC, datetime

import pytest

from ledgerpress.features.page_import.parser.page import NotAnArticlePage, PageUnreadable, parse_page

RETRIEVED = datetime(2024, 12, 22, tzinfo=UTC)

PASSWORDS = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
OTHER_FILES = {
    "passwd": PASSWORDS,
    "hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost\nff02::1 ip6-allnodes\n",
    "services": "# Network services, Internet style\n# See the manual page.\ntcpmux 1/tcp # TCP port\necho 7/tcp\n",
    "csv": "name,age,town\nAda,36,London\nBob,41,Brack Sound\n",
    "json": '{\n  "title": "A headline",\n  "text": "Some text."\n}\n',
    "minified json": 'Data\n{"a":' + "[1,2,3]," * 40 + '"b":"c."}',
    "python": 'import os\n\n\ndef main() -> None:\n    """Print a line."""\n    print(os.getcwd())\n',
    "javascript": "const a = 1;\nfunction f(x) {\n  return x + 1;\n}\n",
    "toml": '[project]\nname = "x"\nversion = "1.0"\n',
    "markdown": "# A title\n\nA paragraph of text that explains all of it.\n",
    "shell": "#!/bin/sh\nset -e\necho done.\n",
    "log": "2024-12-05 09:00:00 INFO started\n2024-12-05 09:00:01 INFO listening on 8000\n2024-12-05 09:00:02 WARN x\n",
    "base64": "Attachment\n" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo" * 8,
    "menu": "Home\nNews\nSport\nWeather\nAbout us\nContact\n",
    "hard-wrapped": "A licence\nPermission is hereby granted, free of charge, to any\nperson who obtains a copy of this\nsoftware.",
    "not found": "404 Not Found\n404 Not Found\nThe page that you requested does not exist.\n",
    "challenge": "Just a moment...\nJust a moment...\nEnable JavaScript and cookies to continue.\n",
    "login": "Sign in to continue\nSign in to continue\nYou need an account for this page.\n",
}


@pytest.mark.parametrize("name", OTHER_FILES)
def test_a_file_that_is_not_an_article_page_is_rejected(name: str) -> None:
    with pytest.raises(PageUnreadable) as error:
        parse_page(OTHER_FILES[name], RETRIEVED)
    if isinstance(error.value, NotAnArticlePage):
        assert "it lacks" in str(error.value)


def test_the_error_states_all_that_is_missing() -> None:
    with pytest.raises(NotAnArticlePage) as error:
        parse_page(PASSWORDS, RETRIEVED)
    assert str(error.value) == (
        'not an article page; it lacks a headline: its first line "root:x:0:0:root:/root:/bin/bash" does not look like'
        " one; and paragraphs: most of its text is not in lines that end like a sentence"
    )


def test_a_file_can_be_forced() -> None:
    page = parse_page(PASSWORDS, RETRIEVED, force=True)
    assert page.article.title == "root:x:0:0:root:/root:/bin/bash"


@pytest.mark.parametrize(
    "text",
    [
        "One headline\nText.",
        "9/11\nA short text about that day.",
        "$2 Million for the Mill\nThe council has found the money.",
        "#MeToo in the Mill\nTen years later, they speak.",
        "[Updated] The mill: what we know\n“It turns!”",
        "C++ at 40: a language_lawyer’s view\nIt is still here.",
        "What to Read\nOne book\nIt is a good book, says everybody who read it to the end.\nAnother\nThis one is better.",
        "夜市搬到旧码头\n夜市在九个夏天之后离开了木桶巷。五月将在旧码头重新开张。",
        "रात का बाज़ार\nबाज़ार पुराने घाट पर चला गया है।",
        "سوق الليل\nانتقل السوق إلى الرصيف القديم.",
        "ตลาดกลางคืน\n" + "ตลาดกลางคืนย้ายไปที่ท่าเรือเก่าในเดือนพฤษภาคม " * 4,
    ],
)
def test_an_article_is_accepted(text: str) -> None:
    assert parse_page(text, RETRIEVED).article.title == text.split("\n", 1)[0]
