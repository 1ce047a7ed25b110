"""People, who helps them and answers for them, groups, and keys."""

from typing import Final

from tests.faults.cancelled.house import House, Prepare, Request, count


async def a_person(_: House) -> Request:
    contact = {"email": "bob@example.org", "safe": True}
    return Request("/v1/people", {"name": "Bob", "age_band": "18_and_over", "contact": contact})


async def a_birthday(house: House) -> Request:
    """At sixteen nobody's consent is needed any more: an hour that waited for it is awarded."""
    child = await house.child()
    body = {"age_band": "16_to_17", "contact": {"phone": "07700 900 321"}}
    return Request(f"/v1/people/{child['id']}", body, entries=1, repeats=False)


async def a_preference(house: House) -> Request:
    ann = await house.person()
    return Request(f"/v1/people/{ann['id']}/preferences", {"large_print": True, "milestones": [10]}, repeats=False)


async def a_helper(house: House) -> Request:
    helped, helper = await house.person(), await house.person()
    return Request(f"/v1/people/{helped['id']}/helpers", {"helper": helper["id"], "may": ["balance", "claim"]})


async def an_end_of_help(house: House) -> Request:
    helped, helper = await house.person(), await house.person()
    body = {"helper": helper["id"], "may": ["book"]}
    made = await house.api.made(f"/v1/people/{helped['id']}/helpers", body)
    return Request(
        f"/v1/helpers/{made['id']}/end",
        changed=count("scheme.helping", f"id = '{made['id']}' AND ended_at IS NOT NULL"),
    )


async def a_role(house: House) -> Request:
    person = await house.person()
    return Request("/v1/roles", {"person": person["id"], "role": "coordinator", "project": house.project})


async def an_end_of_a_role(house: House) -> Request:
    asked = await a_role(house)
    made = await house.api.made(asked.path, asked.body)
    return Request(
        f"/v1/roles/{made['id']}/end",
        changed=count("scheme.role", f"id = '{made['id']}' AND ended_at IS NOT NULL"),
    )


async def somebody_who_leaves(house: House) -> Request:
    asked = await a_role(house)
    made = await house.api.made(asked.path, asked.body)
    await house.api.key("project", house.project, person=made["person"])
    return Request(
        f"/v1/people/{made['person']}/leave",
        changed=count("scheme.api_key", "revoked_at IS NOT NULL"),
    )


async def a_word(house: House) -> Request:
    person = await house.person()
    return Request(f"/v1/people/{person['id']}/eligibility/gym_induction", {})


async def a_withdrawn_word(house: House) -> Request:
    path = f"/v1/people/{(await house.person())['id']}/eligibility/gym_induction"
    assert (await house.api.send("PUT", path, {})).status_code == 200
    return Request(path)


async def a_guardian(house: House) -> Request:
    child = await house.person(age_band="under_8")
    return Request(f"/v1/people/{child['id']}/guardians", {"guardian": house.guardian})


async def an_end_of_guardianship(house: House) -> Request:
    child = await house.child()
    consent = await house.consent(child)
    return Request(
        f"/v1/people/{child['id']}/guardians/{house.guardian}/end",
        changed=count("scheme.consent", f"id = '{consent}' AND withdrawn_at IS NOT NULL"),
    )


async def a_consent(house: House) -> Request:
    child = await house.child()
    return Request(f"/v1/people/{child['id']}/consents", {"guardian": house.guardian}, entries=1)


async def a_withdrawal_of_consent(house: House) -> Request:
    consent = await house.consent(await house.child())
    return Request(
        f"/v1/consents/{consent}/withdraw",
        changed=count("scheme.consent", f"id = '{consent}' AND withdrawn_at IS NOT NULL"),
    )


async def an_erasure(house: House) -> Request:
    """Of somebody with a wallet, a hold, a key, a contact, and an hour that waits."""
    ann = await house.person(contact={"email": "ann@example.org"})
    await house.api.give(house.project, {ann["id"]: 60}, days_ago=3)
    held = {**await house.api.visit(house.offer, ann["id"]), "capture": False}
    await house.api.made("/v1/redemptions", held, token=house.till)
    await house.api.made("/v1/claims", house.hours(ann, note="I stayed to sweep up."))
    await house.api.key("person", person=ann["id"])
    return Request(
        f"/v1/people/{ann['id']}/erasure",
        {"give_to": "community"},
        entries=2,
        changed=count("scheme.holder", f"id = '{ann['holder']}' AND closed_at IS NOT NULL"),
    )


async def a_group(_: House) -> Request:
    return Request("/v1/groups", {"name": "Allotment"})


async def a_member(house: House) -> Request:
    ann = await house.person()
    return Request(f"/v1/groups/{house.group}/members/{ann['id']}", {"keyholder": False})


async def a_leaver(house: House) -> Request:
    asked = await a_member(house)
    assert (await house.api.send("PUT", asked.path, asked.body)).status_code == 200
    return Request(asked.path)


async def a_key(_: House) -> Request:
    return Request("/v1/keys", {"scope": "scheme", "label": "another"}, repeats=False)


async def a_revocation(house: House) -> Request:
    made = await house.api.made("/v1/keys", {"scope": "scheme", "label": "another"})
    return Request(
        f"/v1/keys/{made['id']}/revoke",
        changed=count("scheme.api_key", f"id = '{made['id']}' AND revoked_at IS NOT NULL"),
    )


ROUTES: Final[dict[tuple[str, str], Prepare]] = {
    ("POST", "/v1/people"): a_person,
    ("PATCH", "/v1/people/{person}"): a_birthday,
    ("PATCH", "/v1/people/{person}/preferences"): a_preference,
    ("POST", "/v1/people/{person}/helpers"): a_helper,
    ("POST", "/v1/helpers/{helper}/end"): an_end_of_help,
    ("POST", "/v1/roles"): a_role,
    ("POST", "/v1/roles/{role}/end"): an_end_of_a_role,
    ("POST", "/v1/people/{person}/leave"): somebody_who_leaves,
    ("PUT", "/v1/people/{person}/eligibility/{word}"): a_word,
    ("DELETE", "/v1/people/{person}/eligibility/{word}"): a_withdrawn_word,
    ("POST", "/v1/people/{child}/guardians"): a_guardian,
    ("POST", "/v1/people/{child}/guardians/{guardian}/end"): an_end_of_guardianship,
    ("POST", "/v1/people/{child}/consents"): a_consent,
    ("POST", "/v1/consents/{consent}/withdraw"): a_withdrawal_of_consent,
    ("POST", "/v1/people/{person}/erasure"): an_erasure,
    ("POST", "/v1/groups"): a_group,
    ("PUT", "/v1/groups/{group}/members/{person}"): a_member,
    ("DELETE", "/v1/groups/{group}/members/{person}"): a_leaver,
    ("POST", "/v1/keys"): a_key,
    ("POST", "/v1/keys/{key}/revoke"): a_revocation,
}
