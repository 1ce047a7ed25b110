"""What is spent, and what funders grant."""

from typing import Final
from uuid import UUID, uuid4

from ledger.journal.entries import Entry, Transfer
from ledger.journal.posting import post
from ledger.scheme.callers import SCHEME
from ledger.scheme.chart import CHART, account
from tests.daytime import daytime
from tests.faults.cancelled.house import House, Prepare, Request


async def a_grant(house: House) -> Request:
    project = await house.project_of("active")
    return Request(f"/v1/projects/{project}/allocations", {"funder": "The lottery", "minutes": 6_000}, entries=1)


async def a_redemption(house: House) -> Request:
    ann = await house.person()
    await house.api.give(house.project, {ann["id"]: 15})
    return Request(
        "/v1/redemptions", await house.api.visit(house.offer, ann["id"]), house.till, entries=1, batched=True
    )


def a_step(step: str) -> Prepare:
    async def taken(house: House) -> Request:
        redemption = await house.redeemed(capture=step == "refund")
        body: object = None if step == "void" else {}
        return Request(f"/v1/redemptions/{redemption}/{step}", body, house.till, entries=1, batched=step != "refund")

    return taken


async def a_reinstatement(house: House) -> Request:
    """Of an hour that ended today."""
    ann = await house.person()
    await house.api.give(house.project, {ann["id"]: 60})
    now = daytime()
    ended = Transfer(account("wallet", UUID(ann["holder"])), "expired", 60)
    async with house.owner.transaction():
        await post(house.owner, CHART, [Entry(id=uuid4(), transfers=(ended,), happened_at=now, actor=SCHEME)], now)
    return Request(f"/v1/people/{ann['id']}/reinstatements", entries=1)


ROUTES: Final[dict[tuple[str, str], Prepare]] = {
    ("POST", "/v1/projects/{project}/allocations"): a_grant,
    ("POST", "/v1/redemptions"): a_redemption,
    ("POST", "/v1/people/{person}/reinstatements"): a_reinstatement,
    ("POST", "/v1/redemptions/{redemption}/capture"): a_step("capture"),
    ("POST", "/v1/redemptions/{redemption}/void"): a_step("void"),
    ("POST", "/v1/redemptions/{redemption}/refund"): a_step("refund"),
}
