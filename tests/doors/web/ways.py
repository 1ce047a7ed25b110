"""Where forms are that no page shows as it is first opened, what is typed into them, and what can't be tried."""

import re
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from ledger.database import Database
from ledger.journal.entries import new_key
from ledger.scheme.callers import Scope
from ledger.scheme.keys import Keys
from ledger.scheme.letters import Letters
from ledger.scheme.sign_ins import Strength
from tests.daytime import daytime
from tests.doors.house import Api, register, sign
from tests.doors.web.client import Pages
from tests.doors.web.conftest import County
from tests.doors.web.places import Place
from tests.scheme.authenticator import Authenticator


class Way(NamedTuple):
    """A page with a form, and who opens it: a place, or an address to be filled in with what is known."""

    path: Place | str
    who: str
    mailed: bool = False
    """Whether Ann asked for a letter there before."""
    sends: str = ""
    """How the address of the one form ends that is sent from there; each of them, if it says nothing."""


EMAIL: Final = "ann@example.org"

WAYS: Final = (
    Way("/sign-in/code", "anybody", mailed=True),
    Way("{link}", "anybody", mailed=True),
    Way("/people/{person}", "person"),
    Way("/groups/{group}/people?name=R", "staff"),
    Way("/people/{person}/claims/{claim}", "person"),
    Way("/people/{person}/claims/{draft}/edit", "person"),
    Way("/people/{person}/sign-ins", "surely"),
    Way("/people/{person}/passkeys/new", "surely"),
    Way("/projects/{project}/people/{newcomer}", "coordinator"),
    Way("/projects/{project}/register/new?day={yesterday}&begins=10:00&ends=12:00", "coordinator"),
    Way("/projects/{project}/sessions/{session}/cancel", "coordinator"),
    Way("/projects/{project}/sessions/{session_before}/register", "coordinator"),
    Way("/staff/approvals/{long_claim}", "staff", sends="/reject"),
    Way("/staff/offers/{show}", "staff"),
    Way("/staff/people/{cardless}", "staff"),
    Way("/staff/people/{newcomer}/roles", "staff"),
    Way("/staff/people/{kit}/guardians?name=R", "staff"),
    Way("/staff/people/{friend}/helpers?name=R", "staff"),
    Way("/staff/people/{friend}/erase", "staff"),
    Way("/staff/people/{friend}/roles?role=coordinator", "staff"),
    Way("/staff/people/{sure}", "staff"),
    Way("/staff/settings/back_days?value=30", "staff"),
    Way("/staff/venues/{venue}/sites/{site}", "staff"),
    Way("/venues/{venue}/tills", "manager"),
)

TYPED: Final[Mapping[str, Mapping[str, str]]] = {
    "/kiosk": {"code": "{card}"},
    "/till": {"code": "{card}"},
    "/enrol": {"code": "{enrolment}"},
    "/people/{person:uuid}/vouchers": {"code": "{voucher}"},
    "/people/{person:uuid}/gifts/new": {"code": "{friends_card}"},
    "/people/{person:uuid}/helpers/new": {"code": "{friends_card}"},
    "/projects/{project:uuid}/register/new": {"state_0": "came"},
    "/projects/{project:uuid}/sessions/{session:uuid}/door": {"name": "Robin newcomer"},
    "/projects/{project:uuid}/sessions/{session:uuid}/register": {"state_0": "came"},
    "/sign-in/code": {"code": "{code}"},
    "/verify": {"receipt": "{receipt}"},
}
"""What a form wants of its own in a field, by its route."""

LEADS_ON: Final = frozenset({"/projects/{project:uuid}/people/cards"})
"""Forms whose answer leads to a page with the next one."""

NEVER_REFUSED: Final[Mapping[str, str]] = {
    "/sign-in/{link:str}": "a box that may be ticked or not",
    "/style": "shows what pages are made of, and takes everything",
}
"""Forms with fields in which nothing can be wrong."""

OTHERWISE: Final[Mapping[str, str]] = {
    # The code, the link and what a passkey answers are good once, and whoever sends them again is in already.
    "/enrol": "was used, or is over",
    "/sign-in/code": "was used, or is over",
    "/sign-in/{link:str}": "It was used",
    "/sign-in/passkey": "please start again",
    "/people/{person:uuid}/passkeys/new": "please start again",
    # Whoever sends it again isn't signed in any more: that was it.
    "/people/{person:uuid}/sign-ins/end": "You were signed out meanwhile.",
    "/people/{person:uuid}/data/erase": "If you pressed twice, it may be done",
}
"""What is said where a form that was sent a second time can't be answered as the first time."""

ELSEWHERE: Final[Mapping[str, str]] = {
    "/staff/people/{person:uuid}/credits/reinstate": "takes credits that ended two years on: test_wallet",
}
"""Forms that can't be tried with the others, why, and where they are."""


async def scenery(dsn: str, county: County, owner: asyncpg.Connection, phone: Authenticator) -> dict[str, str]:
    """What the demo doesn't show: made, and known by these names."""
    api = county.api
    api.keys = Keys(county.entrance.database, daytime, "demo")
    _, api.scheme = await api.keys.create(Scope.SCHEME, None, "tests")
    known = {**county.known, "link": ""}
    await _people(county, known)
    await _hours(api, known)
    await _places(api, known)
    await _passkeys(county, known, phone)
    known["session_before"] = str(await owner.fetchval(_UNRECORDED, UUID(known["project"]), daytime()))
    known["group"] = str(await owner.fetchval("SELECT id FROM scheme.group ORDER BY id LIMIT 1"))
    await sign(dsn)
    line = (await api.get(f"/v1/people/{known['person']}/statement")).json()["lines"][-1]
    known["receipt"] = (await api.get(f"/v1/entries/{line['entry']}/receipt")).text
    return known


async def _people(county: County, known: dict[str, str]) -> None:
    """Somebody new, somebody without a card, and those whom Ann looks after, and who look after her."""
    api, ann, friend = county.api, known["person"], known["friend"]
    reach = await api.send("PATCH", f"/v1/people/{ann}", {"contact": {"email": EMAIL, "safe": True}})
    assert reach.is_success, reach.text
    for name in ("newcomer", "cardless"):
        known[name] = (await api.made("/v1/people", {"name": f"Robin {name}"}))["id"]
    for name in ("child", "cat", "kit"):
        known[name] = (await api.made("/v1/people", {"name": name, "age_band": "8_to_15"}))["id"]
        await api.made(f"/v1/people/{known[name]}/guardians", {"guardian": ann})
    await api.made(f"/v1/people/{known['cat']}/consents", {"guardian": ann})
    for helped in (ann, friend):
        await api.made(f"/v1/people/{helped}/helpers", {"helper": known["newcomer"], "may": ["book"]})
    await api.made("/v1/roles", {"person": known["newcomer"], "role": "coordinator", "project": known["project"]})
    word = await api.send("PUT", f"/v1/people/{ann}/eligibility/gym_induction", {})
    assert word.is_success, word.text
    known["friends_card"] = await api.card(friend)
    await county.entrance.person(ann)  # in another browser


async def _hours(api: Api, known: dict[str, str]) -> None:
    """Hours that were given, that wait for Ann and for a second approver, and a session to come."""
    ann, newcomer, project = known["person"], known["newcomer"], known["project"]
    await api.give(project, {newcomer: 60})
    elsewhere = await api.project("Elsewhere")
    for name, days in (("claim", -2), ("draft", -3)):
        hours = {"project": elsewhere, "person": ann, **_times(days=days), "minutes": 60, "draft": True}
        known[name] = (await api.made("/v1/claims", hours))["id"]
    key = await api.key("project", project, person=known["friend"])
    for days in (-4, -2):
        long_day = {"project": project, "person": newcomer, **_times(days=days, hours=8), "minutes": 480}
        known["long_claim"] = (await api.made("/v1/claims", long_day))["id"]
        await api.made(f"/v1/projects/{project}/approvals", {"claims": [known["long_claim"]]}, token=key)
    slip = {**register({}), "lines": [{"voucher": "Sam", "minutes": 75}]}
    known["voucher"] = (await api.made(f"/v1/projects/{project}/registers", slip))["vouchers"][0]["code"]
    known["session"] = (await api.made(f"/v1/projects/{project}/sessions", _times(days=3)))["sessions"][0]["id"]


async def _places(api: Api, known: dict[str, str]) -> None:
    """A play with a date, a place where nothing is given, a till to be set up, and somebody who is due."""
    venue = known["venue"]
    play = {"title": "A play", "price": 60, "kind": "show", "terms": {"booking_needed": True}}
    known["show"] = (await api.made(f"/v1/venues/{venue}/offers", play))["id"]
    starts, ends = _times(days=5).values()
    dates = {"occasions": [{"starts_at": starts, "ends_at": ends}]}
    await api.made(f"/v1/offers/{known['show']}/occasions", dates)
    known["site"] = (await api.made(f"/v1/venues/{venue}/sites", {"name": "The annexe"}))["id"]
    known["enrolment"] = (await api.made(f"/v1/venues/{venue}/devices", {"name": "Front desk"}))["code"]
    due = (daytime().replace(microsecond=0) + timedelta(seconds=1)).isoformat()
    bath = await api.offer(venue, title="A bath")
    await api.made("/v1/bookings", {"person": known["friend"], "offer": bath, "visit_at": due})


async def _passkeys(county: County, known: dict[str, str], phone: Authenticator) -> None:
    """Ann's, on that phone; and those of others, which they lost."""
    ann, entrance = known["person"], county.entrance
    async with Pages.of(county.api, url=county.url) as pages:
        pages.sign_in(await entrance.person(ann, Strength.PASSKEY))
        page = await pages.get(f"/people/{ann}/passkeys/new")
        [form] = [each for each in page.html.all("form") if "data-passkey" in each.attrib]
        await pages.submit("Make this passkey", name="my phone", response=phone.create(form.attrib["data-options"]))
        pages.sign_in(await entrance.staff())
        for name in ("sure", "lost", "gone"):
            known[name] = (await county.api.made("/v1/people", {"name": f"Robin {name}"}))["id"]
            await entrance.person(known[name], Strength.PASSKEY)
            if name != "sure":
                await pages.post(f"/staff/people/{known[name]}/recovery", {"key": new_key()}, status=HTTPStatus.OK)


async def mailed(database: Database, *, after: str) -> dict[str, str]:
    """The link and the code of the letter to Ann that comes after the one with that link."""
    letters = Letters(database, daytime)
    while True:
        bodies = [each.body for each in await letters.latest(20) if each.recipient == EMAIL]
        links = [found[1] for body in bodies if (found := re.search(r"https?://localhost(/sign-in/\S+)", body))]
        if links and links[0] != after:
            code = next(found[0] for body in bodies if (found := re.search(r"\b\w{4}-\w{4}-\w{3}\b", body)))
            return {"link": links[0], "code": code}


def _times(*, days: int, hours: int = 2) -> dict[str, str]:
    """Of something that begins so many days from now."""
    starts = (daytime() + timedelta(days=days)).replace(microsecond=0)
    return {"started_at": starts.isoformat(), "ended_at": (starts + timedelta(hours=hours)).isoformat()}


# A session that is over, with people at it whose hours nobody wrote down yet.
_UNRECORDED: Final = """
SELECT s.id FROM scheme.session s WHERE project = $1 AND ended_at < $2 AND cancelled_at IS NULL
AND NOT EXISTS (SELECT FROM scheme.attendance WHERE session = s.id AND state = 'confirmed')
AND EXISTS (SELECT FROM scheme.attendance WHERE session = s.id)
ORDER BY ended_at DESC LIMIT 1
"""
