"""The scheme's rules: what each means and is set to, changing one, and who changed what.

    the rule -> its new value -> what it is now beside what it will be -> changed

A change is looked at before it is made: the first form only asks, by GET, and nothing is kept; what would be refused is
so at once. What this release can't do otherwise, or doesn't do yet, is shown and can't be changed.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ledger.doors import cursors
from ledger.doors.web.about import About
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import Said, _, gettext, go, language_of, page, said_in, translations
from ledger.doors.web.sentences import together
from ledger.scheme.desk import Desk
from ledger.scheme.refusals import Declined
from ledger.scheme.rules import Rulebook, Setting, Value

HISTORY: Final = 25
_DIGITS_MAX: Final = 6
# How the scheme says that a rule is bounded by another.
_BOUNDED: Final = re.compile(r"must be (at most|less than) (\w+), which is then (\d+)")

# The product's table, a heading for each number.
_TITLES: Final = {
    1: _("One credit"),
    2: _("Steps of hours"),
    3: _("Most in a day"),
    4: _("Much in a week"),
    5: _("How late, how early"),
    6: _("Two things at once"),
    7: _("Who approves"),
    8: _("When two approve"),
    9: _("Forgotten sign-outs"),
    10: _("What funders grant"),
    11: _("When credits end"),
    12: _("How long a hold lasts"),
    13: _("When nobody comes"),
    14: _("Cancelling"),
    15: _("Giving back"),
    16: _("One visit"),
    17: _("A venue's places"),
    18: _("Opening times of offers"),
    19: _("Who comes along"),
    20: _("Gifts"),
    21: _("Pots"),
    22: _("Putting right"),
    23: _("Printed cards"),
    24: _("Phone passes"),
    25: _("Without a network"),
    26: _("Under 16"),
    27: _("Goods"),
    28: _("What we keep"),
    29: _("Small numbers"),
    30: _("The directory"),
    31: _("Comments"),
    32: _("Messages"),
}
_WORDS: Final = {
    True: _("Yes"),
    False: _("No"),
    "queried": _("They are asked about"),
    "another_approves": _("Another approves"),
    "credits_return": _("The credits go back"),
    "calendar_month": _("A calendar month"),
    "ends": _("It ends"),
    "what_is_available": _("What is there"),
}


def routes(access: Access, rulebook: Rulebook, desk: Desk, about: About, secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of the rules."""
    staff = access.only(Who.STAFF)

    @get("/staff/settings", before_request=staff)
    async def settings(request: PageRequest) -> Response[Any]:
        force = await rulebook.in_force()
        groups: dict[int, list[Setting]] = {}
        for setting in force.settings:
            groups.setdefault(setting.number, []).append(setting)
        return page(
            request,
            "staff/settings.html",
            version=force.version,
            groups=[(number, _TITLES[number], rows) for number, rows in groups.items()],
            shown=_shower(request),
            changeable=_changeable,
            about=about,
        )

    async def find(name: str) -> Setting:
        """The rule of that name as it stands."""
        for setting in (await rulebook.in_force()).settings:
            if setting.name == name:
                return setting
        raise NotFoundException

    def rule_page(request: PageRequest, setting: Setting, form: Form, wanted: Value | None) -> Response[Any]:
        return page(
            request,
            "staff/rule.html",
            status=form.status,
            form=form,
            setting=setting,
            title=_TITLES[setting.number],
            wanted=wanted,
            is_asked=wanted is not None,
            shown=_shower(request),
            changeable=_changeable(setting),
        )

    @get("/staff/settings/changes", before_request=staff)
    async def changes(request: PageRequest) -> Response[Any]:
        asked = request.query_params.get("before")
        before = cursors.read(secret, "staff/settings", asked) if asked else None
        versions = await rulebook.history(before=before, limit=HISTORY)
        # The first change made version 2 of version 1, which nobody made.
        more = len(versions) == HISTORY and versions[-1].version > 2  # noqa: PLR2004
        names = await desk.names_of_holders(request.user.caller, {each.by for each in versions if each.by is not None})
        meanings = {each.name: each for each in (await rulebook.in_force()).settings}
        return page(
            request,
            "staff/rule_changes.html",
            versions=versions,
            names=names,
            meanings=meanings,
            shown=_shower(request),
            older=cursors.sign(secret, "staff/settings", versions[-1].version) if more else None,
            newest=before is None,
        )

    @get("/staff/settings/{rule:str}", before_request=staff)
    async def rule(request: PageRequest, rule: FromPath[str]) -> Response[Any]:
        setting = await find(rule)
        asked = request.query_params.get("value")
        if asked is None:
            return rule_page(request, setting, Form.blank(value=_plain(setting.value)), None)
        form = Form.blank(value=asked[:100])
        wanted = _read(form, setting)
        if wanted is not None and wanted == setting.value:
            form.fault("value", _("is what it is set to already"))
            wanted = None
        if wanted is not None:
            try:
                await rulebook.check({rule: wanted})
            except Declined as declined:
                await refused(request, form, rule, declined)
                wanted = None
        return rule_page(request, setting, form, wanted)

    @post("/staff/settings/{rule:str}", before_request=access.only(Who.STAFF, freshly=True), status_code=303)
    async def change(request: PageRequest, rule: FromPath[str]) -> Response[Any]:
        setting = await find(rule)
        form = await Form.sent(request)
        wanted = _read(form, setting)
        if wanted is not None:
            try:
                await rulebook.change(request.user.caller, {rule: wanted})
                return go("/staff/settings", "saved")
            except Declined as declined:
                await refused(request, form, rule, declined)
        return rule_page(request, setting, form, None)

    async def refused(request: PageRequest, form: Form, rule: str, declined: Declined) -> None:
        """Say at the field what is wrong, of whichever rule; others by their numbers, for nobody has seen names."""
        rows, shown, said = (
            {each.name: each for each in (await rulebook.in_force()).settings},
            _shower(request),
            gettext(request),
        )

        def in_words(name: str, says: str) -> str:
            if name != rule:
                row, value = rows[name], rows[name].value
                sentence = said(_("It does not go with rule %(number)s, which is %(value)s. Change that one first."))
            elif (bounded := _BOUNDED.fullmatch(says)) is not None:
                row, value = rows[bounded[2]], int(bounded[3])
                at_most = _("must be at most %(value)s, as in rule %(number)s")
                sentence = said(
                    at_most if bounded[1] == "at most" else _("must be less than %(value)s, as in rule %(number)s")
                )
            else:
                return says
            return sentence % {"number": row.number, "value": shown(row, value)}

        form.heed(declined, fields=tuple(("value", in_words(name, says)) for name, says in declined.fields))

    return [settings, changes, rule, change]


def _changeable(setting: Setting) -> bool:
    """Whether there is another value that it may have."""
    if not setting.enforced:
        return False
    return len(setting.choices) > 1 if setting.least is None else setting.least != setting.most


def _plain(value: Value) -> str:
    """A value as it stands in a form."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _read(form: Form, setting: Setting) -> Value | None:
    """The value that was typed, or None with a sentence at the field."""
    typed = form.value("value")
    if not _changeable(setting):
        form.refuse(_("This can't be changed."), 422)
        return None
    if setting.least is None or setting.most is None:
        for choice in setting.choices:
            if typed == _plain(choice):
                return choice
        form.fault("value", _("Choose one"))
        return None
    if typed.isascii() and typed.isdigit() and len(typed) <= _DIGITS_MAX:
        number = int(typed)
        if setting.least <= number <= setting.most:
            return number
    form.fault("value", f"must be a whole number from {setting.least} to {setting.most}")
    return None


def _shower(request: PageRequest) -> Callable[[Setting, Value], str]:
    """What says a rule's value in the reader's language."""
    said, words = gettext(request), said_in(request)
    ngettext = translations(language_of(request)).ngettext

    def shown(setting: Setting, value: Value) -> str:
        return _shown(setting, value, said, words, ngettext)

    return shown


def _shown(
    setting: Setting,
    value: Value,
    said: Callable[[str], str],
    words: Said,
    ngettext: Callable[[str, str, int], str],
) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        return said(_WORDS[value]) if value in _WORDS else str(value)
    if setting.unit == "minutes":
        return words.duration(value)
    if setting.unit == "minutes after midnight":
        return f"{value // 60:02}:{value % 60:02}"
    return together(_counted(setting.unit, value, ngettext) % {"number": f"{value:,}"})


def _counted(unit: str, number: int, ngettext: Callable[[str, str, int], str]) -> str:
    """So many of a rule's unit; what has no words is shown as it is stored."""
    says = {
        "people": ngettext("%(number)s person", "%(number)s people", number),
        "days": ngettext("%(number)s day", "%(number)s days", number),
        "months": ngettext("%(number)s month", "%(number)s months", number),
        "years": ngettext("%(number)s year", "%(number)s years", number),
        "seconds": ngettext("%(number)s second", "%(number)s seconds", number),
        "steps": ngettext("%(number)s step", "%(number)s steps", number),
        "characters": ngettext("%(number)s character", "%(number)s characters", number),
        "messages": ngettext("%(number)s message", "%(number)s messages", number),
        "percent": ngettext("%(number)s percent", "%(number)s percent", number),
    }
    return says.get(unit, f"%(number)s {unit}")
