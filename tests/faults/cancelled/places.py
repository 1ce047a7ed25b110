"""Projects and what can be done there, venues and their offers, sessions, and the rules."""

from datetime import timedelta
from typing import Final

from tests.daytime import daytime
from tests.faults.cancelled.house import House, Prepare, Request, count


async def a_project(_: House) -> Request:
    return Request("/v1/projects", {"name": "Choir", "alias": "Mondays"})


async def a_new_name(house: House) -> Request:
    name = f"Choir {house.number()}"
    return Request(f"/v1/projects/{house.project}", {"name": name}, changed=count("scheme.project", f"name = '{name}'"))


def a_project_that_is(status: str, verb: str, becomes: str) -> Prepare:
    async def change(house: House) -> Request:
        project = await house.project_of(status)
        changed = count("scheme.project", f"id = '{project}' AND status = '{becomes}'")
        return Request(f"/v1/projects/{project}/{verb}", changed=changed)

    return change


async def a_venue(_: House) -> Request:
    return Request("/v1/venues", {"name": "The theatre"})


async def another_venues_name(house: House) -> Request:
    venue, name = await house.api.venue(), f"Theatre {house.number()}"
    return Request(f"/v1/venues/{venue}", {"name": name}, changed=count("scheme.venue", f"name = '{name}'"))


def a_venue_that_is(status: str, verb: str, becomes: str) -> Prepare:
    async def change(house: House) -> Request:
        venue = (await house.api.made("/v1/venues", {"name": "The theatre", "status": status}))["id"]
        changed = count("scheme.venue", f"id = '{venue}' AND status = '{becomes}'")
        return Request(f"/v1/venues/{venue}/{verb}", changed=changed)

    return change


async def a_site(house: House) -> Request:
    # A venue has 200 at most.
    return Request(f"/v1/venues/{await house.api.venue()}/sites", {"name": "Stage", "postcode": "CB1 1LY"})


async def another_postcode(house: House) -> Request:
    site = (await house.api.made(f"/v1/venues/{await house.api.venue()}/sites", {"name": "Stage"}))["id"]
    changed = count("scheme.site", f"id = '{site}' AND postcode = 'CB4 1DQ'")
    return Request(f"/v1/sites/{site}", {"postcode": "cb41dq"}, changed=changed)


async def a_closed_site(house: House) -> Request:
    site = (await house.api.made(f"/v1/venues/{await house.api.venue()}/sites", {"name": "Stage"}))["id"]
    changed = count("scheme.site", f"id = '{site}' AND closed_at IS NOT NULL")
    return Request(f"/v1/sites/{site}/close", changed=changed)


async def an_offer(house: House) -> Request:
    return Request(f"/v1/venues/{house.venue}/offers", {"title": "A play", "price": 120})


async def another_price(house: House) -> Request:
    offer = (await house.api.made(f"/v1/venues/{house.venue}/offers", {"title": "A play", "price": 120}))["id"]
    changed = count("scheme.offer", f"id = '{offer}' AND price = 90")
    return Request(f"/v1/offers/{offer}", {"price": 90, "terms": {"quota": 3}}, changed=changed)


async def _show(house: House) -> str:
    body = {"title": "A play", "price": 120, "kind": "show"}
    return str((await house.api.made(f"/v1/venues/{house.venue}/offers", body))["id"])


async def two_occasions(house: House) -> Request:
    return Request(f"/v1/offers/{await _show(house)}/occasions", {"occasions": [_times(1), _times(2)]})


async def more_places(house: House) -> Request:
    occasion = await _occasion(house)
    changed = count("scheme.occasion", f"id = '{occasion}' AND places = 7")
    return Request(f"/v1/occasions/{occasion}", {"places": 7}, changed=changed)


async def a_cancelled_occasion(house: House) -> Request:
    occasion = await _occasion(house)
    changed = count("scheme.occasion", f"id = '{occasion}' AND cancelled_at IS NOT NULL")
    return Request(f"/v1/occasions/{occasion}/cancel", changed=changed)


async def _occasion(house: House) -> str:
    path = f"/v1/offers/{await _show(house)}/occasions"
    return str((await house.api.made(path, {"occasions": [_times(1)]}))["occasions"][0]["id"])


def _times(days: int) -> dict[str, str]:
    starts = daytime() + timedelta(days=days)
    return {"starts_at": starts.isoformat(), "ends_at": (starts + timedelta(hours=2)).isoformat()}


def an_offer_to(verb: str, becomes: str) -> Prepare:
    async def change(house: House) -> Request:
        body = {"title": "A play", "price": 120}
        offer = (await house.api.made(f"/v1/venues/{house.venue}/offers", body))["id"]
        if verb != "publish":
            await house.api.made(f"/v1/offers/{offer}/publish")
        changed = count("scheme.offer", f"id = '{offer}' AND status = '{becomes}'")
        return Request(f"/v1/offers/{offer}/{verb}", changed=changed)

    return change


async def an_opportunity(house: House) -> Request:
    body = {"title": "Soup kitchen", "kind": "weekly", "tags": ["low_talk"]}
    return Request(f"/v1/projects/{house.project}/opportunities", body)


async def another_title(house: House) -> Request:
    opportunity, title = await house.opportunity(), f"Soup {house.number()}"
    changed = count("scheme.opportunity", f"title = '{title}'")
    return Request(f"/v1/opportunities/{opportunity}", {"title": title}, changed=changed)


def an_opportunity_to(verb: str, becomes: str) -> Prepare:
    async def change(house: House) -> Request:
        opportunity = await house.opportunity("draft" if verb == "publish" else "publish")
        changed = count("scheme.opportunity", f"id = '{opportunity}' AND status = '{becomes}'")
        return Request(f"/v1/opportunities/{opportunity}/{verb}", changed=changed)

    return change


async def three_sessions(house: House) -> Request:
    starts = daytime() + timedelta(days=1)
    body = {"started_at": starts.isoformat(), "ended_at": (starts + timedelta(hours=2)).isoformat(), "repeat": 3}
    return Request(f"/v1/projects/{house.project}/sessions", body)


async def a_cancelled_session(house: House) -> Request:
    session, _ = await house.booked()
    changed = count("scheme.session", f"id = '{session}' AND cancelled_at IS NOT NULL")
    return Request(f"/v1/sessions/{session}/cancel", changed=changed)


async def a_booking(house: House) -> Request:
    session, ann = await house.session(), await house.person()
    return Request(f"/v1/sessions/{session}/attendances", {"person": ann["id"]})


async def a_cancelled_booking(house: House) -> Request:
    session, ann = await house.booked()
    return Request(f"/v1/sessions/{session}/attendances/{ann}", repeats=False)


async def an_arrival(house: House) -> Request:
    session, ann = await house.booked(begun=True)
    changed = count("scheme.attendance", f"session = '{session}' AND state = 'checked_in'")
    return Request(f"/v1/sessions/{session}/attendances/{ann}/check-in", {}, changed=changed)


async def a_departure(house: House) -> Request:
    session, ann = await house.booked(begun=True)
    came = (daytime() - timedelta(hours=1)).isoformat()
    await house.api.made(f"/v1/sessions/{session}/attendances/{ann}/check-in", {"at": came})
    return Request(f"/v1/sessions/{session}/attendances/{ann}/check-out", {})


async def an_absence(house: House) -> Request:
    session, ann = await house.booked(begun=True)
    changed = count("scheme.attendance", f"session = '{session}' AND state = 'absent'")
    return Request(f"/v1/sessions/{session}/attendances/{ann}/absent", changed=changed)


async def another_rule(house: House) -> Request:
    # Another one than the last time, and more than anybody here gives in a week.
    return Request("/v1/rules", {"weekly_note_minutes": 5_000 + house.number() % 5_000})


ROUTES: Final[dict[tuple[str, str], Prepare]] = {
    ("POST", "/v1/projects"): a_project,
    ("PATCH", "/v1/projects/{project}"): a_new_name,
    ("POST", "/v1/projects/{project}/activate"): a_project_that_is("applied", "activate", "active"),
    ("POST", "/v1/projects/{project}/suspend"): a_project_that_is("active", "suspend", "suspended"),
    ("POST", "/v1/projects/{project}/end"): a_project_that_is("active", "end", "ended"),
    ("POST", "/v1/venues"): a_venue,
    ("PATCH", "/v1/venues/{venue}"): another_venues_name,
    ("POST", "/v1/venues/{venue}/activate"): a_venue_that_is("applied", "activate", "active"),
    ("POST", "/v1/venues/{venue}/suspend"): a_venue_that_is("active", "suspend", "suspended"),
    ("POST", "/v1/venues/{venue}/end"): a_venue_that_is("active", "end", "ended"),
    ("POST", "/v1/venues/{venue}/sites"): a_site,
    ("PATCH", "/v1/sites/{site}"): another_postcode,
    ("POST", "/v1/sites/{site}/close"): a_closed_site,
    ("POST", "/v1/venues/{venue}/offers"): an_offer,
    ("PATCH", "/v1/offers/{offer}"): another_price,
    ("POST", "/v1/offers/{offer}/occasions"): two_occasions,
    ("PATCH", "/v1/occasions/{occasion}"): more_places,
    ("POST", "/v1/occasions/{occasion}/cancel"): a_cancelled_occasion,
    ("POST", "/v1/offers/{offer}/publish"): an_offer_to("publish", "published"),
    ("POST", "/v1/offers/{offer}/pause"): an_offer_to("pause", "paused"),
    ("POST", "/v1/offers/{offer}/end"): an_offer_to("end", "ended"),
    ("POST", "/v1/projects/{project}/opportunities"): an_opportunity,
    ("PATCH", "/v1/opportunities/{opportunity}"): another_title,
    ("POST", "/v1/opportunities/{opportunity}/publish"): an_opportunity_to("publish", "published"),
    ("POST", "/v1/opportunities/{opportunity}/pause"): an_opportunity_to("pause", "paused"),
    ("POST", "/v1/opportunities/{opportunity}/end"): an_opportunity_to("end", "ended"),
    ("POST", "/v1/projects/{project}/sessions"): three_sessions,
    ("POST", "/v1/sessions/{session}/cancel"): a_cancelled_session,
    ("POST", "/v1/sessions/{session}/attendances"): a_booking,
    ("DELETE", "/v1/sessions/{session}/attendances/{person}"): a_cancelled_booking,
    ("POST", "/v1/sessions/{session}/attendances/{person}/check-in"): an_arrival,
    ("POST", "/v1/sessions/{session}/attendances/{person}/check-out"): a_departure,
    ("POST", "/v1/sessions/{session}/attendances/{person}/absent"): an_absence,
    ("PATCH", "/v1/rules"): another_rule,
}
