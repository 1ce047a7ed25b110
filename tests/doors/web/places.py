"""Every page there is: its address as the route has it, who opens it, and where an example of it is linked.

`test_places` compares it with the application's routes and opens each; `scripts/shots` takes their pictures. A page
that isn't here fails.

An address with parameters is filled in from what the tests know (`{person}`, `{project}`, `{venue}`, `{offer}`); of
others an example is found as people find it: by a link, of the page that `by` names.

A `Scene` is what stands only after something was typed and pressed: a check, a code that is shown once, a yes, a no, a
refusal.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import urlsplit


class Place(NamedTuple):
    """A page."""

    path: str
    who: str
    """One of `ledger.doors.web.access.Who`, by which it is opened in tests and pictures."""
    by: str = ""
    """The path of a place where an example of it is linked, if its parameters aren't known."""
    dark: bool = False
    """Whether its pictures are taken in dark as well."""
    press: str = ""
    """The button to press on it as it stands, for the page with what is wrong (422)."""

    @property
    def name(self) -> str:
        """Of its pictures: person-people-person-pass."""
        words = re.findall(r"\w+", re.sub(r":\w+", "", self.path)) or ["start"]
        return "-".join([self.who, *words, *re.findall(r"\w+", self.press.lower())])

    @property
    def pattern(self) -> re.Pattern[str]:
        """What its address looks like."""
        return re.compile(re.sub(r"\\\{[^}]+\\\}", "[^/?#]+", re.escape(self.path)))

    def filled(self, known: Mapping[str, str]) -> str | None:
        """Its address; None if a parameter isn't known."""
        names = re.findall(r"\{(\w+)[^}]*\}", self.path)
        if self.by or any(name not in known for name in names):
            return None
        return re.sub(r"\{(\w+)[^}]*\}", lambda found: known[found[1]], self.path)


async def address(place: Place, known: Mapping[str, str], links: Callable[[str], Awaitable[Iterable[str]]]) -> str:
    """The address of an example of it: filled in, or found among the links of the page that it says."""
    path = place.filled(known)
    if path is not None:
        return path
    above = next(each for each in PLACES if each.path == place.by)
    opened = await address(above, known, links)
    # .../claims/new is no example of .../claims/{claim}.
    plainer = [each.pattern for each in PLACES if each.path.count("{") < place.path.count("{")]
    for link in await links(opened):
        path = link.partition("?")[0].partition("#")[0]
        if place.pattern.fullmatch(path) and not any(pattern.fullmatch(path) for pattern in plainer):
            return link
    raise LookupError(f"{opened} has no link to {place.path}: in the demo there should be an example of everything")


class Step(NamedTuple):
    """Something typed, by the names of fields, and the button pressed then; or a page opened, or a link followed."""

    press: str = ""
    typed: Mapping[str, str] = MappingProxyType({})
    """With what is known filled in: {card}. Of radios, checkboxes and selects a value, or * for the first there is."""
    opens: str = ""
    """The path of it, with what is known filled in."""
    follows: str = ""
    """What the link's path is like; the first is followed, once there is one. Of a page opened, a new one: a letter."""
    status: int = 200
    """Of the page that stands there then."""

    def ways(self, links: Iterable[str]) -> list[str]:
        """Where those of these links lead that it could follow."""
        return [path for path in (urlsplit(link).path for link in links) if re.fullmatch(self.follows, path)]


class Scene(NamedTuple):
    """A page as it stands after some steps."""

    name: str
    """Of its pictures."""
    who: str
    path: str
    """Of the place where it begins."""
    steps: tuple[Step, ...]
    says: str
    """What its heading has in it then."""
    dark: bool = False
    signed_out: bool = False
    """Whether the sign-in is over when the last button is pressed."""
    status: int = 200
    """Of the page where it begins."""


PLACES: Final = (
    # for everybody
    Place("/", "anybody"),
    Place("/how-it-works", "anybody"),
    Place("/accessibility", "anybody"),
    Place("/privacy", "anybody"),
    Place("/verify", "anybody", press="Check it"),
    Place("/style", "anybody", dark=True),
    Place("/demo", "anybody"),
    Place("/demo/letters", "anybody"),
    Place("/sign-in", "anybody"),
    Place("/sign-in/code", "anybody"),
    Place("/sign-in/passkey", "anybody"),
    # somebody's own
    Place("/people/{person:uuid}", "person"),
    Place("/people/{person:uuid}/statement", "person"),
    # finding, booking, telling, giving
    Place("/do", "anybody"),
    Place("/do/{opportunity:uuid}", "person", by="/do"),
    Place("/spend", "anybody", dark=True),
    Place("/spend/{offer:uuid}", "anybody"),
    Place("/spend/{offer:uuid}/book", "person", press="Go on"),
    Place("/people/{person:uuid}/bookings", "person"),
    Place("/people/{person:uuid}/bookings/{booking:uuid}", "person", by="/people/{person:uuid}/bookings", dark=True),
    Place(
        "/people/{person:uuid}/bookings/{booking:uuid}/cancel",
        "person",
        by="/people/{person:uuid}/bookings/{booking:uuid}",
    ),
    Place(
        "/people/{person:uuid}/bookings/{booking:uuid}/change",
        "person",
        by="/people/{person:uuid}/bookings/{booking:uuid}",
    ),
    Place("/people/{person:uuid}/claims", "person"),
    Place("/people/{person:uuid}/claims/new", "person", press="Go on"),
    Place("/people/{person:uuid}/claims/{claim:uuid}", "person", by="/people/{person:uuid}/claims"),
    Place("/people/{person:uuid}/claims/{claim:uuid}/edit", "person", by="/people/{person:uuid}/claims/{claim:uuid}"),
    Place("/people/{person:uuid}/sessions", "person"),
    Place("/people/{person:uuid}/gifts", "person"),
    Place("/people/{person:uuid}/gifts/new", "person", press="Go on"),
    Place("/voucher", "person"),
    Place("/people/{person:uuid}/vouchers", "person", press="Add the credits"),
    Place("/people/{person:uuid}/helpers", "person"),
    Place("/people/{person:uuid}/helpers/new", "person", press="Let them help"),
    Place("/people/{person:uuid}/pass", "person", dark=True),
    Place("/people/{person:uuid}/preferences", "person"),
    Place("/people/{person:uuid}/data", "person"),
    Place("/people/{person:uuid}/certificates", "person"),
    Place("/people/{person:uuid}/data/acts", "person"),
    Place("/people/{person:uuid}/data/erase", "person", press="Erase me"),
    Place("/people/{person:uuid}/receipts/{entry:uuid}", "person", by="/people/{person:uuid}/statement"),
    Place("/people/{person:uuid}/sign-ins", "person"),
    Place("/people/{person:uuid}/passkeys/new", "person"),  # which is the page that asks for a passkey first
    # a project's day
    Place("/projects/{project:uuid}", "coordinator", dark=True),
    Place("/projects/{project:uuid}/sessions/new", "coordinator", press="Plan it"),
    Place("/projects/{project:uuid}/sessions/{session:uuid}", "coordinator", by="/projects/{project:uuid}"),
    Place(
        "/projects/{project:uuid}/sessions/{session:uuid}/register",
        "coordinator",
        by="/projects/{project:uuid}/sessions/{session:uuid}",
        dark=True,
        press="Check the register",
    ),
    Place(
        "/projects/{project:uuid}/sessions/{session:uuid}/cancel",
        "coordinator",
        by="/projects/{project:uuid}/sessions/{session:uuid}",
    ),
    Place("/projects/{project:uuid}/sessions/{session:uuid}/recorded", "coordinator", by="/projects/{project:uuid}"),
    Place("/projects/{project:uuid}/register/new", "coordinator"),
    Place("/projects/{project:uuid}/given", "coordinator"),
    Place("/projects/{project:uuid}/opportunities", "coordinator"),
    Place("/projects/{project:uuid}/opportunities/new", "coordinator", press="Save"),
    Place(
        "/projects/{project:uuid}/opportunities/{opportunity:uuid}",
        "coordinator",
        by="/projects/{project:uuid}/opportunities",
    ),
    Place(
        "/projects/{project:uuid}/opportunities/{opportunity:uuid}/edit",
        "coordinator",
        by="/projects/{project:uuid}/opportunities/{opportunity:uuid}",
    ),
    # the office's vouchers
    Place("/staff/batches", "staff"),
    Place("/staff/batches/new", "staff", press="Make them"),
    Place("/staff/batches/{batch:uuid}", "staff", by="/staff/batches"),
    # groups, and a group's pot
    Place("/staff/groups", "staff"),
    Place("/staff/groups/new", "staff", press="Make it"),
    Place("/groups/{group:uuid}/people", "staff", by="/staff/groups"),
    Place("/groups/{group:uuid}/people", "person", by="/groups/{group:uuid}/pot"),
    Place("/groups/{group:uuid}/vouchers", "person", by="/groups/{group:uuid}/pot"),
    Place("/groups/{group:uuid}/pot", "person", by="/people/{person:uuid}"),
    Place("/groups/{group:uuid}/pot/propose", "person", by="/groups/{group:uuid}/pot"),
    Place(
        "/groups/{group:uuid}/pot/propose/{offer:uuid}",
        "person",
        by="/groups/{group:uuid}/pot/propose",
        press="Propose it",
    ),
    # a project's people and cards
    Place("/projects/{project:uuid}/people", "coordinator"),
    Place("/projects/{project:uuid}/people/new", "coordinator", press="Add them"),
    Place("/projects/{project:uuid}/people/{person:uuid}", "coordinator", by="/projects/{project:uuid}/people"),
    Place("/projects/{project:uuid}/people/cards", "coordinator", press="Go on"),
    # a project's hours
    Place("/projects/{project:uuid}/approvals", "coordinator", dark=True),
    Place("/projects/{project:uuid}/claims", "coordinator"),
    Place("/projects/{project:uuid}/claims/{claim:uuid}", "coordinator", by="/projects/{project:uuid}/claims"),
    Place("/projects/{project:uuid}/claims/{claim:uuid}", "approver", by="/projects/{project:uuid}/approvals"),
    Place(
        "/projects/{project:uuid}/claims/{claim:uuid}/correction",
        "coordinator",
        by="/projects/{project:uuid}/claims/{claim:uuid}",
        press="See what changes",
    ),
    # a venue, its till, a project's kiosk
    Place("/enrol", "anybody", press="Set it up"),
    Place("/venues/{venue:uuid}", "manager", dark=True),
    Place("/venues/{venue:uuid}/month", "manager"),
    Place("/venues/{venue:uuid}/offers", "manager"),
    Place("/venues/{venue:uuid}/tills", "manager", press="Show its code"),
    Place("/till", "till", dark=True),
    Place("/till", "till", press="Check"),
    Place("/till/take", "till"),  # which is where the language is chosen after a no, and leads back to the start
    Place("/till/today", "till"),
    Place("/till/visits/{redemption:uuid}", "till", by="/till/today"),
    Place("/kiosk", "kiosk", dark=True),
    Place("/kiosk", "kiosk", press="Go on"),
    # the office
    Place("/staff", "staff", dark=True),
    Place("/staff/people", "staff"),
    Place("/staff/people/new", "staff", press="Add them"),
    Place("/staff/people/{person:uuid}", "staff", dark=True),
    Place("/staff/people/{person:uuid}/acts", "staff"),
    Place("/staff/people/{person:uuid}/card", "staff"),
    Place("/staff/people/{person:uuid}/credits", "staff"),
    Place("/staff/people/{person:uuid}/visits/{visit:uuid}", "staff", by="/staff/people/{person:uuid}/credits"),
    Place("/staff/people/{person:uuid}/bookings", "staff"),
    Place("/staff/people/{person:uuid}/bookings/{booking:uuid}", "staff", by="/staff/people/{person:uuid}/bookings"),
    Place("/staff/people/{person:uuid}/hours/new", "staff", press="Write them down"),
    Place("/staff/people/{person:uuid}/details", "staff"),
    Place("/staff/people/{person:uuid}/contact", "staff"),
    Place("/staff/people/{person:uuid}/eligibility", "staff"),
    Place("/staff/people/{person:uuid}/helpers", "staff"),
    Place("/staff/people/{person:uuid}/guardians", "staff"),
    Place("/staff/people/{person:uuid}/roles", "staff"),
    Place("/staff/people/{person:uuid}/leave", "staff"),
    Place("/staff/people/{person:uuid}/erase", "staff", press="Erase them"),
    Place("/staff/recoveries", "staff"),
    Place("/staff/roles", "staff"),
    Place("/staff/approvals", "staff"),
    Place("/staff/approvals/{claim:uuid}", "staff", by="/staff/approvals", press="Ask back"),
    Place("/staff/figures", "staff", dark=True),
    Place("/staff/figures/demand", "staff"),
    Place("/staff/health", "staff"),
    Place("/staff/settings", "staff"),
    Place("/staff/settings/changes", "staff"),
    Place("/staff/settings/{rule:str}", "staff", by="/staff/settings"),
    Place("/staff/projects", "staff"),
    Place("/staff/projects/new", "staff", press="Add it"),
    Place("/staff/projects/{project:uuid}", "staff"),
    Place("/staff/projects/{project:uuid}/details", "staff"),
    Place("/staff/projects/{project:uuid}/devices/new", "staff"),
    Place("/staff/venues", "staff"),
    Place("/staff/venues/paused", "staff"),
    Place("/staff/venues/new", "staff"),
    Place("/staff/venues/{venue:uuid}", "staff"),
    Place("/staff/venues/{venue:uuid}/details", "staff"),
    Place("/staff/venues/{venue:uuid}/sites/new", "staff"),
    Place("/staff/venues/{venue:uuid}/sites/{site:uuid}", "staff", by="/staff/venues/{venue:uuid}"),
    Place("/staff/venues/{venue:uuid}/devices/new", "staff", press="Add it, and show the code"),
    Place("/staff/venues/{venue:uuid}/offers/new", "staff", press="Save the draft"),
    Place("/staff/offers/{offer:uuid}", "staff"),
    Place("/staff/offers/{offer:uuid}/edit", "staff"),
    # the audit
    Place("/audit", "auditor"),
    Place("/audit/books", "auditor", dark=True),
    Place("/audit/entries", "auditor"),
    Place("/audit/entries/{entry:uuid}", "auditor", by="/audit/entries"),
)

# Answered with a file, not with a page.
FILES: Final = frozenset(
    {
        "/staff/people/{person:uuid}/card/{size:str}",
        "/projects/{project:uuid}/people/{person:uuid}/card/{size:str}",
        "/staff/batches/{batch:uuid}/print",
        "/projects/{project:uuid}/people/{person:uuid}/slip",
        "/projects/{project:uuid}/people/cards/{size:str}",
        "/projects/{project:uuid}/sheet",
        "/projects/{project:uuid}/sessions/{session:uuid}/sheet",
        "/projects/{project:uuid}/sessions/{session:uuid}/slips",
        "/staff/people/{person:uuid}/slip",
        "/static/{name:str}",
        "/venues/{venue:uuid}/month.pdf",
        "/people/{person:uuid}/data/copy",
        "/people/{person:uuid}/certificates/{hours:int}",
        "/people/{person:uuid}/slip",
        "/people/{person:uuid}/receipts/{entry:uuid}/file",
    }
)

# Refuses, whatever it is asked: its pages are scenes.
REFUSING: Final = frozenset({"/style/{status:int}"})

# Good once, for whom it was sent to: its pages are scenes, or stand in `ELSEWHERE`.
ONCE: Final = frozenset({"/sign-in/{link:str}", "/goodbye"})

# Shown only where an organisation's sign-in is set up, as the county has none, and only to whom was just erased, as
# nobody of the county is to be: looked at in `test_organisation` and `test_data`.
ELSEWHERE: Final = frozenset({"sign_in/organisation.html", "data/goodbye.html"})

# Whatever can be opened for somebody new, at a project and a venue that have nothing yet but long names.
BARE: Final = tuple(
    place
    for place in PLACES
    if re.search(r"\{(person|project|venue):", place.path)
    and not (place.by or place.press or "{offer" in place.path or place.path.endswith("/card"))
)

_HOURS: Final = {
    "project": "*",
    "started_at_day": "{yesterday}",
    "started_at_time": "10:00",
    "minutes_hours": "2",
    "minutes_minutes": "40",
    "note": "I mended two chairs and somebody's bicycle.",
}
_AT_THE_TILL: Final = {"offer": "{offer}", "code": "{card}"}
# Where a link in a letter leads.
_LINK: Final = "/sign-in/[0-9A-Za-z_-]{22,}"
_FORGED: Final = """c2sp.org/tlog-proof@v1
extra AAAA
index 0

example.org/log
1
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

\u2014 example.org/log AAAA
"""

SCENES: Final = (
    # signing in, by what is sent
    Scene(
        "sign-in-link",
        "anybody",
        "/sign-in",
        (
            Step("Send me the link", {"email": "ann.fletcher@example.org"}),
            Step(opens="/demo/letters", follows=_LINK),
        ),
        "Sign in",
    ),
    Scene("till-sign-in", "till", "/sign-in", (), "This is a till", status=403),
    Scene("kiosk-sign-in", "kiosk", "/sign-in", (), "This is a kiosk", status=403),
    Scene("till-ended", "anybody", "/till", (), "This till has to be set up again", status=401),
    Scene("kiosk-ended", "anybody", "/kiosk", (), "This kiosk has to be set up again", status=401),
    Scene("sign-in-link-over", "anybody", "/sign-in/6q4vGa-NwefUj9vTg3tTjA", (), "This link is over", status=410),
    Scene(
        "sign-in-code-wrong",
        "anybody",
        "/sign-in/code",
        (Step("Sign in", {"code": "7KQ2-M8TD-4RX"}, status=422),),
        "Look in your mail",
    ),
    Scene(
        "sign-in-invited",
        "staff",
        "/staff/people/{person:uuid}",
        (Step("Invite to make a passkey"), Step(opens="/demo/letters", follows=_LINK)),
        "Make your passkey",
    ),
    Scene(
        "person-passkey-new",
        "anybody",
        "/demo",
        (Step("Ann Fletcher"), Step(opens="/people/{person}/passkeys/new")),
        "Add a passkey",
    ),
    Scene(
        "staff-invitation",
        "staff",
        "/staff/people/{friend:uuid}",
        (Step("Invite to make a passkey"),),
        "A new passkey for",
    ),
    Scene(
        "staff-refused",
        "anybody",
        "/demo",
        (
            Step("Femi Campbell"),
            Step(opens="/staff/people"),
            Step("Find", {"name": "Femi Campbell"}),
            Step(follows="/staff/people/[0-9a-f-]{36}"),
            Step("Invite to make a passkey", status=409),
        ),
        "That did not work",
    ),
    Scene(
        "staff-people-new-asked",
        "staff",
        "/staff/people/new",
        (Step("Add them", {"name": "Ann Fletcher"}),),
        "Who is it?",
    ),
    # what was typed is shown once more before it is done
    Scene(
        "person-hours-checked",
        "person",
        "/people/{person:uuid}/claims/new",
        (Step("Go on", _HOURS),),
        "Is this right?",
    ),
    Scene(
        "person-hours-signed-out",
        "person",
        "/people/{person:uuid}/claims/new",
        (Step("Go on", _HOURS, status=401),),
        "Please sign in once more",
        signed_out=True,
    ),
    Scene(
        "person-gift-checked",
        "person",
        "/people/{person:uuid}/gifts/new",
        (Step("Go on", {"to": "*", "minutes": "*", "words": "Thank you for the lift. Have a swim on me!"}),),
        "Is this right?",
    ),
    Scene(
        "person-booking-checked",
        "person",
        "/spend/{offer:uuid}/book",
        (Step("Go on", {"visit_at_day": "{soon}", "visit_at_time": "10:00"}),),
        "Is this right?",
    ),
    Scene(
        "coordinator-register-checked",
        "coordinator",
        "/projects/{project:uuid}/register/new",
        (
            Step("Go on", {"day": "{yesterday}", "begins": "18:00", "ends": "20:30"}),
            Step("Check the register", {"state_0": "came"}),
        ),
        "Check the register",
    ),
    Scene(
        "coordinator-correction-checked",
        "coordinator",
        "/projects/{project:uuid}/claims/{claim:uuid}/correction",
        (Step("See what changes", {"minutes_hours": "0", "minutes_minutes": "0", "reason": "Recorded twice."}),),
        "Is this right?",
    ),
    Scene(
        "coordinator-cards-chosen",
        "coordinator",
        "/projects/{project:uuid}/people/cards",
        (Step("Go on", {"person": "*"}),),
        "Cards to print",
    ),
    # codes that are shown once
    Scene(
        "manager-till-code",
        "manager",
        "/venues/{venue:uuid}/tills",
        (Step("Show its code", {"name": "The café's counter"}),),
        "The code for",
    ),
    Scene(
        "staff-till-code",
        "staff",
        "/staff/venues/{venue:uuid}/devices/new",
        (Step("Add it, and show the code", {"name": "The café's counter"}),),
        "The café's counter",
    ),
    # the desk
    Scene("staff-card-replaced", "staff", "/staff/people/{friend:uuid}", (Step("Replace and print"),), "The card of"),
    Scene(
        "staff-role-chosen",
        "staff",
        "/staff/people/{person:uuid}/roles",
        (Step("Go on", {"role": "coordinator"}),),
        "may do at work",
    ),
    Scene(
        "staff-rule-checked",
        "staff",
        "/staff/settings/{rule:str}",
        (Step("See what changes", {"value": "30"}),),
        "Rule",
    ),
    Scene(
        "staff-vouchers-made",
        "staff",
        "/staff/batches/new",
        (
            Step(
                "Make them",
                {"label": "Open day", "minutes_hours": "1", "minutes_minutes": "0", "count": "4", "last_day": "{soon}"},
            ),
        ),
        "Open day",
    ),
    # the till
    Scene("till-yes", "till", "/till", (Step("Check", _AT_THE_TILL),), "yes", dark=True),
    Scene(
        "till-taken",
        "till",
        "/till",
        (Step("Check", _AT_THE_TILL), Step("Take", {"name_checked": "*"})),
        "",
    ),
    Scene("till-no", "till", "/till", (Step("Check", {**_AT_THE_TILL, "code": "{lost}"}),), "no", dark=True),
    Scene("kiosk-hello", "kiosk", "/kiosk", (Step("Go on", {"code": "{card}"}),), "Hello"),
    # In, where it is played first, and then out.
    Scene("kiosk-signed", "kiosk", "/kiosk", (Step("Go on", {"code": "{card}"}), Step("Sign ")), "Ann"),
    # a receipt: not of Ann, whose newest line may be of a till a moment ago, and not sealed yet
    Scene(
        "person-receipt-true",
        "anybody",
        "/demo",
        (
            Step("Bilal Hussain"),
            Step(opens="/people/{friend}/statement"),
            Step(follows="/people/[0-9a-f-]{36}/receipts/[0-9a-f-]{36}"),
            Step("Check it now"),
        ),
        "Check a receipt",
    ),
    Scene("receipt-not-true", "anybody", "/verify", (Step("Check it", {"receipt": _FORGED}),), "Check a receipt"),
    # what can't be done
    Scene("refused-403", "person", "/staff", (), "This page is for others", status=403),
    Scene("refused-404", "anybody", "/nothing/here", (), "There is nothing here", status=404),
    Scene("refused-409", "anybody", "/style/409", (), "That can't be done as it stands", status=409),
    Scene("refused-410", "anybody", "/style/410", (), "This is over", status=410),
    Scene("refused-413", "anybody", "/style/413", (), "That is too much at once", status=413),
    Scene("refused-429", "anybody", "/style/429", (), "Please wait a moment", status=429),
    Scene("refused-503", "anybody", "/style/503", (), "We are busy just now", status=503),
    Scene("refused-500", "anybody", "/style/500", (), "Sorry, something went wrong", status=500),
)
