"""What every page keeps to: pure functions from a page to the sentences against it, each naming the remedy.

They see the page as a browser without script or style does. What only shows in a browser - contrast, size, focus,
overflow - is `browser.py`'s.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import html5lib
from html5lib.constants import E as PARSE_ERRORS

BYTES_MAX: Final = 50 * 1024

SVG: Final = "{http://www.w3.org/2000/svg}"
_INPUTS_WITHOUT_LABEL: Final = frozenset({"hidden", "submit", "button", "reset", "image"})
_HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")
_REFERENCES: Final = (
    *("for", "form", "list", "headers", "popovertarget"),
    *("aria-describedby", "aria-labelledby", "aria-controls", "aria-errormessage", "aria-owns"),
)
_RESOURCES: Final = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "input": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "video": "src",
    f"{SVG}image": "href",
    f"{SVG}use": "href",
}
_INTERACTIVE: Final = frozenset({"a", "button", "input", "select", "textarea", "details", "label"})
_BLOCKS: Final = frozenset(
    {
        *("address", "article", "aside", "blockquote", "details", "div", "dl", "fieldset", "figure", "footer", "form"),
        *(
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "header",
            "hr",
            "main",
            "nav",
            "ol",
            "p",
            "pre",
            "section",
            "table",
            "ul",
        ),
    }
)
# Whatever holds words and no blocks, besides what the parser notices itself.
_PHRASES: Final = frozenset({"span", "strong", "em", "b", "i", "small", "label", "button", "dt", *_HEADINGS})
_CHILDREN: Final = {
    "ul": {"li"},
    "ol": {"li"},
    "dl": {"dt", "dd", "div"},
    "select": {"option", "optgroup", "hr"},
    "tr": {"th", "td"},
}
_APART: Final = _BLOCKS | {"li", "td", "th", "tr", "dt", "dd", "br", "option", "legend", "caption", "button"}
_UNSEEN: Final = frozenset({"head", "script", "style", "template", "noscript", "datalist"})


class Html:
    """A page as it was parsed, with what most checks ask of it."""

    def __init__(self, text: str) -> None:
        parser = html5lib.HTMLParser(namespaceHTMLElements=False)
        self.source = text
        self.root: Element = parser.parse(text)
        self.errors = [
            f"line {line}: {PARSE_ERRORS.get(code, code) % values}" for (line, _), code, values in parser.errors
        ]

    @cached_property
    def elements(self) -> list[Element]:
        """Every element in the order of the page."""
        return [each for each in self.root.iter() if not _is_comment(each)]

    @cached_property
    def parents(self) -> dict[Element, Element]:
        return {child: parent for parent in self.elements for child in parent}

    @cached_property
    def by_id(self) -> dict[str, Element]:
        return {each.get("id", ""): each for each in reversed(self.elements) if "id" in each.attrib}

    def all(self, *tags: str) -> list[Element]:
        return [each for each in self.elements if each.tag in tags]

    def above(self, element: Element) -> Iterator[Element]:
        """Whatever it stands in, from the inside out."""
        while (parent := self.parents.get(element)) is not None:
            yield parent
            element = parent

    def within(self, element: Element, *tags: str) -> Element | None:
        """The nearest of these around it."""
        return next((each for each in self.above(element) if each.tag in tags), None)

    def labels(self, control: Element) -> list[Element]:
        """Those for it, and the one around it."""
        around = self.within(control, "label")
        pointing = [each for each in self.all("label") if each.get("for") and each.get("for") == control.get("id")]
        return pointing if around is None or around in pointing else [*pointing, around]

    def name(self, element: Element) -> str:
        """What a screen reader calls it."""
        if ids := element.get("aria-labelledby"):
            return said(" ".join(text(self.by_id[each]) for each in ids.split() if each in self.by_id))
        if label := element.get("aria-label"):
            return said(label)
        if element.tag == "input" and element.get("type") in {"submit", "button", "reset"}:
            return said(element.get("value", ""))
        if element.tag in {"input", "select", "textarea"}:
            return said(" ".join(text(each, leave=element) for each in self.labels(element)))
        if element.tag == "fieldset":
            return next((text(each) for each in element if each.tag == "legend"), "")
        return text(element)


def said(words: str) -> str:
    """Them with single spaces."""
    return " ".join(words.split())


def text(element: Element, *, leave: Element | None = None) -> str:
    """What is read out of it: hidden things aren't, pictures by their alternative."""
    return said("".join(_pieces(element, leave)))


def _pieces(element: Element, leave: Element | None) -> Iterator[str]:
    if element is leave or _is_comment(element) or element.tag in _UNSEEN or _unheard(element):
        return
    if element.tag == "img":
        yield element.get("alt", "")
    elif element.tag == f"{SVG}svg":
        yield _picture(element)
    else:
        space = " " if element.tag in _APART else ""
        yield space
        yield element.text or ""
        for child in element:
            yield from _pieces(child, leave)
            yield child.tail or ""
        yield space


def _is_comment(element: Element) -> bool:
    return not isinstance(element.tag, str)  # but a function, whatever its type says


def _unheard(element: Element) -> bool:
    return element.get("aria-hidden") == "true" or "hidden" in element.attrib


def _picture(svg: Element) -> str:
    """The alternative of a drawing."""
    title = next((each.text or "" for each in svg if each.tag == f"{SVG}title"), "")
    return svg.get("aria-label") or title


def _shown(element: Element) -> str:
    """Its tag as it stands on the page, for a sentence."""
    known = ("id", "name", "href", "action", "type", "class", "for", "src")
    attributes = "".join(f' {name}="{element.get(name)}"' for name in known if name in element.attrib)
    return f"<{str(element.tag).removeprefix(SVG)}{attributes}>"


# ---- what every page keeps to


def is_valid_html(page: Html) -> Iterator[str]:
    yield from (f"HTML: {error}" for error in page.errors)
    for element in page.elements:
        parent = page.parents.get(element)
        if parent is None:
            continue
        if element.tag in _BLOCKS and parent.tag in _PHRASES:
            yield f"{_shown(element)} may not stand in {_shown(parent)}"
        if parent.tag in _CHILDREN and element.tag not in {*_CHILDREN[str(parent.tag)], "script", "template"}:
            yield f"{_shown(element)} may not stand in {_shown(parent)} itself"
        if element.tag in _INTERACTIVE and page.within(element, "button", "a") is not None:
            yield f"{_shown(element)} may not stand in a link or button: one thing is pressed at a time"


def has_one_heading_that_begins_the_title(page: Html) -> Iterator[str]:
    headings, titles = page.all("h1"), page.all("title")
    if len(headings) != 1:
        yield f"one h1 says what the page is; it has {len(headings)}"
    elif not text(headings[0]):
        yield "the h1 is empty"
    elif not titles or not said(titles[0].text or "").startswith(text(headings[0])):
        yield f"the title begins with the h1, {text(headings[0])!r}"


def says_its_language_and_width(page: Html) -> Iterator[str]:
    if page.root.get("lang") not in {"en", "cy"}:
        yield 'html says its language: lang="en" or "cy"'
    if not any(each.get("charset", "").lower() == "utf-8" for each in page.all("meta")):
        yield 'a meta charset="utf-8" is there'
    viewports = [each.get("content", "") for each in page.all("meta") if each.get("name") == "viewport"]
    if not any("width=device-width" in each for each in viewports):
        yield "a meta viewport says width=device-width"
    if any("user-scalable" in each or "maximum-scale" in each for each in viewports):
        yield "the viewport lets people zoom"
    if len(page.all("main")) != 1:
        yield "one main holds what the page is about"


def has_headings_in_order(page: Html) -> Iterator[str]:
    level = 0
    for heading in page.all(*_HEADINGS):
        following = int(str(heading.tag)[1])
        if following > level + 1:
            yield f"{_shown(heading)} {text(heading)!r} follows level {level}: no level is left out"
        level = following


def has_every_field_labelled(page: Html) -> Iterator[str]:
    for control in page.all("input", "select", "textarea"):
        if control.tag != "input" or control.get("type", "text") not in _INPUTS_WITHOUT_LABEL:
            if not page.name(control):
                yield f"{_shown(control)} has a label"
            if control.get("type") == "radio" and page.within(control, "fieldset") is None:
                yield f"{_shown(control)} stands in a fieldset with a legend"
    for fieldset in page.all("fieldset"):
        if not page.name(fieldset):
            yield f"{_shown(fieldset)} begins with a legend"


def has_each_id_once(page: Html) -> Iterator[str]:
    for id_, times in Counter(each.get("id") for each in page.elements if "id" in each.attrib).items():
        if times > 1:
            yield f"id {id_!r} stands there {times} times"
        if not id_ or re.search(r"\s", id_):
            yield f"id {id_!r} is empty or has a space"


def points_at_what_is_there(page: Html) -> Iterator[str]:
    for element in page.elements:
        for name in _REFERENCES:
            for id_ in element.get(name, "").split():
                if id_ not in page.by_id:
                    yield f"{_shown(element)} {name} names {id_!r}, which isn't there"
        href = element.get("href", "")
        if element.tag == "a" and href.startswith("#") and href[1:] not in page.by_id:
            yield f"{_shown(element)} leads to {href!r}, which isn't there"
        if element.tag == "label" and page.by_id.get(element.get("for", ""), element).tag not in {
            *("label", "input", "select", "textarea", "output", "button", "meter", "progress"),
        }:
            yield f"{_shown(element)} is for a field"


def has_words_for_pictures(page: Html) -> Iterator[str]:
    for element in page.all("img"):
        if "alt" not in element.attrib:
            yield f"{_shown(element)} has an alt (empty, if it says nothing new)"
    for element in page.all(f"{SVG}svg"):
        named = element.get("role") == "img" and (_picture(element) or page.name(element))
        hidden = any(_unheard(each) for each in (element, *page.above(element)))
        if not (named or hidden):
            yield f'{_shown(element)} has role="img" and a name, or aria-hidden="true"'


def has_words_on_what_is_pressed(page: Html) -> Iterator[str]:
    for element in page.all("button", "a", "summary"):
        if not page.name(element) and not _unheard(element):
            yield f"{_shown(element)} has words"
    for element in page.all("input"):
        if element.get("type") in {"submit", "button", "reset"} and not page.name(element):
            yield f"{_shown(element)} has words"
        if element.get("type") == "image":
            yield f"{_shown(element)} is a button with words instead"


def has_no_script_or_style_of_its_own(page: Html) -> Iterator[str]:
    for element in page.elements:
        if element.tag == "style" or (element.tag == "script" and "src" not in element.attrib):
            yield f"{_shown(element)} stands in a file: the policy forbids it here"
        if element.tag in {"base", "iframe", "object", "embed", "marquee", "blink", "center", "font"}:
            yield f"{_shown(element)} isn't used here"
        for name in element.attrib:
            if name == "style" or name.lower().startswith("on"):
                yield f"{_shown(element)} has the attribute {name}: classes and site.js instead"
        if element.get("href", "").strip().lower().startswith("javascript:"):
            yield f"{_shown(element)} is a button instead"


def asks_nobody_else(page: Html) -> Iterator[str]:
    for element in page.elements:
        address = element.get(_RESOURCES.get(str(element.tag), ""), "") or element.get(
            "{http://www.w3.org/1999/xlink}href", ""
        )
        if is_outside(address) or (element.tag == "form" and is_outside(element.get("action", ""))):
            yield f"{_shown(element)} is of another site"
        # A server of ours needs it to be told, another site must not be: what page they come from can be private.
        if element.tag == "a" and is_outside(element.get("href", "")):
            if "noreferrer" not in element.get("rel", "").split():
                yield f'{_shown(element)} leaves with rel="noreferrer"'
        # But for signing in while what was typed waits here.
        elif element.tag == "a" and element.get("target") and "beside this page" not in page.name(element):
            yield f"{_shown(element)} opens where it stands: a second window loses people"


def is_outside(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in {"http", "https", "ws", "wss", "ftp"}


def resources(page: Html) -> set[str]:
    """What a browser fetches besides the page itself."""
    found = {each.get(_RESOURCES.get(str(each.tag), ""), "").partition("#")[0] for each in page.elements}
    return {each for each in found if each and not each.startswith("data:") and not is_outside(each)}


def destinations(page: Html) -> set[tuple[str, str]]:
    """Where its links and forms go on this site, with the method."""
    links = {("GET", each.get("href", "")) for each in page.all("a") if not each.get("href", "").startswith("#")}
    forms = {(each.get("method", "get").upper(), each.get("action", "")) for each in page.all("form")}
    pressed = {
        (form.get("method", "get").upper(), each.get("formaction", ""))
        for form in page.all("form")
        for each in submitters(page, form)
        if "formaction" in each.attrib
    }
    found = links | forms | pressed
    return {(method, address) for method, address in found if not urlsplit(address).scheme and not is_outside(address)}


def has_named_tables(page: Html) -> Iterator[str]:
    for table in page.all("table"):
        if not any(each.tag == "caption" and text(each) for each in table):
            yield f"{_shown(table)} has a caption"
        if not any(each.tag == "th" for each in table.iter()):
            yield f"{_shown(table)} has headings (th)"


def has_sendable_forms(page: Html) -> Iterator[str]:
    for form in page.all("form"):
        if form.get("method", "get").lower() not in {"get", "post"}:
            yield f"{_shown(form)} is sent by get or post"
        if form.get("enctype", "application/x-www-form-urlencoded") != "application/x-www-form-urlencoded":
            yield f"{_shown(form)} is sent as every other"
        if not submitters(page, form):
            yield f"{_shown(form)} has a button: without script, nothing else sends it"
    for control in page.all("input", "select", "textarea", "button"):
        if control.tag != "button" and "name" not in control.attrib and form_of(page, control) is not None:
            yield f"{_shown(control)} has a name, or is never sent"
        if control.tag == "button" and form_of(page, control) is None and control.get("type") != "button":
            yield f"{_shown(control)} stands in a form, or does nothing"


def form_of(page: Html, control: Element) -> Element | None:
    """The form that it is sent with."""
    if named := control.get("form"):
        return page.by_id.get(named)
    return page.within(control, "form")


def controls(page: Html, form: Element) -> list[Element]:
    """Its fields and buttons, in the order of the page."""
    return [each for each in page.all("input", "select", "textarea", "button") if form_of(page, each) is form]


def submitters(page: Html, form: Element) -> list[Element]:
    """Its buttons that send it, as somebody finds them: none that is there for Enter alone."""
    return [
        each
        for each in controls(page, form)
        if not _unheard(each)
        if (each.tag == "button" and each.get("type", "submit") == "submit")
        or (each.tag == "input" and each.get("type") == "submit")
    ]


def is_light(page: Html) -> Iterator[str]:
    size = len(page.source.encode())
    if size >= BYTES_MAX:
        yield f"a page is below {BYTES_MAX:,} bytes; it has {size:,}"


Check = Callable[[Html], Iterator[str]]
CHECKS: Final[tuple[Check, ...]] = (
    is_valid_html,
    has_one_heading_that_begins_the_title,
    says_its_language_and_width,
    has_headings_in_order,
    has_every_field_labelled,
    has_each_id_once,
    points_at_what_is_there,
    has_words_for_pictures,
    has_words_on_what_is_pressed,
    has_no_script_or_style_of_its_own,
    asks_nobody_else,
    has_named_tables,
    has_sendable_forms,
    is_light,
)


# ---- what an answer keeps to


_POLICY: Final = ("default-src", "frame-ancestors", "form-action", "base-uri")


def has_safe_headers(headers: Mapping[str, str], *, private: bool) -> Iterator[str]:
    """Its headers, by names in lower case, and whether it is somebody's."""
    if headers.get("content-type", "").replace(" ", "").lower() != "text/html;charset=utf-8":
        yield "Content-Type is text/html; charset=utf-8"
    if headers.get("x-content-type-options") != "nosniff":
        yield "X-Content-Type-Options is nosniff"
    if headers.get("referrer-policy") not in {"no-referrer", "same-origin"}:
        yield "Referrer-Policy is no-referrer or same-origin"
    if private and "no-store" not in headers.get("cache-control", ""):
        yield "Cache-Control is no-store: the page is somebody's"
    yield from _has_strict_policy(headers.get("content-security-policy", ""))


_HARMLESS: Final = frozenset({"language"})  # says nothing of anybody, and opens nothing


def has_safe_cookies(cookies: Sequence[str], *, secure: bool = True) -> Iterator[str]:
    """The Set-Cookies of an answer; at an address that isn't https they can't be Secure."""
    for cookie in cookies:
        name = cookie.partition("=")[0]
        attributes = {each.strip().lower() for each in cookie.split(";")}
        wanted = {"samesite=lax", "path=/"}
        if name not in _HARMLESS:
            wanted |= {"httponly", "secure"} if secure else {"httponly"}
        if secure and name not in _HARMLESS and not name.startswith("__Host-"):
            yield f"the cookie {name} begins with __Host-: no other host can set it then"
        for attribute in sorted(wanted - attributes):
            yield f"the cookie {name} is {attribute}"


def _has_strict_policy(header: str) -> Iterator[str]:
    policy = {words[0]: words[1:] for part in header.split(";") if (words := part.split())}
    for name in _POLICY:
        if name not in policy:
            yield f"the Content-Security-Policy has {name}"
    if policy.get("frame-ancestors") != ["'none'"]:
        yield "the Content-Security-Policy's frame-ancestors is 'none'"
    for name, sources in policy.items():
        for source in sources:
            if source.startswith("'unsafe-") or source in {"*", "http:", "https:"} or is_outside(source):
                yield f"the Content-Security-Policy's {name} permits {source}"


_SECRET: Final = frozenset({"one-time-code", "current-password", "new-password"})


def tells_what_is_wrong(page: Html, action: str, sent: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """For a form that was refused and is shown again: a summary that leads to the fields, and what was typed."""
    form = next((each for each in page.all("form") if each.get("action", "").partition("#")[0] == action), None)
    if form is not None:  # else another page tells it
        yield from shows_again(page, form, sent)


def shows_again(page: Html, form: Element, sent: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The same of that form, told from others of its action."""
    yield from _sums_up(page, form)
    yield from _keeps(page, form, sent)


def _sums_up(page: Html, form: Element) -> Iterator[str]:
    summary = next((each for each in page.elements if each.get("role") == "alert"), None)
    if summary is None or not text(summary):
        yield 'an error summary, role="alert", says what is wrong'
        return
    if not any(each.get("tabindex") == "-1" and each.tag != "main" for each in (summary, *page.above(summary))):
        yield 'the error summary can take focus: tabindex="-1"'
    linked = {each.get("href", "")[1:] for each in summary.iter("a")}
    for id_ in sorted(linked & page.by_id.keys()):
        if page.by_id[id_].tag not in {"input", "select", "textarea", "fieldset"}:
            yield f"the error summary's #{id_} is a field, to which the focus can go"
    for control in controls(page, form):
        if control.get("aria-invalid") == "true":
            group = page.within(control, "fieldset")
            # Of fields that are asked for together, as hours and minutes, one link leads to the first.
            together = [control] if group is None else [group, *controls(page, form)]
            ids = {
                each.get("id")
                for each in together
                if each in {group, control} or page.within(each, "fieldset") is group
            }
            if not linked & ids:
                yield f"the error summary leads to {_shown(control)}"
            if not any(each is not None and each.get("aria-describedby") for each in (control, group)):
                yield f"{_shown(control)} is described by what is wrong with it (aria-describedby)"


def _keeps(page: Html, form: Element, sent: Mapping[str, Sequence[str]]) -> Iterator[str]:
    kept = filled(page, form)
    fields = [each for each in controls(page, form) if each.tag != "button"]
    secret = {
        each.get("name", "")
        for each in fields
        if each.get("type") in {"password", "hidden"} or each.get("autocomplete") in _SECRET
    }
    for name in sorted({each.get("name", "") for each in fields} - secret):
        typed = [each for each in map(said, sent.get(name, ())) if each]
        if typed and [said(each) for each in kept.get(name, ())] != typed:
            yield f"what was typed into {name!r}, {typed}, is still there; it has {kept.get(name, [])}"
    for field in fields:
        if field.get("type") == "password" and field.get("value"):
            yield f"{_shown(field)} is empty again: a secret isn't sent back"


def filled(page: Html, form: Element) -> dict[str, list[str]]:
    """What a browser would send of it untouched, without a button."""
    found: dict[str, list[str]] = {}
    for control in controls(page, form):
        name = control.get("name")
        if (
            not name
            or "disabled" in control.attrib
            or any(each.tag == "fieldset" and "disabled" in each.attrib for each in page.above(control))
        ):
            continue
        if control.tag == "select":
            found.setdefault(name, []).extend(_chosen(control))
        elif control.tag == "textarea":
            found.setdefault(name, []).append("".join(control.itertext()))
        elif control.tag == "input":
            kind = control.get("type", "text")
            if kind in {"checkbox", "radio"}:
                if "checked" in control.attrib:
                    found.setdefault(name, []).append(control.get("value", "on"))
            elif kind not in {"submit", "button", "reset", "image", "file"}:
                found.setdefault(name, []).append(control.get("value", ""))
    return found


def _chosen(select: Element) -> list[str]:
    options = [each for each in select.iter("option") if "disabled" not in each.attrib]
    chosen = [each for each in options if "selected" in each.attrib]
    if not chosen and "multiple" not in select.attrib:
        chosen = options[:1]
    return [option_value(each) for each in chosen]


def option_value(option: Element) -> str:
    return option.get("value", text(option))


# ---- how it reads

_WORDS_MEAN: Final = 15
_WORDS_MAX: Final = 25
_LETTERS_MAX: Final = 13


def hard_to_read(words: str) -> list[str]:
    """What someone of eleven would stumble over, roughly: long sentences and long words."""
    sentences = [each.split() for each in re.split(r"(?<=[.!?:])\s+|\n+", words) if each.strip()]
    found = [f"{len(each)} words: {' '.join(each)}" for each in sentences if len(each) > _WORDS_MAX]
    if sentences and (mean := sum(map(len, sentences)) / len(sentences)) > _WORDS_MEAN:
        found.append(f"{mean:.0f} words a sentence on average")
    spoken = re.findall(r"[^\W\d_]+", re.sub(r"https?://\S+", "", words))  # of links, what is random too
    long = {each.lower() for each in spoken if len(each) > _LETTERS_MAX}
    return [*found, *(f"a long word: {each}" for each in sorted(long))]


READING_AGE: Final = 11  # issue 5
_WORDS_ENOUGH: Final = 30  # of fewer, a mean says less: so many years are let off
_YEARS_LESS: Final = 3


def reading_age(words: str) -> float:
    """From what age most people can read its sentences: their Flesch-Kincaid grade and five years; 0 if there are none.

    Of few words it is the least that is believed of them.
    """
    sentences = [re.findall(r"[^\W\d_]+", each) for each in re.findall(r"[^.?!:\n]+[.?!:](?=\s|$)", words)]
    spoken = [word.lower() for sentence in sentences for word in sentence]
    if not spoken:
        return 0
    syllables = sum(max(1, len(re.findall("[aeiouy]+", re.sub("(?<!l)e$", "", word)))) for word in spoken)
    age = 5 + 0.39 * len(spoken) / len(sentences) + 11.8 * syllables / len(spoken) - 15.59
    return age if len(spoken) >= _WORDS_ENOUGH else age - _YEARS_LESS
