"""An offer's form: its terms as somebody types them, and back again, so that what stands can be changed.

Opening hours are lines, as they hang on a door: "Mon-Fri 9:00-12:00", "Sat, Sun 10-16", "every day 8:00-22:00". What
can't be read is said with the line that it stands in. Nothing typed is lost, as in every form.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import msgspec

from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _
from ledger.doors.web.staff import clearances
from ledger.scheme.offers import Details
from ledger.scheme.refusals import Declined
from ledger.scheme.terms import Kind, Reach, Terms
from ledger.scheme.windows import DAYS, Day, Window

_LINES_MAX: Final = 100
_NAMES: Final[Mapping[str, Sequence[Day]]] = {
    **{day: (day,) for day in DAYS},
    "every day": DAYS,
    "daily": DAYS,
    "weekdays": DAYS[:5],
    "weekends": DAYS[5:],
}
_LINE: Final = re.compile(
    r"(?P<days>[a-z ,\u2013-]+?)\s+(?P<opens>\d{1,2}(?::\d\d)?)\s*(?:-|\u2013|to)\s*(?P<closes>\d{1,2}(?::\d\d)?)",
    re.IGNORECASE,
)
_DATES: Final = (
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"),
    re.compile(r"(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4})"),
)
# Terms in minutes that are None if nothing is typed, where others are 0.
_MINUTES: Final = ("child_price", "young_price", "visit_minutes", "month_minutes")
_BOXES: Final = ("children", "young_per_adult", "companion_free", "low_talk", "booking_needed")
_BEHIND: Final = re.compile(r"^terms\.|\[\d+\].*$")

Wrong: Final = ValueError
"""A line that can't be read; a date that there isn't raises the same."""


def blank() -> Form:
    """The form of a new offer."""
    return filled(Details(title="", price=60, terms=Terms()))


def filled(offer: Details) -> Form:
    """The form of an offer as it stands."""
    terms = offer.terms
    values: dict[str, Any] = {
        "title": offer.title,
        "kind": offer.kind.value,
        "reach": offer.reach.value,
        "site": str(offer.site) if offer.site else "",
        "description": offer.description,
        "expect": offer.expect,
        "windows": hours(terms.windows),
        "quiet": hours(terms.quiet),
        "closed": "\n".join(day.isoformat() for day in terms.closed),
        "requires": clearances.said(terms.requires),
        "from_years": str(terms.from_years),
        "below_years": str(terms.below_years or ""),
        "quota": "" if terms.quota is None else str(terms.quota),
        "people": str(terms.people),
        **{name: getattr(terms, name) for name in _BOXES},
    }
    for name, minutes in (
        ("price", offer.price),
        ("ahead_minutes", terms.ahead_minutes),
        ("cancel_minutes", terms.cancel_minutes),
        *((name, getattr(terms, name)) for name in _MINUTES),
    ):
        values[f"{name}_hours"] = "" if minutes is None else str(minutes // 60)
        values[f"{name}_minutes"] = "" if minutes is None else str(minutes % 60)
    return Form.blank(**values)


def taken(form: Form) -> Details | None:
    """What was typed, or None with what is wrong at the fields."""
    told = {
        "windows": _lines(form, "windows"),
        "quiet": _lines(form, "quiet"),
        "closed": _closed(form),
        "requires": clearances.typed(form.value("requires")),
        "from_years": _number(form, "from_years") or 0,
        "below_years": _number(form, "below_years"),
        "people": _number(form, "people"),
        "quota": _number(form, "quota"),
        "ahead_minutes": _minutes(form, "ahead_minutes") or 0,
        "cancel_minutes": _minutes(form, "cancel_minutes") or 0,
        **{name: _minutes(form, name) for name in _MINUTES},
        **{name: bool(form.value(name)) for name in _BOXES},
    }
    if told["people"] is None:
        del told["people"]
    terms = _field_by_field(form, told)
    details = {
        "title": form.value("title"),
        "description": form.value("description"),
        "expect": form.value("expect"),
    }
    if not details["title"]:
        form.fault("title", _("is needed"))
    for name, most in (("title", 200), ("description", 2_000), ("expect", 2_000)):
        if len(details[name]) > most:
            form.fault(name, f"must have at most {most} characters")
    kind, reach = _one_of(form, "kind", Kind), _one_of(form, "reach", Reach)
    site = _id(form, "site")
    price = form.minutes("price")
    if terms is None or price is None or kind is None or reach is None or form.failed:
        return None
    return Details(**details, price=price, site=site, kind=kind, reach=reach, terms=terms)


def heed(form: Form, declined: Declined) -> None:
    """Say what the scheme refused at the fields of this form: `terms.windows[0].closes` is a line of `windows`."""
    fields = tuple((_BEHIND.sub("", name), says.replace("terms.", "")) for name, says in declined.fields)
    form.heed(declined, fields=fields)


def hours(windows: Sequence[Window]) -> str:
    """Windows as lines of the form."""
    return "\n".join(f"{_days_said(window.days)} {window.opens}-{window.closes}" for window in windows)


def _field_by_field(form: Form, told: Mapping[str, Any]) -> Terms | None:
    """The terms; each that is out of its bounds is said at its own field."""
    found = {}
    for field in msgspec.structs.fields(Terms):
        if field.name not in told:
            continue
        try:
            found[field.name] = msgspec.convert(told[field.name], field.type)
        except msgspec.ValidationError:
            form.fault(field.name, _OUTSIDE[field.name] if field.name in _OUTSIDE else _("is not possible"))
    return None if form.faults else Terms(**found)


_OUTSIDE: Final = {
    "windows": _("must be at most 28 lines"),
    "quiet": _("must be at most 28 lines"),
    "closed": _("must be at most 100 days"),
    "quota": _("must be a whole number, 100,000 at most"),
    "people": _("must be from 1 to 50"),
    "visit_minutes": _("must be from 1 minute to 100 credits"),
    "month_minutes": _("must be from 1 minute to 1,000 credits"),
    "child_price": _("must be at most 100 credits"),
    "young_price": _("must be at most 100 credits"),
    "requires": _("must be at most 5, each of letters and figures and at most 48 of them"),
    "ahead_minutes": _("must be at most a year"),
    "cancel_minutes": _("must be at most two weeks"),
    "from_years": _("must be one of the list"),
    "below_years": _("must be one of the list"),
}


def _lines(form: Form, name: str) -> list[dict[str, Any]]:
    found = []
    for line in [line.strip() for line in form.value(name).splitlines() if line.strip()][:_LINES_MAX]:
        try:
            found.append(_window(line))
        except Wrong:
            form.fault(name, _("has a line that we can't read. Write each like this: Mon-Fri 9:00-12:00"))
    return found


def _window(line: str) -> dict[str, Any]:
    read = _LINE.fullmatch(line)
    if read is None:
        raise Wrong(line)
    opens, closes = _clock(read["opens"]), _clock(read["closes"])
    if opens == "24:00":
        raise Wrong(line)
    return {"days": _days(read["days"]), "opens": opens, "closes": closes}


def _clock(typed: str) -> str:
    hour, _colon, minute = typed.partition(":")
    if int(hour) > 24 or int(minute or 0) > 59 or (int(hour) == 24 and int(minute or 0)):  # noqa: PLR2004  # of a clock
        raise Wrong(typed)
    return f"{int(hour):02}:{int(minute or 0):02}"


def _days(typed: str) -> list[Day]:
    days: list[Day] = []
    words = typed.lower().replace("\u2013", "-").strip()
    if words in _NAMES:
        return list(_NAMES[words])
    for part in re.split(r"\s*,\s*|\s+(?!-)(?<!-)", words.replace(" - ", "-")):
        first, _dash, last = part.partition("-")
        if first[:3] not in DAYS or (last and last[:3] not in DAYS):
            raise Wrong(typed)
        begin = DAYS.index(first[:3])
        end = DAYS.index(last[:3]) if last else begin
        if end < begin:
            raise Wrong(typed)
        days += [day for day in DAYS[begin : end + 1] if day not in days]
    return days


def _days_said(days: Sequence[Day]) -> str:
    """The days of a line, so that they are read back as they are."""
    places = [DAYS.index(day) for day in days]
    if len(days) == len(DAYS):
        return "every day"
    if len(places) > 2 and places == list(range(places[0], places[-1] + 1)):  # noqa: PLR2004  # two are named
        return f"{days[0].capitalize()}-{days[-1].capitalize()}"
    return ", ".join(day.capitalize() for day in days)


def _closed(form: Form) -> list[date]:
    found = []
    for line in [line.strip() for line in re.split(r"[\n,]", form.value("closed")) if line.strip()][: _LINES_MAX + 1]:
        try:
            found.append(_date(line))
        except Wrong:
            form.fault("closed", _("has a line that is no date. Write each like this: 2026-12-25"))
    return found


def _date(line: str) -> date:
    for pattern in _DATES:
        if read := pattern.fullmatch(line):
            return date(int(read["year"]), int(read["month"]), int(read["day"]))
    raise Wrong(line)


def _number(form: Form, name: str) -> int | None:
    typed = form.value(name)
    if not typed:
        return None
    if typed.isascii() and typed.isdigit() and len(typed) <= 9:  # noqa: PLR2004  # more is no number of people
        return int(typed)
    form.fault(name, _("must be a whole number"))
    return None


def _minutes(form: Form, name: str) -> int | None:
    """Minutes of two fields; None where both are empty."""
    if not form.value(f"{name}_hours") and not form.value(f"{name}_minutes"):
        return None
    return form.minutes(name)


def _one_of(form: Form, name: str, wanted: Any) -> Any:  # noqa: ANN401  # an enumeration, and a member of it
    try:
        return wanted(form.value(name))
    except ValueError:
        form.fault(name, _("must be one of the list"))
        return None


def _id(form: Form, name: str) -> UUID | None:
    try:
        return UUID(form.value(name)) if form.value(name) else None
    except ValueError:
        form.fault(name, _("must be one of the list"))
        return None
