"""Pages: templates filled in, in the reader's language, with the headers that keep them private.

`page(request, "person/home.html", ...)` gives every template what the layout needs: who is signed in, where they can
go, the language, whether print is to be large. All text of templates is looked up in the catalogue of the language
(`locale/<language>/LC_MESSAGES/messages.po`, read as it is at start, so there is nothing to compile).

A page's policy (CSP) permits our own style sheet, script and pictures, and nothing else: no inline script or style, no
frame, no other origin. Private pages are never stored; files of `static/` have their hash in their address and are kept
for ever.
"""

import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from functools import cache, lru_cache
from pathlib import Path
from types import BuiltinMethodType, MethodType
from typing import Any, Final, NamedTuple, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from babel import Locale
from babel.dates import format_date, format_time
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.runtime import Context, Macro
from litestar import Request, Response
from litestar.exceptions import NotFoundException
from markupsafe import Markup

from ledger.doors.web.places import navigation
from ledger.doors.web.sentences import Sentences, together, unparted
from ledger.doors.web.times import opening
from ledger.scheme.callers import Scope
from ledger.scheme.clock import LONDON, day_of
from ledger.scheme.sign_ins import Present
from ledger.scheme.windows import Window

HERE: Final = Path(__file__).parent
LANGUAGES: Final = {"en": "English", "cy": "Cymraeg"}
LOCALES: Final = {"en": Locale("en", "GB"), "cy": Locale("cy", "GB")}
CATALOGUES: Final = {"cy": HERE / "locale" / "cy" / "LC_MESSAGES" / "messages.po"}
"""What is translated into each language; English is the sources' own."""
HTML: Final = "text/html"
LANGUAGE_COOKIE: Final = "language"

# Not `no-referrer`: a form of such a page says `Origin: null` of itself, and an old browser says nothing else.
_REFERRER: Final = {"referrer-policy": "same-origin"}
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    **_REFERRER,
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


class Visit(NamedTuple):
    """Whose request this is: who is signed in, if anybody, and as whom they act on this page."""

    present: Present | None
    caller: Any  # a Caller where the route has one; see `access`


def page(
    request: Request[Any, Any, Any],
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    public: bool = False,
    **context: object,
) -> Response[bytes]:
    """Return a filled-in template as an answer. ``public`` pages can be left quickly, whoever is signed in."""
    visit = _visit(request)
    present = visit.present
    language = language_of(request)
    said = SAID.get(request.query_params.get("done", "")) if _is_from_here(request) else None
    environment = _environment(language)
    html = environment.get_template(template).render(
        visit=visit,
        navigation=navigation(present, request.scope["path"], translations(language).gettext),
        language=language,
        is_translated=_is_translated(language),
        large_print=bool(present and present.large_print),
        mails=sends_mail(request),
        public=public or present is None,
        static=static_url,
        path=request.scope["path"],
        return_to=_return_to(request),
        flash=said and translations(language).gettext(said),
        **context,
    )
    return Response(html.encode(), media_type=HTML, status_code=status, headers={**_HEADERS, **(headers or {})})


def go(path: str, done: str = "") -> Response[None]:
    """Return a redirect to one of our own pages, after something was done (`done` is one of `SAID`)."""
    assert path.startswith("/"), "only to a page of this site"
    assert not done or done in SAID, f"say in pages.SAID what {done!r} means"
    location = path + (f"?done={done}" if done else "")
    # The policy is a redirect's as well: by it an old browser says at the page that it was one of ours that led there.
    return Response(None, status_code=303, headers={"location": location, **_REFERRER})


def pdf(data: bytes, name: str) -> Response[bytes]:
    """Return a document to be printed."""
    return Response(
        data,
        media_type="application/pdf",
        headers={"cache-control": "no-store", "content-disposition": f'inline; filename="{name}.pdf"'},
    )


def _is_from_here(request: Request[Any, Any, Any]) -> bool:
    """Whether a page of ours led here, as the answer to a form does, and not a link in a letter or on another site."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return urlsplit(request.headers.get("referer", "")).netloc == request.headers.get("host")


def _return_to(request: Request[Any, Any, Any]) -> str:
    """Its address, to come back to in another language; none where it answers a form: what was typed would be lost."""
    if request.method not in {"GET", "HEAD"}:
        return ""
    asked = [(name, value) for name, value in parse_qsl(request.scope["query_string"].decode()) if name != "done"]
    return f"{request.scope['path']}?{urlencode(asked)}" if asked else str(request.scope["path"])


def _visit(request: Request[Any, Any, Any]) -> Visit:
    """Whose request it is; nobody's, if it was refused before anybody asked."""
    return request.scope.get("user") or Visit(None, None)


def language_of(request: Request[Any, Any, Any]) -> str:
    """The reader's language: as they chose here, as they prefer, or as their browser asks."""
    chosen = request.cookies.get(f"__Host-{LANGUAGE_COOKIE}") or request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return str(chosen)
    present = _visit(request).present
    if present is not None:
        return present.language
    asked = request.headers.get("accept-language", "")[:100].lower()
    return "cy" if asked.startswith("cy") else "en"


def is_at_work(request: Request[Any, Any, Any]) -> bool:
    """Whether the page is for somebody who is there for others, and not for a volunteer, or at a kiosk for one."""
    caller = _visit(request).caller
    if caller is None or caller.scope is Scope.PERSON:
        return False
    return caller.device is None or caller.scope is not Scope.PROJECT


def sends_mail(request: Request[Any, Any, Any]) -> bool:
    """Whether mail goes out from here: where it doesn't, no page says that somebody gets an email.

    What was refused before it came to the application doesn't know, and promises nothing.
    """
    application = cast("Mapping[str, Any]", request.scope).get("litestar_app")
    return application is not None and bool(application.state.get("sends_mail"))


def gettext(request: Request[Any, Any, Any]) -> Callable[[str], str]:
    """Return what translates a sentence for this reader, for words that are made outside a template."""
    return translations(language_of(request)).gettext


def sentence_in(request: Request[Any, Any, Any]) -> Callable[[str], str]:
    """Return what says a finished sentence of the scheme for this reader; of templates, the filter `sentence`."""
    return _sentences(language_of(request)).say


def said_in(request: Request[Any, Any, Any]) -> "Said":
    """Return what says minutes and moments in this reader's language, for what is printed."""
    language = language_of(request)
    return Said(translations(language), LOCALES[language])


# What is said once at the top of the page that follows something done.
def _(message: str) -> str:
    """Mark a sentence for the catalogue; it is looked up when it is shown."""
    return message


SAID: Final[dict[str, str]] = {
    "saved": _("Saved."),
    "recorded": _("The register is recorded."),
    "sent_before": _("This register was sent already. This is what stands, and nothing is counted twice."),
    "planned": _("It is planned."),
    "draft_kept": _("Kept as a draft. Look at it, and open it when it is right."),
    "planned_all": _("They are all planned. This is the first."),
    "session_cancelled": _("It is cancelled."),
    "hours_approved": _("Approved. They have their credits."),
    "hours_approved_first": _("Approved. Now a second person has a look."),
    "hours_approved_for_consent": _("Approved. The credits wait for a guardian, and are safe until then."),
    "hours_asked": _("Your question is on its way."),
    "hours_not_approved": _("These hours are not approved. They can read why."),
    "hours_put_right": _("It is put right. They can read why on their page."),
    "batch_made": _("They are made. Now print them."),
    "batch_ended": _("They have ended, and the rest is back in the pot."),
    "group_made": _("The group is made. Now say who shares its pot."),
    "asked_keyholder": _("Proposed. Now another keyholder has to agree, or somebody else in the office."),
    "pot_booked": _("It is booked, and the pot pays."),
    "pot_proposed": _("It is proposed. Now another keyholder has to agree."),
    "pot_declined": _("It is not booked, and the credits stay in the pot."),
    "welcomed": _("They are on the list. Welcome them from us."),
    "card_made": _("The card is made. Now print it."),
    "card_replaced_here": _("The old card has stopped. Now print the new one."),
    "card_blocked_here": _("The card is blocked. Nobody can use it."),
    "card_unblocked_here": _("The card works again."),
    "booked": _("It is booked. Your code is below."),
    "changed": _("Your booking is changed. The code is the same."),
    "cancelled": _("It is cancelled, and the credits are back."),
    "kept": _("Kept as a draft. Nobody sees it until you send it."),
    "taken_back": _("You took it back."),
    "coming": _("You are on the list. See you there."),
    "on_the_list": _("They are on the list."),
    "not_coming": _("You are off the list. Nobody minds."),
    "given": _("Offered. It is theirs as soon as they accept it."),
    "in_the_pot": _("It is in the pot. Thank you."),
    "accepted": _("The credits are yours."),
    "gift_declined": _("The gift has gone back, with thanks."),
    "helper_added": _("They can help you now."),
    "helper_ended": _("That has ended, from this moment."),
    "consented": _("Thank you. They can go ahead."),
    "withdrawn": _("Your consent is withdrawn."),
    "sent": _("Sent."),
    "signed_in": _("You are signed in."),
    "signed_out": _("You are signed out."),
    "stopped": _("It is stopped. Nobody can use it, and your credits are safe."),
    "signed_out_everywhere": _("You are signed out everywhere."),
    "signed_out_there": _("You are signed out there."),
    "passkey_added": _("Your new passkey works from now on."),
    "passkey_removed": _("That passkey does not work any more."),
    "enrolled": _("This is set up. You can start."),
    "refunded": _("Given back."),
    "reinstated": _("They are back, and can be spent."),
    "hours_written": _("Written down. Somebody at the project approves them next."),
    "voucher_claimed": _("Thank you. The credits are added, and can be spent at once."),
    "put_back": _("The credits went back. Nobody is told off."),
    "revoked": _("It is out of use."),
    "person_added": _("They are known now."),
    "card_replaced": _("The old card does not work any more. Print the new one."),
    "card_blocked": _("It is blocked: nobody can use it until you unblock it."),
    "card_unblocked": _("It works again."),
    "card_ended": _("It has ended. You can give them another."),
    "erased": _("They are erased."),
    "done": _("Done."),
    "approved": _("Approved."),
    "second_needed": _("Noted. Somebody else has to approve it too."),
    "asked_another": _("Asked. Somebody else of the staff has to agree."),
    "declined": _("Declined. Nothing has changed."),
}


# --- languages ----------------------------------------------------------------------------------------


@cache
def _catalogue(language: str) -> Catalog:
    source = CATALOGUES.get(language)
    if source is None:
        return Catalog()
    with source.open("rb") as file:
        return read_po(file, locale=LOCALES[language])


class _Words(Translations):
    """A catalogue in which nothing stays nothing: by its own rule the empty sentence is the catalogue's header."""

    def gettext(self, message: str) -> str:
        """The sentence in this language."""
        return super().gettext(message) if message else ""


@cache
def translations(language: str) -> NullTranslations:
    """The catalogue of a language, to be looked up in."""
    compiled = io.BytesIO()
    write_mo(compiled, _catalogue(language))
    compiled.seek(0)
    return _Words(compiled)


def say(language: str, sentence: str) -> str:
    """The sentence in a language: for letters, which are written in that of whom they are for."""
    return translations(language).gettext(sentence)


@cache
def _environment(language: str) -> Environment:
    words = translations(language)
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.context_class = _Context
    environment.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]  # of the extension
    environment.globals["_"] = _saying(words.gettext)
    environment.globals["drawn_of"] = _Drawn()
    said = Said(words, LOCALES[language])
    for name in ("credits", "duration", "day", "dated", "month", "days", "clock", "moment", "opening", "period"):
        environment.filters[name] = getattr(said, name)
    environment.filters["sentence"] = _sentences(language).say
    environment.filters["miles"] = in_miles
    environment.filters["together"] = together
    return environment


class _Context(Context):
    """Jinja's own, which asks of whatever a template calls whether it wants to be given the context: 2 us each time.

    No macro, method or function of ours does, and a page makes some hundreds of calls.
    """

    def call(self, called: Any, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # Jinja's own
        """What it gives, called."""
        if type(called) not in _PLAIN and not called.__module__.startswith("ledger."):
            return super().call(called, *args, **kwargs)
        kwargs.pop("_loop_vars", None)
        kwargs.pop("_block_vars", None)
        return called(*args, **kwargs)


_PLAIN: Final = frozenset({Macro, MethodType, BuiltinMethodType})


def _saying(gettext: Callable[[str], str]) -> Callable[..., Markup]:
    """What `_` is in a template: as Jinja's own, which takes 4 us for each of a page's hundred words."""

    @lru_cache(4096)  # more than there are sentences
    def marked(sentence: str) -> Markup:
        return Markup(unparted(gettext(sentence)))  # noqa: S704  # our own words; what is put in is escaped

    @lru_cache(4096)
    def alone(sentence: str) -> Markup:
        return marked(sentence) % {}

    def say(sentence: str, **values: object) -> Markup:
        return marked(sentence) % values if values else alone(sentence)

    return say


class _Drawn:
    """What a template draws of these things alone, such as a card in a list that everybody looks at, drawn once.

        {% call drawn_of(offer, query) %} ... {% endcall %}

    What is within may hang on nothing else: not on who asks, the time or the form. A card takes 30 us and its lookup 2.
    """

    # Of a kilobyte each.
    PIECES_MAX: Final = 4_096

    def __init__(self) -> None:
        self._pieces: dict[bytes, Markup] = {}

    def __call__(self, *things: object, caller: Callable[[], Markup]) -> Markup:
        told = msgspec.msgpack.encode(things)
        piece = self._pieces.pop(told, None)
        self._pieces[told] = piece = caller() if piece is None else piece
        if len(self._pieces) > self.PIECES_MAX:
            del self._pieces[next(iter(self._pieces))]  # what was asked for least lately
        return piece


@cache
def _is_translated(language: str) -> bool:
    """Whether all is translated; where it isn't, a page says so."""
    strings = [message.string for message in _catalogue(language) if message.id]
    return all(all(each) if isinstance(each, list | tuple) else each for each in strings)


@cache
def _sentences(language: str) -> Sentences:
    words, said = translations(language), Said(translations(language), LOCALES[language])
    return Sentences(
        _catalogue(language),
        LOCALES[language],
        gettext=words.gettext,
        ngettext=words.ngettext,
        credits_=said.credits,
        duration=said.duration,
    )


class Said:
    """Minutes and moments as a language says them; the filters of the templates."""

    def __init__(self, words: NullTranslations, locale: Locale) -> None:
        self._words = words
        self._locale = locale

    def credits(self, minutes: int) -> str:
        """Minutes of credit: "2 credits 45 minutes"."""
        whole, rest = divmod(abs(minutes), 60)
        parts = []
        if whole or not rest:
            parts.append(
                self._words.ngettext("%(number)s credit", "%(number)s credits", whole) % {"number": f"{whole:,}"}
            )
        if rest:
            parts.append(self._minutes(rest))
        return together(("\u2212" if minutes < 0 else "") + " ".join(parts))

    def duration(self, minutes: int) -> str:
        """Minutes of time: "2 hours 45 minutes"."""
        whole, rest = divmod(minutes, 60)
        parts = []
        if whole:
            parts.append(self._words.ngettext("%(number)s hour", "%(number)s hours", whole) % {"number": f"{whole:,}"})
        if rest or not whole:
            parts.append(self._minutes(rest))
        return together(" ".join(parts))

    def days(self, number: int) -> str:
        """Such as "3 days"."""
        return together(self._words.ngettext("%(number)s day", "%(number)s days", number) % {"number": f"{number:,}"})

    def day(self, moment: datetime | date) -> str:
        """Such as "Sunday 22 November"."""
        return _format_date(_local(moment), "EEEE d MMMM", self._locale)

    def dated(self, moment: datetime | date) -> str:
        """Such as "22 November 2026"."""
        return _format_date(_local(moment), "d MMMM yyyy", self._locale)

    def month(self, moment: datetime | date) -> str:
        """Such as "November 2026"."""
        return _format_date(_local(moment), "MMMM yyyy", self._locale)

    def clock(self, moment: datetime) -> str:
        """Such as "2:30pm", or "2pm"."""
        local = moment.astimezone(LONDON)
        return _format_time(time(local.hour, local.minute), "h:mma", locale=self._locale).lower().replace(":00", "")

    def moment(self, moment: datetime) -> str:
        """Such as "Sunday 22 November, 2:30pm"."""
        return f"{self.day(moment)}, {self.clock(moment)}"

    def opening(self, windows: Sequence[Window]) -> list[str]:
        """Such as "Monday to Friday, 9am to 4pm", for each time of day."""
        return opening(windows, self._words.gettext, self._locale)

    def period(self, began: datetime, ended: datetime) -> str:
        """Such as "Sunday 22 November, 2pm to 4:30pm"; a night says the second day, too."""
        until = self.clock(ended) if day_of(began) == day_of(ended) else self.moment(ended)
        return self._words.gettext("%(began)s to %(ended)s") % {"began": self.moment(began), "ended": until}

    def _minutes(self, number: int) -> str:
        return self._words.ngettext("%(number)s minute", "%(number)s minutes", number) % {"number": number}


def in_miles(km: int) -> int:
    """Return whole kilometres, as the scheme has them, in the miles that people here read; 0 is less than one."""
    metres = 1000 * km
    return (metres + _MILE // 2) // _MILE if metres >= _MILE else 0


_MILE: Final = 1609  # metres


def _local(moment: datetime | date) -> date:
    return moment.astimezone(LONDON).date() if isinstance(moment, datetime) else moment


# Babel takes 15 us for each, and a page shows the same few again and again: room for some years of days, and for all
# times of day, in both languages.
_format_date: Final = lru_cache(maxsize=4096)(format_date)
_format_time: Final = lru_cache(maxsize=4096)(format_time)


# --- static files -------------------------------------------------------------------------------------


class _File(NamedTuple):
    content: bytes
    media_type: str


# Litestar adds the charset to text, and to nothing else.
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml; charset=utf-8"}


@cache
def _files() -> dict[str, _File]:
    """The files of `static/` under their addresses: their hash stands in it."""
    found = {}
    for path in sorted((HERE / "static").iterdir()):
        content = _light(path.read_bytes()) if path.suffix == ".js" else path.read_bytes()
        mark = hashlib.sha256(content).hexdigest()[:16]
        found[f"{path.stem}.{mark}{path.suffix}"] = _File(content, _TYPES[path.suffix])
    return found


# Operators and commas: in no text of ours, but for selectors, does one stand with a space.
_SPACED: Final = re.compile(rb" (=>|===|!==|&&|\|\||[=<>?:*+]) (?!\+)|(,) ")


def _light(script: bytes) -> bytes:
    """Return it without what only its readers need: indents, spaces at operators, and remarks on lines of their own."""
    lines = (_SPACED.sub(rb"\1\2", line.strip()) for line in script.splitlines())
    return b"\n".join(line for line in lines if line and not line.startswith((b"//", b"/*")))


@cache
def static_url(name: str) -> str:
    """The address of a file of `static/`."""
    stem, _, suffix = name.rpartition(".")
    return "/static/" + next(
        address for address in _files() if address.startswith(f"{stem}.") and address.endswith(suffix)
    )


def static_file(address: str) -> Response[bytes]:
    """Return a file of `static/`, to be kept for ever; raises 404."""
    found = _files().get(address)
    if found is None:
        raise NotFoundException
    return Response(
        found.content,
        media_type=found.media_type,
        headers={"cache-control": "public, max-age=31536000, immutable"},
    )
