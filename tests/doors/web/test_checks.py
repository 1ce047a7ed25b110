"""Each check catches an example, a page that is as it should be passes all, and what is read out is read out."""

import pytest

from tests.doors.web import checks
from tests.doors.web.checks import CHECKS, Html, hard_to_read, reading_age, text

GOOD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Your hours - Time Credits</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/static/site.css"></head>
<body><a href="#main">Skip to the page</a>
<main id="main"><h1>Your hours</h1><p>You gave <strong>2 credits</strong>.</p><h2>Tell us</h2>
<form method="post" action="/hours"><input type="hidden" name="key" value="k">
<label for="minutes">Minutes</label><p id="minutes-hint">As many as it was.</p>
<input id="minutes" name="minutes" aria-describedby="minutes-hint">
<label>Where <select name="where"><option value="1">Repair cafe</option></select></label>
<fieldset><legend>When</legend><label><input type="radio" name="day" value="0"> Today</label></fieldset>
<button>Send</button></form>
<table><caption>Last month</caption><thead><tr><th scope="col">Day</th></tr></thead>
<tbody><tr><td>1 May</td></tr></tbody></table>
<svg viewBox="0 0 1 1" aria-hidden="true"><path d="M0 0"/></svg>
<svg viewBox="0 0 1 1" role="img" aria-label="A chart of your hours"><path d="M0 0" fill="none"/></svg>
<p><a href="https://www.nhs.uk/" rel="noreferrer">Leave this site</a></p></main></body></html>
"""

BODY = "<p>You gave"
BREACHES: list[tuple[checks.Check, str, str]] = [
    (checks.is_valid_html, BODY, "</div><p>You gave"),
    (checks.is_valid_html, BODY, "<p><div>x</div></p><p>You gave"),
    (checks.is_valid_html, BODY, "<span><div>x</div></span><p>You gave"),
    (checks.is_valid_html, BODY, "<ul><p>x</p></ul><p>You gave"),
    (checks.is_valid_html, BODY, '<a href="#main"><button type="button">x</button></a><p>You gave'),
    (checks.is_valid_html, "<!DOCTYPE html>", ""),
    (checks.is_valid_html, "2 credits", "2 &nosuch; credits"),
    (checks.has_one_heading_that_begins_the_title, "<h2>Tell us</h2>", "<h1>Tell us</h1>"),
    (checks.has_one_heading_that_begins_the_title, "<h1>Your hours</h1>", ""),
    (checks.has_one_heading_that_begins_the_title, "<h1>Your hours</h1>", "<h1></h1>"),
    (checks.has_one_heading_that_begins_the_title, "<title>Your hours - ", "<title>"),
    (checks.says_its_language_and_width, ' lang="en"', ""),
    (checks.says_its_language_and_width, '<meta charset="utf-8">', ""),
    (checks.says_its_language_and_width, 'name="viewport"', 'name="else"'),
    (checks.says_its_language_and_width, "initial-scale=1", "maximum-scale=1"),
    (checks.says_its_language_and_width, "</main>", "</main><main></main>"),
    (checks.has_headings_in_order, "<h2>Tell us</h2>", "<h3>Tell us</h3>"),
    (checks.has_headings_in_order, '<main id="main">', '<h2>Menu</h2><main id="main">'),
    (checks.has_every_field_labelled, 'for="minutes"', ""),
    (checks.has_every_field_labelled, "Minutes</label>", "</label>"),
    (checks.has_every_field_labelled, "<label>Where ", "<label>"),
    (checks.has_every_field_labelled, "<fieldset><legend>When</legend>", "<div>"),
    (checks.has_every_field_labelled, "<legend>When</legend>", ""),
    (checks.has_each_id_once, '<p id="minutes-hint">', '<p id="minutes">'),
    (checks.has_each_id_once, '<p id="minutes-hint">', '<p id="">'),
    (checks.points_at_what_is_there, 'for="minutes"', 'for="hours"'),
    (checks.points_at_what_is_there, 'for="minutes"', 'for="minutes-hint"'),
    (checks.points_at_what_is_there, "<p id=", "<p title="),
    (checks.points_at_what_is_there, 'href="#main"', 'href="#top"'),
    (checks.points_at_what_is_there, "<h2>", '<h2 aria-labelledby="main nowhere">'),
    (checks.has_words_for_pictures, BODY, '<img src="/static/a.png"><p>You gave'),
    (checks.has_words_for_pictures, ' aria-hidden="true"', ""),
    (checks.has_words_for_pictures, ' aria-label="A chart of your hours"', ""),
    (checks.has_words_on_what_is_pressed, "<button>Send</button>", "<button></button>"),
    (checks.has_words_on_what_is_pressed, "<button>Send</button>", '<input type="submit" value=" ">'),
    (checks.has_words_on_what_is_pressed, "<button>Send</button>", '<input type="image" src="/s" alt="Send">'),
    (checks.has_words_on_what_is_pressed, "Leave this site", '<span aria-hidden="true">X</span>'),
    (checks.has_no_script_or_style_of_its_own, "</head>", "<style>p{}</style></head>"),
    (checks.has_no_script_or_style_of_its_own, "</head>", "<script>1</script></head>"),
    (checks.has_no_script_or_style_of_its_own, "</head>", '<base href="/"></head>'),
    (checks.has_no_script_or_style_of_its_own, BODY, '<p style="color:red">You gave'),
    (checks.has_no_script_or_style_of_its_own, BODY, '<p onclick="1">You gave'),
    (checks.has_no_script_or_style_of_its_own, 'href="#main"', 'href=" JavaScript:void(0)"'),
    (checks.asks_nobody_else, "/static/site.css", "//cdn.example/site.css"),
    (checks.asks_nobody_else, BODY, '<img alt="" src="https://t.example/pixel"><p>You gave'),
    (checks.asks_nobody_else, 'action="/hours"', 'action="https://evil.example/"'),
    (checks.asks_nobody_else, ' rel="noreferrer"', ""),
    (checks.asks_nobody_else, 'href="#main"', 'href="/" target="_blank"'),
    (checks.has_named_tables, "<caption>Last month</caption>", ""),
    (checks.has_named_tables, '<th scope="col">Day</th>', "<td>Day</td>"),
    (checks.has_sendable_forms, "<button>Send</button>", ""),
    (checks.has_sendable_forms, 'method="post"', 'method="dialog"'),
    (checks.has_sendable_forms, 'method="post"', 'method="post" enctype="multipart/form-data"'),
    (checks.has_sendable_forms, ' name="minutes"', ""),
    (checks.has_sendable_forms, "</main>", "<button>Lost</button></main>"),
    (checks.is_light, BODY, f"<p>{'x' * checks.BYTES_MAX}</p><p>You gave"),
]


def test_a_page_that_is_as_it_should_be_passes_every_check() -> None:
    assert [fault for check in CHECKS for fault in check(Html(GOOD))] == []


@pytest.mark.parametrize(("check", "of", "to"), BREACHES)
def test_each_check_catches_an_example(check: checks.Check, of: str, to: str) -> None:
    assert of in GOOD
    assert list(check(Html(GOOD.replace(of, to, 1))))


def test_every_check_has_an_example() -> None:
    assert {check for check, _, _ in BREACHES} == set(CHECKS)


# ---- headers and cookies

SAFE = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
POLICY = SAFE["content-security-policy"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content-type", "text/html"),
        ("x-content-type-options", ""),
        ("referrer-policy", "unsafe-url"),
        ("cache-control", "max-age=60"),
        ("content-security-policy", ""),
        ("content-security-policy", POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")),
        ("content-security-policy", POLICY.replace("style-src 'self'", "style-src *")),
        ("content-security-policy", POLICY.replace("style-src 'self'", "img-src https:")),
        ("content-security-policy", POLICY.replace("style-src 'self'", "img-src https://cdn.example")),
        ("content-security-policy", POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self'")),
        ("content-security-policy", POLICY.replace("form-action 'self'; ", "")),
    ],
)
def test_each_header_is_looked_at(name: str, value: str) -> None:
    assert list(checks.has_safe_headers(SAFE, private=True)) == []
    assert list(checks.has_safe_headers({**SAFE, name: value}, private=True))


def test_a_page_that_is_nobodys_may_be_kept() -> None:
    assert list(checks.has_safe_headers({**SAFE, "cache-control": "max-age=60"}, private=False)) == []


@pytest.mark.parametrize("lacking", ["__Host-", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"])
def test_a_cookie_has_all_of_its_guards(lacking: str) -> None:
    cookie = "__Host-tc=secret; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert list(checks.has_safe_cookies([cookie])) == []
    assert list(checks.has_safe_cookies([cookie.replace(lacking, "")]))


# ---- a form that was refused

REFUSED = """<main><div role="alert" tabindex="-1"><h2>Something is wrong</h2>
<a href="#minutes">Say how long</a> <a href="#day">Say when</a></div>
<form method="post" action="/hours"><input type="hidden" name="key" value="new">
<label for="minutes">Minutes</label><p id="why">Say how long</p>
<input id="minutes" name="minutes" value="an  hour" aria-invalid="true" aria-describedby="why">
<fieldset id="day" aria-describedby="why"><legend>When</legend>
<label><input type="radio" name="day" value="0" checked aria-invalid="true"> Today</label></fieldset>
<label>Notes <textarea name="notes">
A line
and another</textarea></label>
<label>Code <input name="code" autocomplete="one-time-code"></label>
<label>Secret <input name="secret" type="password"></label><button>Send</button></form></main>"""
SENT = {
    "key": ["old"],
    "minutes": ["an hour"],
    "day": ["0"],
    "notes": ["A line\r\nand another"],
    "code": ["123456"],
    "secret": ["hush"],
}


@pytest.mark.parametrize(
    ("of", "to"),
    [
        ('role="alert"', ""),
        (' tabindex="-1"', ""),
        ('<a href="#minutes">Say how long</a>', ""),
        ('<a href="#day">Say when</a>', ""),
        ('<a href="#day">', '<a href="#why">'),
        ('aria-invalid="true" aria-describedby="why"', 'aria-invalid="true"'),
        ('value="an  hour"', 'value=""'),
        ("checked", ""),
        ("A line", ""),
        ('type="password"', 'type="password" value="hush"'),
    ],
)
def test_a_refused_form_says_what_is_wrong_and_keeps_what_was_typed(of: str, to: str) -> None:
    assert list(checks.tells_what_is_wrong(Html(REFUSED), "/hours", SENT)) == []
    assert of in REFUSED
    assert list(checks.tells_what_is_wrong(Html(REFUSED.replace(of, to, 1)), "/hours", SENT))


# ---- words


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<p>One<p>Two", "One Two"),
        ("<p>One <b>two</b>, three</p>", "One two, three"),
        ('<p>One <span aria-hidden="true">two</span> three', "One three"),
        ("<p>One <span hidden>two</span> three", "One three"),
        ("<p>One <!-- two --> three", "One three"),
        ('<p>One <img src="/a" alt="two"> three', "One two three"),
        ('<p>One <svg role="img"><title>two</title><path/></svg> three', "One two three"),
        ("<ul><li>One<li>Two</ul>", "One Two"),
        ("<p>One<br>two", "One two"),
    ],
)
def test_what_is_read_out(markup: str, words: str) -> None:
    assert text(Html(markup).root) == words


@pytest.mark.parametrize(
    ("words", "stumbles"),
    [
        ("You gave two hours. Thank you!", 0),
        ("Notwithstanding", 1),
        ("Open this link: https://localhost/sign-in/ldaixhgavfaujanni once.", 0),
        (" ".join(["word"] * 26), 2),
        (" ".join(["word"] * 20), 1),
        (" ".join(["word"] * 20) + "\nYes.", 0),
    ],
)
def test_long_sentences_and_words_are_hard_to_read(words: str, stumbles: int) -> None:
    assert len(hard_to_read(words)) == stumbles


@pytest.mark.parametrize(
    ("sentence", "least", "most"),
    [
        ("You get one credit for an hour. Then you can swim.", 4, 7),
        ("The office looks after your card, and prints another one in a minute.", 8, 11),
        ("Participants are encouraged to familiarise themselves with applicable eligibility requirements.", 20, 40),
    ],
)
def test_how_old_a_reader_has_to_be_goes_by_long_sentences_and_words(sentence: str, least: int, most: int) -> None:
    assert least <= reading_age(f"{sentence}\n" * 4) <= most
    assert least <= reading_age(sentence) + 3 <= most, "of few words less is believed"
    assert reading_age(sentence.partition(" ")[0]) == 0
