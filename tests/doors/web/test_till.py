"""The till: enrolled by a code, one clear yes or no for whatever is shown, taken once, and given back the same day."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.database import Database
from ledger.doors.web import till, venue
from ledger.scheme import redemptions
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.codes import code_for
from ledger.scheme.diary import Diary
from ledger.scheme.refusals import TABLE, Declined, Refusal
from tests.doors.bookings.lido import SATURDAY, Lido
from tests.doors.web.client import Page, Pages
from tests.doors.web.entrance import Entrance

# By this clock the service wasn't told where people open it: by http, on their own machine.
URL = "http://localhost"
EVENING = {"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "19:00", "closes": "21:00"}
# Well formed, and of nothing here: made from another secret.
NOBODYS = code_for(b"another scheme's", "card", uuid4())


@pytest.fixture
async def lido(dsn: str) -> AsyncIterator[Lido]:
    async with Lido.open(dsn) as opened:
        yield opened


@pytest.fixture
async def pages(lido: Lido, database: Database) -> AsyncIterator[Pages]:
    """The till's browser."""
    async with Pages.of(lido.api, url=URL) as opened:
        opened.sign_in(await Entrance(database, lido.clock).till(lido.venue))
        yield opened


async def checked(pages: Pages, code: str, **more: str) -> Page:
    await pages.get("/till")
    return await pages.submit("Check", {"code": code, **more})


def word(page: Page) -> str:
    """What the verdict says."""
    return next((page.html.name(each) for each in page.html.all("p") if each.get("class") == "word"), "")


def spoken(page: Page) -> str:
    """What the staff are told to say."""
    return next((page.html.name(each) for each in page.html.all("p") if each.get("class") == "say"), "")


async def a_pass(lido: Lido, person: dict[str, Any]) -> str:
    await lido.api.post(f"/v1/people/{person['id']}/pass", None, person["key"])
    return str((await lido.api.get(f"/v1/people/{person['id']}/pass", person["key"])).json()["code"])


# --- enrolling --------------------------------------------------------------------------------------------------


async def test_a_code_makes_a_browser_a_till_or_a_kiosk(lido: Lido) -> None:
    async with Pages.of(lido.api, url=URL) as browser:
        api, venue, project = lido.api, lido.venue, lido.project
        for place, heading in ((f"venues/{venue}", "Next visitor"), (f"projects/{project}", "Hello!")):
            made = await api.made(f"/v1/{place}/devices", {"name": "The tablet"})
            await browser.get("/enrol")
            page = await browser.submit("Set it up", code=made["code"].lower())
            assert "This is set up" in page
            assert page.heading.startswith(heading)
        await browser.get("/till", status=403)


async def test_a_code_that_cant_be_used_is_said_in_plain_words(lido: Lido) -> None:
    made = await lido.api.made(f"/v1/venues/{lido.venue}/devices", {"name": "Front desk"})
    async with Pages.of(lido.api, url=URL) as browser:
        await browser.get("/enrol")
        assert "was mistyped" in (await browser.submit("Set it up", code="ABC", status=422)).alert
        lido.clock.now += timedelta(minutes=11)
        late = await browser.submit("Set it up", code=made["code"], status=409)
        assert "not known, was used, or is over: please ask for a new one" in late.alert


async def test_whoever_was_signed_in_there_is_signed_out(lido: Lido, database: Database) -> None:
    entrance, ann = Entrance(database, lido.clock), await lido.person()
    made = await lido.api.made(f"/v1/venues/{lido.venue}/devices", {"name": "Front desk"})
    token = await entrance.person(ann["id"])
    async with Pages.of(lido.api, url=URL) as browser, Pages.of(lido.api, url=URL) as elsewhere:
        browser.sign_in(token)
        elsewhere.sign_in(token)
        await browser.get("/enrol")
        await browser.submit("Set it up", code=made["code"])
        assert (await elsewhere.get(f"/people/{ann['id']}")).path.startswith("/sign-in")


# --- yes --------------------------------------------------------------------------------------------------------


async def test_a_card_is_checked_asked_for_its_name_taken_and_given_back(lido: Lido, pages: Pages) -> None:
    ann, offer = await lido.person("Ann Archer", 240), await lido.offer(child_price=30)
    card = await lido.api.card(ann["id"])
    page = await checked(pages, card, adults="1", children="2")

    assert (word(page), page.heading) == ("Yes", "A swim: yes")
    assert "2 credits" in page
    assert "1 adult, 2 children" in page
    assert "They said: Ann" in page
    assert "Archer" not in page, "a venue learns a first name"
    assert "4 credits" not in page, "and never what somebody has"
    assert await lido.api.balance(ann["id"]) == (240, 0), "a question takes nothing"

    page = await pages.submit("Take 2 credits", status=422)
    assert "They said: Ann is needed before credits are taken" in page.alert
    page = await pages.submit("Take 2 credits", name_checked=True)
    assert (word(page), page.heading) == ("Done", "A swim")
    assert "2 credits taken" in page
    assert await lido.api.balance(ann["id"]) == (120, 0)
    assert page.links["Next visitor"] == f"/till?offer={offer}"
    assert card not in page.path

    page = await pages.submit("Give this back", minutes_hours="9", status=422)
    assert "You can give back 2 credits at most." in page.alert
    await pages.submit("Give this back", minutes_hours="0", minutes_minutes="30")
    assert "30 minutes given back since" in await pages.again()
    page = await pages.submit("Give back all: 1 credit 30 minutes")
    assert "All of it was given back: 2 credits" in page
    assert await lido.api.balance(ann["id"]) == (240, 0)


async def test_credits_are_taken_once_however_often_it_is_sent(lido: Lido, pages: Pages) -> None:
    ann, _ = await lido.person(), await lido.offer()
    page = await checked(pages, await a_pass(lido, ann))
    fields = {name: values[0] for name, values in page.filled("/till/take").items()}
    first = await pages.submit("Take 1 credit")
    lido.clock.now += timedelta(minutes=5)
    for _ in range(2):
        again = await pages.post("/till/take", fields, status=200)
        assert again.path == first.path, "the same answer, although the pass has moved on"
    assert await lido.api.balance(ann["id"]) == (180, 0)


async def test_a_voucher_is_a_bearers_and_its_rest_goes_back_to_its_pot(lido: Lido, pages: Pages) -> None:
    ann, _ = await lido.person(), await lido.offer(price=45)
    await lido.api.made("/v1/community-pot/gifts", {"giver": ann["id"], "minutes": 60}, token=ann["key"])
    printing = {"group": None, "label": "Open day", "minutes": 60, "count": 1, "last_day": "2026-12-24"}
    batch = await lido.api.made("/v1/batches", printing)
    (voucher,) = (await lido.api.get(f"/v1/batches/{batch['id']}/codes")).json()["vouchers"]
    page = await checked(pages, voucher["code"])
    assert word(page) == "Yes"
    assert "They said" not in page
    assert "45 minutes taken" in await pages.submit("Take 45 minutes")
    assert "12pm A voucher or a group" in await pages.get("/till/today")
    assert "used before" in await checked(pages, voucher["code"])


async def test_a_phone_pass_asks_for_no_name(lido: Lido, pages: Pages) -> None:
    ann, _ = await lido.person(), await lido.offer()
    page = await checked(pages, await a_pass(lido, ann))
    assert word(page) == "Yes"
    assert "They said" not in page


async def test_a_booking_says_itself_what_it_is_for_and_is_taken_on_its_day(lido: Lido, pages: Pages) -> None:
    ann = await lido.person()
    await lido.offer()
    show = await lido.offer("show", price=90)
    (evening,) = await lido.occasions(show, SATURDAY)
    booked = await lido.book(ann, show, occasion=evening, party={"adults": 2})
    early = await checked(pages, booked["code"])
    assert word(early) == "No"
    assert "It would work from Saturday 21 November" in early
    assert "This booking is for 10:00 on Saturday 21 November 2026." in spoken(early)

    lido.clock.now = SATURDAY
    await pages.get("/till")
    page = await pages.submit("Check", code=booked["code"])
    assert word(page) == "Yes"
    assert "Booked: A swim, 10am" in page
    assert "2 adults" in page
    page = await pages.submit("Take 3 credits")
    assert "3 credits taken" in page
    assert await lido.api.balance(ann["id"]) == (60, 0)


async def test_the_offer_that_was_chosen_stays_chosen(lido: Lido, pages: Pages) -> None:
    ann, swim = await lido.person(), await lido.offer(price=30)
    sauna = await lido.api.offer(lido.venue, 60, "Sauna")
    draft = await lido.api.made(f"/v1/venues/{lido.venue}/offers", {"title": "Not yet", "price": 60})
    page = await pages.get(f"/till?offer={sauna}")
    assert page.filled("/till")["offer"] == [sauna]
    assert "For: Sauna" in page
    assert draft["id"] not in page.answer.text
    page = await pages.submit("Check", code=await a_pass(lido, ann), offer=swim)
    assert page.heading == "A swim: yes"
    assert page.links["Not now"] == f"/till?offer={swim}"
    again = await pages.submit("Check again", offer=sauna)
    assert again.heading == "Sauna: yes"


async def test_a_till_at_a_site_shows_what_is_had_there(lido: Lido, database: Database) -> None:
    pool, courts = [
        (await lido.api.made(f"/v1/venues/{lido.venue}/sites", {"name": name}))["id"] for name in ("Pool", "Courts")
    ]
    for title, site in (("Everywhere", None), ("In the pool", pool), ("On a court", courts)):
        body = {"title": title, "price": 60, "site": site}
        offer = await lido.api.made(f"/v1/venues/{lido.venue}/offers", body)
        await lido.api.made(f"/v1/offers/{offer['id']}/publish")
    async with Pages.of(lido.api, url=URL) as browser:
        browser.sign_in(await Entrance(database, lido.clock).till(lido.venue, pool))
        page = await browser.get("/till")
    assert "Everywhere" in page
    assert "In the pool" in page
    assert "On a court" not in page


async def test_without_an_offer_the_till_says_what_to_do(pages: Pages) -> None:
    assert "Nothing can be had for credits here just now" in await pages.get("/till")


# --- no ---------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """Ann comes with 345 minutes and a card; what is different this time, and why it is a no."""

    reason: Refusal
    says: str
    works: str = ""
    offer: Mapping[str, Any] = MappingProxyType({})
    party: Mapping[str, str] = MappingProxyType({})
    age_band: str | None = None
    shows: str = "card"


CASES = [
    Case(Refusal.INSUFFICIENT_CREDITS, "There are not enough credits available for this", offer={"price": 400}),
    Case(Refusal.CODE_UNKNOWN, "This code is not known", shows="nobody's"),
    Case(Refusal.CODE_UNKNOWN, "There is no such offer of this venue", shows="another venue's offer"),
    Case(Refusal.CODE_STALE, "scan the one on the phone now", shows="an old pass"),
    Case(Refusal.CARD_BLOCKED, "This card is resting", shows="blocked"),
    Case(Refusal.CARD_REPLACED, "This card was replaced by a newer one", shows="replaced"),
    Case(
        Refusal.OFFER_CLOSED_NOW,
        "This offer isn't open then. It opens at 19:00.",
        "It would work from Monday 16 November, 7pm.",
        {"windows": [EVENING]},
    ),
    Case(
        Refusal.QUOTA_FULL,
        "All places for credits are taken for this month.",
        "It would work from Tuesday 1 December, 12am.",
        {"quota": 1},
        shows="a place that is taken",
    ),
    Case(Refusal.VISIT_LIMIT, "for one visit 1 credit can be used", offer={"visit_minutes": 60}, party={"adults": "2"}),
    Case(Refusal.PARTY_RULE, "Up to 2 children under 8 can come with each adult.", party={"young": "3"}),
    Case(Refusal.PARTY_RULE, "Please enter who comes.", party={"adults": "0"}),
    Case(Refusal.AGE_RULE, "for people of 18 and over", offer={"from_years": 18}, age_band="16_to_17"),
    Case(Refusal.NOT_ELIGIBLE, "asks for one more step first", offer={"requires": ["gym_induction"]}),
    Case(Refusal.CONSENT_NEEDED, "A guardian's consent is needed first", age_band="8_to_15"),
    Case(Refusal.BOOKING_NEEDED, "This offer is booked beforehand.", offer={"booking_needed": True}),
    Case(Refusal.VENUE_PAUSED, "isn't taking credits at the moment", shows="at a venue that rests"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.reason}: {case.says[:30]}")
async def test_a_no_says_why_what_to_say_and_from_when(lido: Lido, pages: Pages, case: Case) -> None:
    ann, offer = await lido.person("Ann Archer", 345, case.age_band), await lido.offer(**case.offer)
    code = await _shown(lido, ann, offer, case.shows)
    elsewhere = await lido.offer(venue=await lido.api.venue()) if "another" in case.shows else None
    await pages.get("/till")
    if elsewhere is None:
        page = await pages.submit("Check", {"code": code, **case.party})
    else:
        page = await pages.post("/till", {"key": "k", "code": code, "offer": elsewhere}, status=200)

    assert word(page) == "No"
    assert case.says in page
    assert case.works in page
    if elsewhere is None:
        own = case.reason is Refusal.OFFER_CLOSED_NOW
        assert f"Say: {case.says if own else TABLE[case.reason].visitor}" in spoken(page)
        assert "ask when it is" not in page, "the screen says when"
        assert ("It will work from" in spoken(page)) == (bool(case.works) and not own)
    assert "Take " not in " ".join(page.buttons)
    assert not page.hard_to_read()
    if elsewhere is None:
        assert page.filled("/till")["code"] == [code], "what was typed can be checked again with another party"


async def _shown(lido: Lido, ann: dict[str, Any], offer: str, what: str) -> str:
    card = await lido.api.card(ann["id"])
    credentials = (await lido.api.get(f"/v1/people/{ann['id']}/credentials")).json()["credentials"]
    match what:
        case "nobody's":
            return NOBODYS
        case "an old pass":
            code = await a_pass(lido, ann)
            lido.clock.now += timedelta(minutes=3)
            return code
        case "blocked":
            await lido.api.made(f"/v1/credentials/{credentials[0]['id']}/block")
        case "replaced":
            await lido.api.made(f"/v1/credentials/{credentials[0]['id']}/replace")
        case "at a venue that rests":
            await lido.api.made(f"/v1/venues/{lido.venue}/suspend")
        case "a place that is taken":
            bob = await lido.person("Bob")
            await lido.api.made("/v1/redemptions", await lido.api.visit(offer, bob["id"]), token=lido.till)
    return card


async def test_between_the_yes_and_the_taking_it_may_become_a_no(lido: Lido, pages: Pages) -> None:
    ann, bob = await lido.person("Ann"), await lido.person("Bob")
    offer = await lido.offer(quota=1)
    page = await checked(pages, await a_pass(lido, ann))
    assert word(page) == "Yes"
    await lido.api.made("/v1/redemptions", await lido.api.visit(offer, bob["id"]), token=lido.till)
    page = await pages.submit("Take 1 credit", status=409)
    assert word(page) == "No"
    assert "All places for credits are taken for this month." in page
    assert await lido.api.balance(ann["id"]) == (240, 0)
    assert (await pages.get("/till/take")).path == "/till"


@pytest.mark.parametrize(
    ("typed", "fields", "says"),
    [
        ("", {}, "Code is needed"),
        ("ABC", {}, "Code was mistyped: please look at it again"),
        ("card", {"adults": "some"}, "Adults must be a whole number"),
        ("card", {"young": "101"}, "Under 8 must be at most 100"),
    ],
)
async def test_what_was_mistyped_is_said_at_its_field(
    lido: Lido, pages: Pages, typed: str, fields: dict[str, str], says: str
) -> None:
    ann, _ = await lido.person(), await lido.offer()
    await pages.get("/till")
    code = await lido.api.card(ann["id"]) if typed == "card" else typed
    assert says in (await pages.submit("Check", code=code, **fields, status=422)).alert


async def test_where_there_are_several_offers_one_is_chosen(lido: Lido, pages: Pages) -> None:
    ann, _, _ = await lido.person(), await lido.offer(), await lido.offer()
    await pages.get("/till")
    choose = "Please choose one. Only the code of a booking needs none."
    page = await pages.submit("Check", status=422)
    assert f"What is it for? {choose}" in page.alert, "with the code that is missing, and not after it"
    assert "Code is needed" in page.alert
    page = await pages.submit("Check", code=await lido.api.card(ann["id"]), status=422)
    assert page.alert.count(choose) == 1
    assert "must be said" not in page.answer.text
    assert "Code is" not in page.alert


async def test_a_till_that_heard_too_many_wrong_codes_says_when_it_works_again(
    lido: Lido, pages: Pages, database: Database
) -> None:
    """And the office reads of it, for a day."""
    ann, _ = await lido.person(), await lido.offer()
    for _ in range(10):
        assert word(await checked(pages, code_for(b"?", "card", uuid4()))) == "No"
    page = await pages.get("/till")
    assert "The till is resting" in page
    assert "again from 1pm" in page
    page = await checked(pages, await lido.api.card(ann["id"]))
    assert word(page) == "No"
    assert "please wait a little" in page
    assert "It would work from Monday 16 November" in page
    tables = [f"/staff/venues/{lido.venue}", f"/venues/{lido.venue}/tills"]
    async with Pages.of(lido.api, url=URL) as staff:
        staff.sign_in(await Entrance(database, lido.clock).staff())
        office = await staff.get("/staff")
        assert "10 since Monday 16 November, 12pm. No code is looked at until Monday 16 November, 1pm. Ask" in office
        assert tables[0] in [link.get("href") for link in office.html.all("a")]
        for table in tables:
            assert "Resting until Monday 16 November, 1pm" in await staff.get(table)
        lido.clock.now += timedelta(hours=2)
        assert "resting" not in await pages.get("/till")
        for table in tables:
            assert "Resting" not in await staff.get(table)
        assert "Codes are looked at again. Ask there" in await staff.get("/staff")
        lido.clock.now += timedelta(days=1)
        assert "Wrong codes" not in await staff.get("/staff")


# --- today ------------------------------------------------------------------------------------------------------


async def test_today_shows_what_was_taken_and_who_is_booked(lido: Lido, pages: Pages) -> None:
    assert "Nothing yet" in await pages.get("/till/today")
    assert "Nobody is booked for today" in await pages.again()

    ann, bob = await lido.person("Ann Archer"), await lido.person("Bob Bell")
    swim, ticket = await lido.offer(), await lido.offer("ticket", price=90)
    await lido.api.made("/v1/redemptions", await lido.api.visit(swim, ann["id"]), token=lido.till)
    came = await lido.book(bob, ticket, lido.clock.now + timedelta(hours=1), party={"adults": 1})
    page = await pages.get("/till/today")
    assert "12pm Ann" in page
    assert "1pm Bob" in page
    assert "Archer" not in page
    assert "Bell" not in page
    assert "Didn't come?" not in page, "not before the time"
    page = await pages.submit("Came Bob")
    assert "1 credit 30 minutes taken" in page
    assert await lido.state(came["id"]) == "captured"
    page = await pages.get("/till/today")
    assert "Came Bob" not in page.buttons
    page = await pages.click("12pm Bob")
    await pages.submit("Give back all: 1 credit 30 minutes")
    assert "1 credit 30 minutes given back" in await pages.get("/till/today")


async def test_of_a_full_day_the_later_bookings_are_on_the_next_page(
    lido: Lido, pages: Pages, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(till, "BOOKINGS_MAX", 1)
    monkeypatch.setattr(venue, "BOOKINGS_MAX", 1)
    ticket = await lido.offer("ticket", price=60)
    for hours, name in enumerate(("Ann", "Bob"), 1):
        await lido.book(await lido.person(name), ticket, lido.clock.now + timedelta(hours=hours))
    page = await pages.get("/till/today")
    assert ("1pm Ann" in page, "2pm Bob" in page) == (True, False)
    page = await pages.click("Later bookings")
    assert ("1pm Ann" in page, "2pm Bob" in page, "Later bookings" in page) == (False, True, False)
    assert "1pm Ann" in await pages.click("The first bookings of today")
    pages.sign_in(await Entrance(database, lido.clock).manager(lido.venue))
    page = await pages.get(f"/venues/{lido.venue}")
    assert "A till has them all, under Today." in page
    assert "Bob" not in page


async def test_whoever_didnt_come_has_their_credits_back_and_isnt_told_off(lido: Lido, pages: Pages) -> None:
    bob, ticket = await lido.person("Bob"), await lido.offer("ticket", price=90)
    booked = await lido.book(bob, ticket, lido.clock.now + timedelta(hours=1))
    lido.clock.now += timedelta(hours=2)
    page = await pages.get("/till/today")
    assert "Didn't come? Bob" in [page.html.name(each) for each in page.html.all("summary")], "a press more than Came"
    assert "This can't be undone." in page
    page = await pages.submit("Put the credits back Bob")
    assert "The credits went back" in page
    assert "Didn't come" in page
    assert await lido.api.balance(bob["id"]) == (240, 0)
    late = await pages.post(f"/till/bookings/{booked['id']}/came", {"key": "late"}, status=409)
    assert "already" in late.alert


async def test_a_visit_is_given_back_the_same_day_only_and_no_more_than_was_taken(lido: Lido, pages: Pages) -> None:
    ann, _ = await lido.person(), await lido.offer()
    await checked(pages, await a_pass(lido, ann))
    await pages.submit("Take 1 credit")
    page = await pages.submit("Give this back", minutes_hours="2", status=422)
    assert "You can give back 1 credit at most." in page.alert
    page = await pages.submit("Give this back", minutes_hours="0", minutes_minutes="15")
    assert "15 minutes given back since" in page, "a no isn't kept against what is mended"
    assert "must be" in (await pages.submit("Give this back", minutes_hours="x", status=422)).alert
    lido.clock.now += timedelta(days=1)
    page = await pages.submit("Give back all: 45 minutes", status=409)
    assert "A till refunds on the same day" in page.alert
    assert "Nothing yet" in await pages.get("/till/today")


async def test_a_long_day_is_read_page_by_page(lido: Lido, pages: Pages) -> None:
    offer = await lido.offer(price=5)
    ann = await lido.person(minutes=360)
    visit = {"offer": offer, "code": await lido.api.card(ann["id"]), "name_checked": True}
    rules = await lido.api.send("PATCH", "/v1/rules", {"card_day_minutes": 6000})
    assert rules.status_code == 200, rules.text
    for _ in range(32):
        await lido.api.made("/v1/redemptions", visit, token=lido.till)
    first = await pages.get("/till/today")
    second = await pages.click("Older")
    assert (first.text.count("12pm Ann"), second.text.count("12pm Ann")) == (30, 2)
    assert "Older" not in second.links
    await pages.get("/till/today?before=AAAA", status=400)


async def test_a_visit_of_another_venue_isnt_there(lido: Lido, database: Database) -> None:
    ann, offer = await lido.person(), await lido.offer("ticket", price=60)
    booked = await lido.book(ann, offer, lido.clock.now + timedelta(hours=1))
    async with Pages.of(lido.api, url=URL) as other:
        other.sign_in(await Entrance(database, lido.clock).till(await lido.api.venue()))
        await other.get(f"/till/visits/{booked['id']}", status=404)
        for verb in ("came", "absent"):
            page = await other.post(f"/till/bookings/{booked['id']}/{verb}", {"key": verb}, status=404)
            assert "Ann" not in page
    assert await lido.state(booked["id"]) == "authorised"


async def test_a_booking_is_told_to_its_venue_and_the_scheme_alone(lido: Lido, database: Database) -> None:
    ann, offer = await lido.person("Ann Archer"), await lido.offer("ticket", price=60)
    booked = UUID((await lido.book(ann, offer, lido.clock.now + timedelta(hours=1)))["id"])
    diary = Diary(database, lido.clock)
    for scope, place in ((Scope.SCHEME, None), (Scope.VENUE, UUID(lido.venue))):
        expected = await diary.expected(Caller(key=SCHEME, scope=scope, object=place), booked)
        assert (expected.first_name, expected.minutes, expected.status) == ("Ann", 60, "authorised")
    for caller, id_ in (
        (Caller(key=SCHEME, scope=Scope.VENUE, object=uuid4()), booked),
        (Caller(key=SCHEME, scope=Scope.SCHEME, object=None), uuid4()),
    ):
        with pytest.raises(Declined) as declined:
            await diary.expected(caller, id_)
        assert declined.value.reason is Refusal.NOT_FOUND


async def test_a_till_that_is_out_of_use_is_told_to_be_set_up_again_and_by_whom(lido: Lido, pages: Pages) -> None:
    """Nobody signs in at it. What was sent last, with somebody's code, is kept on no page."""
    ann = await lido.person()
    await lido.api.offer(lido.venue)
    typed = {"code": await lido.api.card(ann["id"]), "adults": "1", "children": "0", "young": "0"}
    await pages.get("/till")
    for device in (await lido.api.get(f"/v1/venues/{lido.venue}/devices")).json()["devices"]:
        await lido.api.made(f"/v1/devices/{device['id']}/revoke")

    refused = await pages.submit("Check", typed, status=401)
    assert "What was sent just now was not done." in refused
    assert typed["code"] not in refused.answer.text
    for path in ("/till", "/till/today", f"/till/visits/{uuid4()}"):
        page = await pages.get(path, status=401)
        assert page.heading == "This till has to be set up again"
        assert "whoever looks after the venue" in page
        assert "was not done" not in page
        assert "/sign-in" not in {urlsplit(href).path for href in page.links.values()}
        assert not page.hard_to_read()
    assert (await pages.click("Set it up again")).heading == "Set up a till or a kiosk"


async def test_a_till_is_no_ones_but_a_tills(lido: Lido, database: Database) -> None:
    ann, entrance = await lido.person(), Entrance(database, lido.clock)
    async with Pages.of(lido.api, url=URL) as browser:
        assert (await browser.get("/till", status=401)).links["Set it up again"] == "/enrol"
        for token in (
            await entrance.person(ann["id"]),
            await entrance.manager(lido.venue),
            await entrance.kiosk(lido.project),
        ):
            browser.sign_in(token)
            await browser.get("/till", status=403)
            await browser.get("/till/today", status=403)


async def test_what_a_venue_took_today_is_read_by_index(lido: Lido, owner: asyncpg.Connection) -> None:
    ann, offer = await lido.person(), await lido.offer()
    await lido.api.made("/v1/redemptions", await lido.api.visit(offer, ann["id"]), token=lido.till)
    await owner.execute("SET enable_seqscan = off")
    account = f"redeemed:{UUID(lido.venue).hex}"
    args = (account, datetime(2026, 11, 15, 23, 59, tzinfo=UTC), None, 30)
    plan = "\n".join(row[0] for row in await owner.fetch(f"EXPLAIN {redemptions._TODAY}", *args))
    assert "Seq Scan" not in plan
    assert "transfer_credit_sequence_key" in plan


async def test_only_its_venue_and_the_scheme_read_what_was_taken(lido: Lido, database: Database) -> None:
    ann, offer = await lido.person("Ann Archer"), await lido.offer()
    await lido.api.made("/v1/redemptions", await lido.api.visit(offer, ann["id"]), token=lido.till)
    verbs = redemptions.Redemptions(database, None, None, lido.clock)  # type: ignore[arg-type]  # it reads the database only
    venue = UUID(lido.venue)
    for scope, place in ((Scope.SCHEME, None), (Scope.VENUE, venue)):
        caller = Caller(key=SCHEME, scope=scope, object=place)
        (taken,) = await verbs.today(caller, venue, before=None, limit=9)
        assert (taken.first_name, taken.title, taken.minutes, taken.refunded) == ("Ann", "A swim", 60, 0)
    for scope, place in ((Scope.VENUE, uuid4()), (Scope.PROJECT, venue)):
        with pytest.raises(Declined) as declined:
            await verbs.today(Caller(key=SCHEME, scope=scope, object=place), venue, before=None, limit=9)
        assert declined.value.reason is Refusal.NOT_FOUND
