"""What a desk gives out: cards, phone passes, and tills; and signing somebody out, which only a page does."""

from typing import Final

from tests.faults.cancelled.house import House, Prepare, Request, count


async def a_card(house: House) -> Request:
    ann = await house.person()
    return Request(f"/v1/people/{ann['id']}/cards", {})


async def a_pass(house: House) -> Request:
    ann = await house.person()
    return Request(f"/v1/people/{ann['id']}/pass", token=await house.api.key("person", person=ann["id"]))


def a_card_to(verb: str, becomes: str) -> Prepare:
    async def step(house: House) -> Request:
        ann = await house.person()
        card = (await house.api.made(f"/v1/people/{ann['id']}/cards", {}))["credential"]["id"]
        if verb == "unblock":
            await house.api.made(f"/v1/credentials/{card}/block")
        changed = count("scheme.credential", f"id = '{card}' AND status = '{becomes}'")
        return Request(f"/v1/credentials/{card}/{verb}", changed=changed)

    return step


async def a_device(house: House) -> Request:
    return Request(f"/v1/venues/{house.venue}/devices", {"name": "the kiosk"})


async def a_kiosk(house: House) -> Request:
    return Request(f"/v1/projects/{house.project}/devices", {"name": "the tablet at the door"})


async def an_enrolment(house: House) -> Request:
    made = await house.api.made(f"/v1/venues/{house.venue}/devices", {"name": "the kiosk"})
    return Request("/v1/devices/enrol", {"code": made["code"]}, repeats=False)


async def another_name(house: House) -> Request:
    made, name = await house.api.made(f"/v1/venues/{house.venue}/devices", {"name": "x"}), f"till {house.number()}"
    changed = count("scheme.device", f"name = '{name}'")
    return Request(f"/v1/devices/{made['device']['id']}", {"name": name}, changed=changed)


async def a_revoked_device(house: House) -> Request:
    made = await house.api.made(f"/v1/venues/{house.venue}/devices", {"name": "the kiosk"})
    device = made["device"]["id"]
    await house.api.client.post("/v1/devices/enrol", json={"code": made["code"]})
    changed = (
        f"SELECT count(*) FROM scheme.device d JOIN scheme.api_key k ON k.device = d.id"
        f" WHERE d.id = '{device}' AND d.status = 'revoked' AND k.revoked_at IS NOT NULL"
    )
    return Request(f"/v1/devices/{device}/revoke", changed=changed)


async def a_sign_out(house: House) -> Request:
    ann = await house.person()
    for _ in range(2):
        await house.entrance.person(ann["id"])
    return Request(
        f"/staff/people/{ann['id']}/sign-out",
        token=await house.entrance.staff(),
        changed=f"SELECT count(*) / 2 FROM scheme.sign_in WHERE holder = '{ann['holder']}' AND ended_at IS NOT NULL",
        repeats=False,
    )


ROUTES: Final[dict[tuple[str, str], Prepare]] = {
    ("POST", "/v1/people/{person}/cards"): a_card,
    ("POST", "/v1/people/{person}/pass"): a_pass,
    ("POST", "/v1/credentials/{credential}/replace"): a_card_to("replace", "replaced"),
    ("POST", "/v1/credentials/{credential}/block"): a_card_to("block", "blocked"),
    ("POST", "/v1/credentials/{credential}/unblock"): a_card_to("unblock", "active"),
    ("POST", "/v1/credentials/{credential}/revoke"): a_card_to("revoke", "revoked"),
    ("POST", "/v1/venues/{venue}/devices"): a_device,
    ("POST", "/v1/projects/{project}/devices"): a_kiosk,
    ("POST", "/v1/devices/enrol"): an_enrolment,
    ("PATCH", "/v1/devices/{device}"): another_name,
    ("POST", "/v1/devices/{device}/revoke"): a_revoked_device,
}

PAGES: Final[dict[tuple[str, str], Prepare]] = {("POST", "/staff/people/{person:uuid}/sign-out"): a_sign_out}
