"""Booking: chosen, looked at, booked with a code, changed and cancelled; and every "no" said kindly, with a way on."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.web.client import Page, Pages
from tests.doors.web.entrance import Entrance

LONDON = ZoneInfo("Europe/London")


def at(days: int, hour: int = 12) -> dict[str, str]:
    """A day and a time in so many days, as the form takes them."""
    day = (daytime().astimezone(LONDON) + timedelta(days=days)).date()
    return {"visit_at_day": day.isoformat(), "visit_at_time": f"{hour:02}:00"}


class Cast:
    """Ann, who has four credits, and a pool."""

    def __init__(self, api: Api, ann: str, venue: str, offer: str) -> None:
        self.api, self.ann, self.venue, self.offer = api, ann, venue, offer

    @property
    def bookings(self) -> str:
        return f"/people/{self.ann}/bookings"

    async def show(self, *, places: int | None = None, price: int = 60) -> str:
        """A show in three days."""
        body = {"title": "A play", "price": price, "kind": "show", "terms": {"booking_needed": True}}
        offer = str((await self.api.made(f"/v1/venues/{self.venue}/offers", body))["id"])
        await self.api.made(f"/v1/offers/{offer}/publish")
        await self.occasion(offer, 3, places)
        return offer

    async def course(self) -> str:
        """One of three evenings."""
        body = {"title": "Pottery", "price": 60, "kind": "course", "terms": {"from_years": 16}}
        offer = str((await self.api.made(f"/v1/venues/{self.venue}/offers", body))["id"])
        await self.api.made(f"/v1/offers/{offer}/publish")
        for days in (3, 10, 17):
            await self.occasion(offer, days)
        return offer

    async def occasion(self, offer: str, days: int, places: int | None = None) -> None:
        starts = daytime().replace(microsecond=0) + timedelta(days=days)
        times = {"starts_at": starts.isoformat(), "ends_at": (starts + timedelta(hours=2)).isoformat()}
        await self.api.made(f"/v1/offers/{offer}/occasions", {"occasions": [{**times, "places": places}]})


@pytest.fixture
async def cast(api: Api, pages: Pages, entrance: Entrance) -> Cast:
    """Signed in as Ann."""
    ann, venue = str((await api.person("Ann Lee"))["id"]), await api.venue("Parkside pool")
    await api.give(await api.project(), {ann: 240})
    pages.sign_in(await entrance.person(ann))
    return Cast(api, ann, venue, await api.offer(venue, 60, "A swim", cancel_minutes=60))


async def booked(pages: Pages, offer: str, **fields: str | bool) -> Page:
    """Choose, look, and book."""
    await pages.get(f"/spend/{offer}/book")
    await pages.submit("Go on", {**at(2), **fields})
    return await pages.submit("Book it")


async def test_a_visit_is_looked_at_before_it_is_booked(cast: Cast, pages: Pages) -> None:
    await pages.get(f"/spend/{cast.offer}")
    await pages.click("Book")
    page = await pages.submit("Go on", at(2), adults="2", children="1", companion=True)

    assert page.heading == "Is this right?"
    terms = page.terms()
    assert terms["Who comes"] == "2 adults, 1 child, 1 companion"
    assert terms["Goes on hold"] == "4 credits"
    assert terms["Left to spend then"] == "0 credits"
    assert terms["Can be cancelled until"].endswith("11am")
    assert await cast.api.balance(cast.ann) == (240, 0), "nothing is on hold yet"

    page = await pages.submit("Book it")
    assert "It is booked. Your code is below." in page
    assert page.heading == "A swim"
    assert page.terms()["On hold"] == "4 credits"
    assert await cast.api.balance(cast.ann) == (0, 240)


async def test_the_code_is_that_which_the_till_takes(cast: Cast, pages: Pages) -> None:
    page = await booked(pages, cast.offer)
    found = (await cast.api.get(f"/v1/people/{cast.ann}/bookings")).json()["bookings"]

    assert found[0]["code"] in page
    assert 'aria-label="The code of your booking"' in page.answer.text


async def test_whoever_would_rather_change_something_finds_what_they_chose(cast: Cast, pages: Pages) -> None:
    await pages.get(f"/spend/{cast.offer}/book")
    await pages.submit("Go on", at(2), adults="2")
    page = await pages.submit("Change something")
    assert page.heading == "Book: A swim"
    assert (page.filled("Go on")["adults"], page.filled("Go on")["visit_at_time"]) == (["2"], ["12:00"])
    assert not page.alert


async def test_booking_twice_with_one_page_books_once(cast: Cast, pages: Pages) -> None:
    await pages.get(f"/spend/{cast.offer}/book")
    check = await pages.submit("Go on", at(2))
    fields = {name: values[0] for name, values in check.filled(f"/spend/{cast.offer}/book").items()} | {"sure": "yes"}
    first = await pages.post(f"/spend/{cast.offer}/book", fields, status=200)
    second = await pages.post(f"/spend/{cast.offer}/book", fields, status=200)

    assert first.path == second.path
    assert await cast.api.balance(cast.ann) == (180, 60)


async def test_a_booking_is_cancelled_after_a_question(cast: Cast, pages: Pages) -> None:
    await booked(pages, cast.offer)
    page = await pages.click("Cancel it")
    assert page.heading == "Cancel this booking?"
    assert "You get 1 credit back at once." in page
    assert await cast.api.balance(cast.ann) == (180, 60), "looking changes nothing"
    page = await pages.submit("Cancel it")

    assert "It is cancelled, and the credits are back." in page
    assert "Cancelled" in page
    assert "Cancel it" not in page.links
    assert await cast.api.balance(cast.ann) == (240, 0)


async def test_cancelling_again_says_that_it_is_settled(cast: Cast, pages: Pages) -> None:
    await booked(pages, cast.offer)
    await pages.click("Cancel it")
    async with Pages.of(cast.api, url=pages.url) as other:
        other.client.cookies.update(pages.client.cookies)
        await other.get(pages.page.path if pages.page else "")
        await other.submit("Cancel it")
    page = await pages.submit("Cancel it", status=409)
    assert "It was used or cancelled before" in page.alert


async def test_a_booking_is_changed_and_keeps_its_code(cast: Cast, pages: Pages) -> None:
    before = await booked(pages, cast.offer)
    code = (await cast.api.get(f"/v1/people/{cast.ann}/bookings")).json()["bookings"][0]["code"]
    await pages.click("Change it")
    page = await pages.submit("Change it", at(4, 15), adults="2")
    assert page.heading == "Is this right?", "it comes to more"
    terms = page.terms()
    assert (terms["On hold until now"], terms["On hold then"], terms["Left to spend then"]) == (
        "1 credit",
        "2 credits",
        "2 credits",
    )
    assert terms["When"].endswith("3pm")
    assert await cast.api.balance(cast.ann) == (180, 60), "nothing is changed yet"
    page = await pages.submit("Change something")
    assert (page.filled("Change it")["adults"], page.filled("Change it")["visit_at_time"]) == (["2"], ["15:00"])
    await pages.submit("Change it")
    page = await pages.submit("Change it")

    assert "Your booking is changed. The code is the same." in page
    assert code in before
    assert code in page
    assert page.terms()["On hold"] == "2 credits"
    assert page.terms()["When"].endswith("3pm")


async def test_a_change_that_costs_the_same_is_made_at_once_and_once(cast: Cast, pages: Pages) -> None:
    await booked(pages, cast.offer)
    change = await pages.click("Change it")
    fields = {name: values[0] for name, values in change.filled("Change it").items()} | at(4, 15)
    first = await pages.submit("Change it", at(4, 15))
    assert "Your booking is changed." in first
    again = await pages.post(change.path, fields, status=200)
    assert again.path == first.path, "sent twice, it has the same answer"
    assert await cast.api.balance(cast.ann) == (180, 60)
    statement = await pages.get(f"/people/{cast.ann}/statement")
    assert "Back again: A swim was changed" in statement
    assert "was cancelled" not in statement


async def test_what_a_change_gives_back_pays_for_it(cast: Cast, pages: Pages) -> None:
    """Three of four credits are on hold; four people come to all four, five to more than there are."""
    await booked(pages, cast.offer, adults="3")
    await pages.click("Change it")
    page = await pages.submit("Change it", adults="5", status=409)
    assert "This needs more credits than there are" in page.alert
    page = await pages.submit("Change it", adults="4")
    assert page.terms()["Left to spend then"] == "0 credits"
    await pages.submit("Change it")
    assert await cast.api.balance(cast.ann) == (0, 240)


async def test_a_change_that_can_not_be_leaves_it_as_it_is(cast: Cast, pages: Pages) -> None:
    await booked(pages, cast.offer)
    await pages.click("Change it")
    page = await pages.submit("Change it", adults="9", status=409)
    assert "for one visit" in page.alert
    assert page.filled("Change it")["adults"] == ["9"]
    assert await cast.api.balance(cast.ann) == (180, 60)


async def test_a_show_is_booked_by_one_of_its_times(cast: Cast, pages: Pages) -> None:
    offer = await cast.show(places=5)
    page = await pages.get(f"/spend/{offer}/book")
    assert "5 places left" in page
    page = await pages.submit("Go on", status=422)
    assert "Please choose one of these times." in page.alert
    occasion = (await cast.api.get(f"/v1/offers/{offer}/occasions")).json()["occasions"][0]["id"]
    await pages.submit("Go on", occasion=occasion)
    page = await pages.submit("Book it")
    assert page.terms()["On hold"] == "1 credit"


async def test_a_course_is_booked_and_cancelled_as_a_whole(cast: Cast, pages: Pages) -> None:
    offer = await cast.course()
    assert "There are 3 sessions to come. You book them together." in await pages.get(f"/spend/{offer}")
    page = await pages.get(f"/spend/{offer}/book")
    assert "Price: 1 credit each, for every session." in page
    assert "There are 3 sessions to come. You book all of them:" in page
    assert "Children" not in page, "none of them could come"
    page = await pages.submit("Go on")
    assert page.terms()["Can be cancelled until"] == "The moment it begins"
    assert page.terms()["Goes on hold"] == "3 credits"
    assert page.terms()["When"].startswith("3 sessions, from")
    page = await pages.submit("Book it")
    assert "one session of a course" in page
    assert "Change it" not in page.links
    await pages.click("Cancel it")
    await pages.submit("Cancel it", course=True)
    assert await cast.api.balance(cast.ann) == (240, 0)


async def test_the_list_tells_what_comes_and_what_was_in_words(cast: Cast, pages: Pages) -> None:
    page = await pages.get(cast.bookings)
    assert "Nothing is booked." in page
    await booked(pages, cast.offer)
    page = await pages.get(cast.bookings)
    assert "A swim" in page.links
    assert "Booked" in page
    assert "authorised" not in page.answer.text
    await pages.click("A swim")
    await pages.click("Cancel it")
    await pages.submit("Cancel it")
    page = await pages.get(cast.bookings)
    assert "Nothing is booked." in page, "what was cancelled isn't to come"
    assert "Cancelled" in page


@pytest.mark.parametrize(
    ("terms", "fields", "says"),
    [
        ({}, {"adults": "5"}, "This needs more credits than there are to spend just now. Nothing was taken."),
        ({}, {"adults": "9"}, "for one visit 8 credits can be used"),
        ({"people": 2}, {"adults": "3"}, "up to 2"),
        ({"children": False}, {}, ""),
        ({"from_years": 18}, {}, ""),
        ({"below_years": 18}, {}, "for people under 18"),
        ({"quota": 1}, {"adults": "2"}, "All places for credits are taken then."),
        ({"month_minutes": 60}, {"adults": "2"}, "in a month"),
        ({}, {"adults": "0", "children": "2"}, "Whoever it is for comes too: please count one adult at least."),
        ({"requires": ["gym_induction"]}, {}, "There is one more step first. The office can help you with it."),
        (
            {
                "windows": [
                    {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "opens": "14:00", "closes": "15:00"}
                ]
            },
            {},
            "It opens at 14:00",
        ),
        ({"booking_needed": True, "ahead_minutes": 10080}, {}, "When would you like to come"),
    ],
)
async def test_every_no_is_said_kindly_before_and_keeps_what_was_typed(
    cast: Cast, pages: Pages, terms: dict[str, object], fields: dict[str, str], says: str
) -> None:
    offer = await cast.api.offer(cast.venue, 60, "A visit", **terms)
    await pages.get(f"/spend/{offer}/book")
    if not says:  # nothing stands in the way: children are just not asked for
        page = await pages.submit("Go on", at(2))
        assert page.heading == "Is this right?"
        assert page.terms()["Who comes"] == "1 adult"
        return
    status = 422 if "ahead_minutes" in terms else 409
    page = await pages.submit("Go on", {**at(2), **fields}, status=status)
    assert says.lower() in page.alert.lower()
    assert page.filled("Go on")["visit_at_time"] == ["12:00"]
    assert await cast.api.balance(cast.ann) == (240, 0)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"visit_at_day": "", "visit_at_time": ""}, "must be a day, and a time such as"),
        ({**at(-2)}, "must lie ahead"),
        ({**at(2), "adults": "many"}, "whole number"),
        ({**at(2), "adults": "51"}, "at most 50"),
    ],
)
async def test_what_was_mistyped_is_said_at_its_field(
    cast: Cast, pages: Pages, fields: dict[str, str], says: str
) -> None:
    await pages.get(f"/spend/{cast.offer}/book")
    page = await pages.submit("Go on", fields, status=422)
    assert says in page.alert


async def test_what_became_full_since_it_was_looked_at_is_told(cast: Cast, pages: Pages) -> None:
    offer = await cast.show(places=1)
    occasion = (await cast.api.get(f"/v1/offers/{offer}/occasions")).json()["occasions"][0]["id"]
    await pages.get(f"/spend/{offer}/book")
    await pages.submit("Go on", occasion=occasion)
    bob = str((await cast.api.person("Bob"))["id"])
    await cast.api.give(await cast.api.project(), {bob: 60})
    await cast.api.made("/v1/bookings", {"person": bob, "offer": offer, "occasion": occasion})
    page = await pages.post(
        f"/spend/{offer}/book", {"key": "one-page", "occasion": occasion, "adults": "1", "sure": "yes"}, status=409
    )
    assert "All places for credits are taken then. Another time may have some." in page.alert
    assert "Full just now" in page


async def test_a_helper_books_for_somebody_and_that_is_said(
    cast: Cast, api: Api, pages: Pages, entrance: Entrance
) -> None:
    bob = await api.person("Bob")
    await api.made(f"/v1/people/{cast.ann}/helpers", {"helper": bob["id"], "may": ["book"]})
    pages.sign_in(await entrance.person(bob["id"]))
    await pages.get(f"/spend/{cast.offer}/book")
    page = await pages.submit("Go on", at(2), person="Ann Lee")
    assert page.terms()["For"] == "Ann Lee"
    page = await pages.submit("Book it")
    assert page.path.startswith(cast.bookings)
    assert await api.balance(cast.ann) == (180, 60)


async def test_nobody_sees_or_changes_anothers_booking(cast: Cast, api: Api, pages: Pages, entrance: Entrance) -> None:
    path = (await booked(pages, cast.offer)).path.partition("?")[0]
    eve = await api.person("Eve")
    pages.sign_in(await entrance.person(eve["id"]))
    booking = path.rpartition("/")[2]
    for address in (cast.bookings, path, f"{path}/cancel", f"{path}/change", f"/people/{eve['id']}/bookings/{booking}"):
        await pages.get(address, status=404)
    await pages.post(f"{path}/cancel", {"key": "k"}, status=404)
    await pages.post(
        f"/spend/{cast.offer}/book", {"key": "k", "person": cast.ann, "adults": "1", "sure": "yes", **at(2)}, status=404
    )
    assert await api.balance(cast.ann) == (180, 60)


async def test_a_stranger_is_asked_to_sign_in_and_comes_back(api: Api, pages: Pages) -> None:
    offer = await api.offer(await api.venue())
    page = await pages.get(f"/spend/{offer}/book")
    assert page.path == f"/sign-in?next=/spend/{offer}/book"
