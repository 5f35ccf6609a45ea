"""The URL of a log: its engine and publication, invalid URLs, and passwords, which are never shown."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledgerpress.adapters.jetstream.url import NatsUrl
from ledgerpress.adapters.postgres.url_checks_and_hosts import split_hosts
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.server.log_url import LogUrl, mask


@pytest.mark.parametrize(
    ("text", "engine", "publication"),
    [
        ("sqlite:", "sqlite", ""),
        ("sqlite:/srv/log.db", "sqlite", ""),
        ("postgresql://db.example.org/news?publication=daily", "postgresql", "daily"),
        ("postgres://u:p@db/news?sslmode=require&publication=daily", "postgresql", "daily"),
        ("postgresql:///news?host=/run/postgresql&publication=daily-2", "postgresql", "daily-2"),
        ("nats://n1:4222,n2:4222,n3:4222?publication=weekly", "nats", "weekly"),
        ("tls://n1:4222?publication=weekly", "nats", "weekly"),
        ("nats://[::1]:4222,[fe80::1]?publication=weekly", "nats", "weekly"),
    ],
)
def test_a_url_names_an_engine_and_a_publication(text: str, engine: str, publication: str) -> None:
    url = LogUrl.parse(text)
    assert (url.engine, url.publication) == (engine, publication)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with sqlite:, postgresql: or nats:"),
        ("sqlite", "must begin with sqlite:, postgresql: or nats:"),
        ("mysql://db/news?publication=daily", "must begin with sqlite:, postgresql: or nats:"),
        ("sqlite://srv/log.db", "write sqlite: alone, or with the path of a file after it"),
        ("sqlite:?publication=daily", "write sqlite: alone, or with the path of a file after it"),
        ("postgresql:", "an example is postgresql://"),
        ("nats:n1:4222?publication=daily", "an example is nats://"),
        ("nats://n1:4222", "names no publication: .* as in nats://n1:4222[?]publication=daily"),
        ("postgresql://db/news?publication=Daily", "has the invalid publication 'Daily'"),
        ("postgresql://db/news?publication=" + "a" * 33, "at most 32"),
        ("nats://n1:port?publication=daily", "after // there is no valid host and port"),
        (
            "nats://u:secret@n1:4222,n2:99999?publication=daily",
            "'nats://…' is not a log URL: after // there is no valid host and port",
        ),
        ("postgresql://news:se:cret@db:x/news?publication=daily", "after // there is no valid host and port"),
        ("nats://[::1?publication=daily", "no valid host and port"),
    ],
)
def test_an_invalid_log_url_is_rejected_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(LogUnusable, match=message):
        LogUrl.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://news:se/c?r@et@db/news?publication=daily",
        "postgresql://db/news?publication=daily&password=se/c?r@et",
        "nats://se/c?r@et@n1:4222,n2:4222?publication=daily",
        "nats://n1:4222?token=se/c?r@et&publication=daily",
        "postgresql://news:se/c?r@et@db/news?publication=NO",
        "other://news:se/c?r@et@db/news",
        "postgresql://db/news?publication=daily;password=se/cret@",
        "postgresql://db/news?publication=daily%3Bpassword%3Dse/cret",
        "postgresql://db/news?publication=daily&sslmode=require;password=se/cret",
        "postgresql://db/news?publication=daily&sslmode=require%3Bpassword%3Dse/cret",
        "postgresql://db/news?publication=daily&p%61ssword=se/cret",
        "postgresql://db/news?publication=daily&p%61ssword=se/cret#",
        "postgresql://db/news?password=x&se/c=ret&publication=daily",
        "postgresql://db;password=se/cret?publication=daily",
        "postgresql://db/news;password=se/cret?publication=daily",
        "nats://n1:4222?publication=weekly;token=se/cret",
        "postgresql://news:x@se%2Fcret@db/news?publication=daily",
        "postgresql://news%3Ase%2Fc@db/news?publication=daily",
        "postgresql://db/news?publication=daily&user=news:se/cret",
        "postgresql://db/news?publication=daily&key=se/cret",
        "nats://n1?publication=daily&psw=se/cret",
    ],
)
def test_no_password_is_shown(text: str) -> None:
    assert "se/c" not in _shown_text(text)
    assert "et@" not in _shown_text(text)


@pytest.mark.parametrize("hosts", ["a,[::1]", "[::1]:5432,b", "[fe80::1%25eth0],[::2]:1"])
def test_hosts_can_be_ipv6_addresses(hosts: str) -> None:
    """The parser of some Python versions rejects some of these addresses."""
    text = f"postgresql://u:p@{hosts}/news?publication=daily"
    assert LogUrl.parse(text).without_publication() == f"postgresql://u:p@{hosts}/news"
    assert split_hosts(text) == [text.replace(hosts, host) for host in hosts.split(",")]
    places = NatsUrl.of(f"nats://{hosts}?publication=daily").servers
    assert [place.removeprefix("nats://").removesuffix(":4222") for place in places] == hosts.split(",")


@pytest.mark.parametrize("host", ["h\uff0fx", "u:S3CRET\uff20h", "h\uff1a1"])
def test_a_variant_form_of_a_separator_is_rejected(host: str) -> None:
    with pytest.raises(LogUnusable) as error:
        LogUrl.parse(f"postgresql://{host}/news?publication=daily")
    assert "S3" not in str(error.value)


def test_everything_except_secrets_is_shown() -> None:
    text = (
        "postgresql://db-1.example.org:5432,[::1]/news?host=%2Frun%2Fpg&sslmode=verify-full&publication=daily"
    )
    assert str(LogUrl.parse(text)) == text
    secret = text.replace("&publication", "&password=x&publication")
    assert str(LogUrl.parse(secret)) == text.replace("&publication", "&password=…&publication")


def _shown_text(text: str) -> str:
    try:
        return f"{LogUrl.parse(text)} {LogUrl.parse(text)!r}"
    except LogUnusable as error:
        return str(error)


_SECRET = "S3CR3T"
_AROUND = st.text(st.sampled_from(" /:?#@&=%,[]'\"\n1a") | st.characters(codec="utf-8"), max_size=6)


@given(
    st.sampled_from(["", "postgresql:", "postgres:", "nats:", "tls:", "mysql:", "sqlite://"]),
    st.sampled_from(["", "/", "//"]),
    _AROUND,
    _AROUND,
    st.sampled_from(["h", "h/db", "h:4222", "h1:1,h2:x", "[::1", ""]),
    st.sampled_from(["", "?publication=daily", "?publication=NO", "?x=1&x=2", "?x"]),
)
@example("postgresql:", "/", "u:", "", "h/db", "?publication=daily")
@example("postgresql:", "", "u:", "", "h/db", "")
@example("", "", "u:", "", "h/db", "?publication=daily")
@example("postgresql:", "//", "u:S3 ", "", "h/db", "?publication=daily")
@example("postgresql:", "//", "u:", "#x", "h/db", "?publication=daily")
@example("postgresql:", "//", "u:", "/x", "h/db", "?publication=daily")
@example("postgresql:", "//", "u:1?a=", "", "h/db", "&publication=daily")
@example("sqlite://", "", "u:", "", "x", "")
def test_a_password_is_not_shown_whatever_surrounds_it(
    scheme: str, slashes: str, before: str, after: str, place: str, query: str
) -> None:
    text = f"{scheme}{slashes}{before}{_SECRET}{after}@{place}{query}"
    for message in (_shown_text(text), mask(text), mask(repr(text))):
        assert _SECRET not in message


@pytest.mark.parametrize("place", ["news:S3CRET/db", "u:S3CRET:h/db", "u@h:S3CRET/db", "news:S3CRET,db/news"])
def test_a_password_without_its_at_sign_is_not_shown(place: str) -> None:
    for text in (f"postgresql://{place}", f"postgresql://{place}?publication=daily"):
        assert "S3" not in _shown_text(text)


@pytest.mark.parametrize("hidden", ["S3#CRET", "S3/CRET", "S3?CRET", "S3 CRET"])
def test_no_part_of_a_password_is_shown_and_the_error_explains_how_to_encode_it(hidden: str) -> None:
    message = _shown_text(f"postgresql://u:{hidden}@h/db?publication=daily")
    assert "S3" not in message
    assert "CRET" not in message
    assert "percent-encode everything except letters and digits" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nats://n1?publication=a&publication=b", "it repeats a parameter"),
        ("postgresql://db/news?publication=daily#x", "it contains a #"),
        ("postgresql://db/news?publication=daily&x", "a parameter is invalid"),
        (
            "postgresql://db/news?publication=daily;sslmode=require",
            "it has a ; after the [?]: separate parameters with &",
        ),
    ],
)
def test_an_ambiguous_url_is_rejected(text: str, message: str) -> None:
    with pytest.raises(LogUnusable, match=message):
        LogUrl.parse(text)
