"""Hours: registers, claims, whoever decides on them, and slips."""

from typing import Any, Final

from tests.doors.house import register
from tests.faults.cancelled.house import House, Prepare, Request, count


def of(house: House, *lines: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Where a register of these lines is sent, and as what."""
    return f"/v1/projects/{house.project}/registers", {**register({}), "lines": list(lines)}


async def a_register(house: House) -> Request:
    """Somebody known, somebody new, a slip, one who just had tea, and one whose hours wait."""
    ann, bob, eve = await house.person(), await house.person(), await house.person()
    path, body = of(
        house,
        {"person": ann["id"], "minutes": 60},
        {"name": "Carol", "minutes": 60},
        {"voucher": "Dan", "minutes": 60},
        {"person": bob["id"], "minutes": 0},
        {"person": eve["id"], "minutes": 375},
    )
    return Request(path, body, entries=3)


async def a_slip(house: House) -> Request:
    ann = await house.person()
    path, body = of(house, {"voucher": f"Dan {house.number()}", "minutes": 60})
    code = (await house.api.made(path, body))["vouchers"][0]["code"]
    return Request("/v1/vouchers/claims", {"code": code, "person": ann["id"]}, entries=1)


async def a_claim(house: House) -> Request:
    return Request("/v1/claims", house.hours(await house.person(), note="I stayed to sweep up."))


async def another_time(house: House) -> Request:
    claim = await house.claim(draft=True)
    changed = count("scheme.claim", f"id = '{claim}' AND minutes = 45")
    # Each time it is said again stands in the person's acts.
    return Request(f"/v1/claims/{claim}", {"minutes": 45}, changed=changed, repeats=False)


def a_claim_to(verb: str, becomes: str, body: object = None, **more: object) -> Prepare:
    async def step(house: House) -> Request:
        claim = await house.claim(**more)
        changed = count("scheme.claim", f"id = '{claim}' AND state = '{becomes}'")
        return Request(f"/v1/claims/{claim}/{verb}", body, changed=changed)

    return step


async def approvals(house: House) -> Request:
    """Of two claims, and of one that needs a second approver."""
    longest = register({}, hours=8)
    claims = [await house.claim(), await house.claim(), await house.claim(ended_at=longest["ended_at"])]
    return Request(f"/v1/projects/{house.project}/approvals", {"claims": claims, "despite_exceptions": True}, entries=2)


async def a_correction(house: House) -> Request:
    """Half of it was spent, and is borne by the scheme."""
    ann = await house.person()
    given = await house.api.give(house.project, {ann["id"]: 30})
    await house.api.made("/v1/redemptions", await house.api.visit(house.offer, ann["id"]), token=house.till)
    return Request(
        f"/v1/claims/{given['claims'][0]}/corrections", {"minutes": 0, "reason": "A slip of the pen"}, entries=1
    )


WORDS: Final = {"text": "Which day was it?"}
ROUTES: Final[dict[tuple[str, str], Prepare]] = {
    ("POST", "/v1/projects/{project}/registers"): a_register,
    ("POST", "/v1/vouchers/claims"): a_slip,
    ("POST", "/v1/claims"): a_claim,
    ("PATCH", "/v1/claims/{claim}"): another_time,
    ("POST", "/v1/claims/{claim}/submit"): a_claim_to("submit", "submitted", {"note": "Monday"}, draft=True),
    ("POST", "/v1/claims/{claim}/withdraw"): a_claim_to("withdraw", "withdrawn"),
    ("POST", "/v1/claims/{claim}/query"): a_claim_to("query", "queried", WORDS),
    ("POST", "/v1/claims/{claim}/reject"): a_claim_to("reject", "rejected", WORDS),
    ("POST", "/v1/projects/{project}/approvals"): approvals,
    ("POST", "/v1/claims/{claim}/corrections"): a_correction,
}
