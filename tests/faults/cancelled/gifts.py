"""What people give each other and into pots, and what pots pay for."""

from datetime import timedelta
from typing import Any, Final

from tests.daytime import daytime
from tests.faults.cancelled.house import House, Prepare, Request


async def _rich(house: House) -> dict[str, Any]:
    """Somebody with an hour."""
    ann = await house.person()
    await house.api.give(house.project, {ann["id"]: 60})
    return ann


async def a_gift(house: House) -> Request:
    ann, bob = await _rich(house), await house.person()
    body = {"receiver": bob["id"], "minutes": 15, "words": "For you"}
    return Request(f"/v1/people/{ann['id']}/gifts", body, entries=1)


def a_gift_to(verb: str) -> Prepare:
    async def settle(house: House) -> Request:
        asked = await a_gift(house)
        gift = (await house.api.made(asked.path, asked.body))["id"]
        return Request(f"/v1/gifts/{gift}/{verb}", entries=1)

    return settle


async def a_gift_into_a_pot(house: House) -> Request:
    ann = await _rich(house)
    return Request(f"/v1/groups/{house.group}/pot/gifts", {"giver": ann["id"], "minutes": 15}, entries=1)


async def a_gift_to_the_community(house: House) -> Request:
    ann = await _rich(house)
    return Request("/v1/community-pot/gifts", {"giver": ann["id"], "minutes": 15}, entries=1)


async def a_gift_of_the_communitys(house: House) -> Request:
    asked = await a_gift_to_the_community(house)
    await house.api.made(asked.path, asked.body)
    bob = await house.person()
    body = {"person": bob["id"], "minutes": 15, "reason": "welcome"}
    return Request("/v1/community-pot/passed-on", body, entries=1)


async def _choir(house: House) -> tuple[str, list[str]]:
    """A group with an hour in its pot, and its two keyholders."""
    group = (await house.api.made("/v1/groups", {"name": "Choir"}))["id"]
    keyholders = [(await _rich(house))["id"] for _ in range(2)]
    for person in keyholders:
        await house.api.send("PUT", f"/v1/groups/{group}/members/{person}", {"keyholder": True})
    await house.api.made(f"/v1/groups/{group}/pot/gifts", {"giver": keyholders[0], "minutes": 60})
    return group, keyholders


def _visit(house: House, person: str, adults: int) -> dict[str, Any]:
    tomorrow = daytime() + timedelta(days=1)
    return {
        "keyholder": person,
        "person": person,
        "offer": house.offer,
        "visit_at": tomorrow.isoformat(),
        "party": {"adults": adults},
    }


async def a_spend(house: House) -> Request:
    group, keyholders = await _choir(house)
    return Request(f"/v1/groups/{group}/pot/spends", _visit(house, keyholders[0], 1), entries=1)


def a_spend_to(verb: str) -> Prepare:
    async def decide(house: House) -> Request:
        group, keyholders = await _choir(house)
        await house.api.send("PATCH", "/v1/rules", {"pot_both_above_minutes": 15})
        asked, other = _visit(house, keyholders[0], 2), await house.api.key("scheme")  # nobody agrees with themselves
        spend = (await house.api.made(f"/v1/groups/{group}/pot/spends", asked, token=other))["spend"]
        changed = f"SELECT count(*) FROM scheme.pot_spend WHERE id = '{spend}' AND decided_at IS NOT NULL"
        body = {"keyholder": keyholders[1]}
        return Request(f"/v1/pot-spends/{spend}/{verb}", body, entries=int(verb == "agree"), changed=changed)

    return decide


ROUTES: Final[dict[tuple[str, str], Prepare]] = {
    ("POST", "/v1/people/{person}/gifts"): a_gift,
    ("POST", "/v1/gifts/{gift}/accept"): a_gift_to("accept"),
    ("POST", "/v1/gifts/{gift}/decline"): a_gift_to("decline"),
    ("POST", "/v1/gifts/{gift}/take-back"): a_gift_to("take-back"),
    ("POST", "/v1/groups/{group}/pot/gifts"): a_gift_into_a_pot,
    ("POST", "/v1/community-pot/gifts"): a_gift_to_the_community,
    ("POST", "/v1/community-pot/passed-on"): a_gift_of_the_communitys,
    ("POST", "/v1/groups/{group}/pot/spends"): a_spend,
    ("POST", "/v1/pot-spends/{spend}/agree"): a_spend_to("agree"),
    ("POST", "/v1/pot-spends/{spend}/decline"): a_spend_to("decline"),
}
