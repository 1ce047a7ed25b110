"""People over HTTP: who may see and change what, and what stays of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.doors.house import Api

CONTACT = {
    "email": "ann@example.org",
    "phone": "+44 1223 496 0000",
    "address": "3 Mill Lane\nCambridge",
    "channel": "text",
    "safe": True,
}
HOSTILE = (
    "<script>alert(1)</script>",
    "'; DROP TABLE scheme.person; --",
    "{{7*7}}",
    "=HYPERLINK(1)",
    "Zo\u00eb \u738b \U0001f33b",
)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def fields(answer: httpx.Response) -> list[str]:
    return [field["field"] for field in answer.json()["fields"]]


async def acts(api: Api, person: str, token: str | None = None) -> list[str]:
    """What was done for or about somebody, oldest first."""
    found = (await api.get(f"/v1/people/{person}/acts", token)).json()["acts"]
    return [act["verb"] for act in reversed(found)]


# --- what may be given, and what comes of it --------------------------------------------------------------


async def test_a_name_is_all_that_anybody_must_give(api: Api) -> None:
    made = await api.post("/v1/people", {"name": "Ann"})
    assert made.status_code == 201
    ann = made.json()
    assert made.headers["location"] == f"/v1/people/{ann['id']}"
    assert (ann["name"], ann["age_band"], ann["contact"]) == ("Ann", None, None)
    assert (await api.get(f"/v1/people/{ann['id']}")).json() == ann
    assert await api.balance(ann["id"]) == (0, 0)


async def test_all_that_was_told_is_shown(api: Api) -> None:
    body = {"name": "Ann", "age_band": "18_and_over", "contact": CONTACT}
    ann = await api.made("/v1/people", body)
    assert ann["contact"] == {**CONTACT, "caution": None}
    assert (await api.get(f"/v1/people/{ann['id']}")).json() == ann


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_name_is_text_whatever_it_looks_like(api: Api, owner: asyncpg.Connection, name: str) -> None:
    ann = await api.made("/v1/people", {"name": name})
    assert (await api.get(f"/v1/people/{ann['id']}")).json()["name"] == name
    assert [found["id"] for found in (await api.get("/v1/people", name=name)).json()["people"]] == [ann["id"]]
    renamed = await api.send("PATCH", f"/v1/people/{(await api.person())['id']}", {"name": name})
    assert renamed.json()["name"] == name
    assert await owner.fetchval("SELECT count(*) FROM scheme.person WHERE name = $1", name) == 2


@pytest.mark.parametrize(
    ("safe", "says"),
    [(True, None), (None, "We don't know"), (False, "It is not safe")],
)
async def test_no_contact_is_shown_that_is_unsafe_without_saying_so(
    api: Api, *, safe: bool | None, says: str | None
) -> None:
    body = {"name": "Ann", "contact": {"phone": "01223 496000", "safe": safe}}
    ann = await api.made("/v1/people", body)
    path = f"/v1/people/{ann['id']}"
    for shown in (ann, (await api.get(path)).json(), (await api.send("PATCH", path, {})).json()):
        assert shown["contact"]["safe"] is safe
        assert (shown["contact"]["caution"] or "").startswith(says or "")
        assert (shown["contact"]["caution"] is None) is (says is None)


@pytest.mark.parametrize(
    ("field", "value", "answer"),
    [
        ("name", "x", 200),
        ("name", "x" * 200, 200),
        ("name", "x" * 201, 422),
        ("name", "", 422),
        ("name", " Ann", 422),
        ("name", "\u2003", 422),
        ("name", "Ann\u2003", 422),
        ("name", "\u3000\u2028", 422),
        ("name", "Ann\nLee", 422),
        ("name", "Ann\u0000", 422),
        ("name", None, 400),
        ("name", 7, 400),
        ("age_band", "under_8", 200),
        ("age_band", "18_and_over", 200),
        ("age_band", "adult", 422),
        ("age_band", 30, 400),
        ("contact.email", "a@b", 200),
        ("contact.email", "a" * 252 + "@b", 200),
        ("contact.email", "a" * 253 + "@b", 422),
        ("contact.email", "@b", 422),
        ("contact.email", "ann at home", 422),
        ("contact.email", "a@b@c", 422),
        ("contact.phone", "999", 200),
        ("contact.phone", "+44 (0)1223 496-0000", 200),
        ("contact.phone", "0" * 40, 200),
        ("contact.phone", "0" * 41, 422),
        ("contact.phone", "99", 422),
        ("contact.phone", "ask Bob", 422),
        ("contact.address", "x", 200),
        ("contact.address", "x" * 500, 200),
        ("contact.address", "x" * 501, 422),
        ("contact.address", "", 422),
        ("contact.address", " \n ", 422),
        ("contact.address", "a\u0007b", 422),
        ("contact.channel", "in_person", 200),
        ("contact.channel", "pigeon", 422),
        ("contact.safe", False, 200),
        ("contact.safe", "yes", 400),
        ("contact.safe", 1, 400),
        ("contact", "ann@example.org", 400),
        ("contact.fax", "1", 400),
        ("balance", 6000, 400),
        ("status", "active", 400),
        ("role", "scheme", 400),
        ("holder", "00000000-0000-4000-8000-000000000000", 400),
    ],
)
async def test_what_a_person_may_be(
    api: Api, owner: asyncpg.Connection, field: str, value: object, answer: int
) -> None:
    ann = await api.person()
    outer, _, inner = field.partition(".")
    body = {outer: {inner: value} if inner else value}

    patched = await api.send("PATCH", f"/v1/people/{ann['id']}", body)
    assert patched.status_code == answer, patched.text
    made = await api.post("/v1/people", {"name": "Bob", **body})
    assert made.status_code == (201 if answer == 200 else answer), made.text

    if answer == 200:
        for shown in (patched.json(), made.json()):
            assert (shown[outer][inner] if inner else shown[outer]) == value
    else:
        if patched.json()["code"] != "control_characters":  # looked for before anybody knows what is a field
            assert fields(patched) == fields(made) == [field]
        assert await owner.fetchval("SELECT count(*) FROM scheme.person") == 1
        assert await owner.fetchval("SELECT count(*) FROM scheme.contact") == 0
        assert await owner.fetchval("SELECT name FROM scheme.person") == "Ann"


@pytest.mark.parametrize(
    ("change", "after"),
    [
        ({}, {}),
        ({"name": "Annie"}, {"name": "Annie"}),
        ({"age_band": None}, {"age_band": None}),
        ({"contact": None}, {"contact": None}),
        ({"contact": {}}, {}),
        ({"contact": {"email": None}}, {"contact": {**CONTACT, "email": None, "caution": None}}),
        ({"contact": {"phone": "999"}}, {"contact": {**CONTACT, "phone": "999", "caution": None}}),
        ({"contact": dict.fromkeys(CONTACT)}, {"contact": None}),
    ],
)
async def test_a_change_sets_what_is_there_clears_what_is_null_and_leaves_the_rest(
    api: Api, change: dict[str, Any], after: dict[str, Any]
) -> None:
    ann = await api.made("/v1/people", {"name": "Ann", "age_band": "18_and_over", "contact": CONTACT})
    path = f"/v1/people/{ann['id']}"
    changed = await api.send("PATCH", path, change)
    assert (changed.status_code, changed.json()) == (200, {**ann, **after})
    assert (await api.get(path)).json() == changed.json()


async def test_of_a_contact_that_says_nothing_nothing_is_kept(api: Api, owner: asyncpg.Connection) -> None:
    ann = await api.made("/v1/people", {"name": "Ann", "contact": {}})
    assert ann["contact"] is None
    await api.send("PATCH", f"/v1/people/{ann['id']}", {"contact": {"phone": None}})
    assert await owner.fetchval("SELECT count(*) FROM scheme.contact") == 0


async def test_two_changes_at_once_both_hold(api: Api) -> None:
    path = f"/v1/people/{(await api.person())['id']}"
    changes = [{"contact": {name: value}} for name, value in CONTACT.items()]
    await asyncio.gather(*(api.send("PATCH", path, change) for change in changes))
    assert (await api.get(path)).json()["contact"] == {**CONTACT, "caution": None}


async def test_making_somebody_known_is_done_once_and_its_answer_keeps_nothing_of_them(
    api: Api, owner: asyncpg.Connection
) -> None:
    body = {"name": "Ann", "age_band": "16_to_17", "contact": CONTACT}
    first = await api.post("/v1/people", body, key="k")
    await api.send("PATCH", f"/v1/people/{first.json()['id']}", {"name": "Bea", "contact": None})
    again = await api.post("/v1/people", body, key="k")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert refusal(await api.post("/v1/people", {**body, "name": "Bea"}, key="k")) == (422, "key_reused")
    assert refusal(await api.post("/v1/people", body, key="")) == (400, "idempotency_key")
    assert await owner.fetchval("SELECT count(*) FROM scheme.person") == 1
    kept = await owner.fetchval("SELECT body FROM scheme.answer WHERE key = 'k'")
    assert not [word for word in ("Ann", "16_to_17", "example", "1223", "Mill") if word in kept]


async def test_two_of_one_name_are_two_people(api: Api) -> None:
    assert (await api.person("Ann"))["id"] != (await api.person("Ann"))["id"]


# --- who sees whom ----------------------------------------------------------------------------------------


async def test_a_person_reads_and_changes_themselves(api: Api) -> None:
    ann = await api.made("/v1/people", {"name": "Ann", "contact": CONTACT})
    own, path = await api.key("person", person=ann["id"]), f"/v1/people/{ann['id']}"
    assert (await api.get(path, own)).json() == ann
    changed = await api.send("PATCH", path, {"name": "Annie", "contact": {"safe": False}}, own)
    assert (changed.json()["name"], changed.json()["contact"]["safe"]) == ("Annie", False)
    assert (await api.get(f"{path}/balance", own)).json() == {"available": 0, "held": 0}
    assert (await api.get(f"{path}/statement", own)).json() == {"lines": [], "next": None}
    assert await acts(api, ann["id"], own) == ["person_added", "key_made"]


async def test_how_old_somebody_is_is_for_staff_to_say(api: Api) -> None:
    ann = await api.made("/v1/people", {"name": "Ann", "age_band": "8_to_15"})
    own = await api.key("person", person=ann["id"])
    for change in ({"age_band": "18_and_over"}, {"age_band": None}, {"name": "Annie", "age_band": "18_and_over"}):
        answer = await api.send("PATCH", f"/v1/people/{ann['id']}", change, own)
        assert (refusal(answer), fields(answer)) == ((403, "staff_only"), ["age_band"])
    assert (await api.get(f"/v1/people/{ann['id']}")).json() == ann


@pytest.mark.parametrize("contact", [CONTACT, {"phone": "999"}, None], ids=["an email", "a phone", "nothing"])
async def test_somebodys_own_key_changes_all_of_their_contact_but_the_email_by_which_they_sign_in(
    api: Api, contact: dict[str, Any] | None
) -> None:
    ann = await api.made("/v1/people", {"name": "Ann", "contact": contact})
    own, path = await api.key("person", person=ann["id"]), f"/v1/people/{ann['id']}"
    email = (contact or {}).get("email")
    another: list[dict[str, Any]] = [{"name": "Bea", "contact": {"phone": "112", "email": "bea@example.org"}}]
    if email is not None:
        another += [{"contact": {"email": None}}, {"contact": None}]
    for change in another:
        answer = await api.send("PATCH", path, change, own)
        assert (refusal(answer), fields(answer)) == ((403, "staff_only"), ["contact.email"]), change
    assert (await api.get(path)).json() == ann

    for change in ({"phone": "112"}, {"channel": "post", "safe": False}, {"email": email, "address": "1 High Street"}):
        changed = await api.send("PATCH", path, {"contact": change}, own)
        assert changed.status_code == 200, changed.text
        assert changed.json()["contact"].items() >= change.items()
    if email is None:
        assert (await api.send("PATCH", path, {"contact": None}, own)).json()["contact"] is None
    staff = await api.send("PATCH", path, {"contact": {"email": "bea@example.org"}})
    assert staff.json()["contact"]["email"] == "bea@example.org"


async def test_another_person_is_not_there(api: Api, owner: asyncpg.Connection) -> None:
    ann, bob = await api.made("/v1/people", {"name": "Ann", "contact": CONTACT}), await api.person("Bob")
    bobs = await api.key("person", person=bob["id"])
    for somebody in (ann["id"], str(uuid4())):
        path = f"/v1/people/{somebody}"
        answers = [
            await api.get(path, bobs),
            await api.send("PATCH", path, {"name": "Bea"}, bobs),
            await api.send("PATCH", path, {"age_band": "under_8"}, bobs),
            await api.get(f"{path}/balance", bobs),
            await api.get(f"{path}/statement", bobs),
            await api.get(f"{path}/acts", bobs),
        ]
        assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 6
    assert await owner.fetchval("SELECT count(*) FROM scheme.act WHERE scope <> 'scheme'") == 0
    assert (await api.get(f"/v1/people/{ann['id']}")).json() == ann


async def test_a_project_makes_people_known_and_reads_the_names_of_those_who_gave_hours(api: Api) -> None:
    project = await api.project()
    key = await api.key("project", project)
    ann = await api.made("/v1/people", {"name": "Ann", "age_band": "18_and_over", "contact": CONTACT}, token=key)
    path = f"/v1/people/{ann['id']}"
    assert refusal(await api.get(path, key)) == (404, "not_found")
    await api.give(project, {ann["id"]: 60})
    assert (await api.get(path, key)).json() == {
        "id": ann["id"],
        "holder": ann["holder"],
        "name": "Ann",
        "created_at": ann["created_at"],
    }
    other = await api.key("project", await api.project("Choir"))
    assert refusal(await api.get(path, other)) == (404, "not_found")
    assert refusal(await api.send("PATCH", path, {"name": "x"}, key)) == (403, "forbidden")
    assert await acts(api, ann["id"]) == []


async def test_a_project_reads_the_name_of_who_came_and_gave_nothing_yet(api: Api) -> None:
    ann, project = await api.person(), await api.project()
    key = await api.key("project", project)
    await api.give(project, {ann["id"]: 0})
    assert (await api.get(f"/v1/people/{ann['id']}", key)).json()["name"] == "Ann"
    assert refusal(await api.get(f"/v1/people/{ann['id']}/balance", key)) == (404, "not_found")


async def test_what_staff_change_and_read_of_a_contact_stands_in_the_acts(api: Api) -> None:
    ann = await api.made("/v1/people", {"name": "Ann", "contact": CONTACT})
    bob = await api.person("Bob")
    own, path = await api.key("person", person=ann["id"]), f"/v1/people/{ann['id']}"
    office = await api.key("scheme", person=bob["id"])
    await api.get(path)
    await api.send("PATCH", path, {"name": "Annie"}, office)
    await api.get(path, own)
    await api.get("/v1/people", name="Ann")
    await api.get(f"/v1/people/{bob['id']}", office)
    made, given, first, *then = await acts(api, ann["id"], own)
    assert (made, given) == ("person_added", "key_made")
    # The answer to a change shows the contact: two acts of one moment.
    assert (first, sorted(then)) == ("contact_read", ["contact_read", "person_changed"])
    found = (await api.get(f"{path}/acts", own)).json()["acts"]
    assert [(act["scope"], act["person"]) for act in found] == [("scheme", bob["id"])] * 2 + [("scheme", None)] * 3
    assert await acts(api, bob["id"]) == ["person_added", "role_granted", "key_made"]


async def test_a_projects_look_at_what_somebody_has_stands_in_their_acts(api: Api) -> None:
    ann, lead, project = await api.person(), await api.person("Lead"), await api.project()
    await api.give(project, {ann["id"]: 60})
    own, path = await api.key("person", person=ann["id"]), f"/v1/people/{ann['id']}"
    await api.get(f"{path}/balance", await api.key("project", project, person=lead["id"]))
    for token in (own, api.scheme):
        await api.get(f"{path}/balance", token)
    found = (await api.get(f"{path}/acts", own)).json()["acts"]
    assert [(act["verb"], act["scope"], act["person"]) for act in found] == [
        ("balance_read", "project", lead["id"]),
        ("key_made", "scheme", None),
        ("person_added", "scheme", None),
    ]


async def test_acts_page_by_page(api: Api) -> None:
    ann = await api.person()
    path = f"/v1/people/{ann['id']}"
    for number in range(5):
        await api.send("PATCH", path, {"name": f"Ann {number}"})
    whole = (await api.get(f"{path}/acts")).json()
    assert (len(whole["acts"]), whole["next"]) == (6, None)
    seen: list[dict[str, Any]] = []
    query: dict[str, str] = {}
    while True:
        page = (await api.get(f"{path}/acts", limit=2, **query)).json()
        seen += page["acts"]
        if page["next"] is None:
            break
        query = {"cursor": page["next"]}
    assert seen == whole["acts"]
    bob = await api.person("Bob")
    assert refusal(await api.get(f"/v1/people/{bob['id']}/acts", **query)) == (400, "wrong_parameters")


async def test_a_contact_is_used_when_it_is_set_or_read(dsn: str, owner: asyncpg.Connection) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)

    async def used() -> tuple[datetime, datetime]:
        row = await owner.fetchrow("SELECT changed_at, used_at FROM scheme.contact")
        assert row is not None
        return row["changed_at"], row["used_at"]

    async with Api.running(dsn, clock=lambda: now) as api:
        ann = await api.made("/v1/people", {"name": "Ann", "contact": {"phone": "999"}})
        own, path = await api.key("person", person=ann["id"]), f"/v1/people/{ann['id']}"
        set_at = now
        assert await used() == (set_at, now)
        for _ in range(2):
            now += timedelta(days=30)
            await api.get(path)
            assert await used() == (set_at, now)
        now += timedelta(days=30)
        await api.get(path, own)
        assert await used() == (set_at, now)
        read_at, now = now, now + timedelta(days=30)
        await api.get("/v1/people", name="Ann")
        await api.get(f"{path}/balance")
        assert await used() == (set_at, read_at)
        await api.send("PATCH", path, {"contact": {"phone": "112"}})
        assert await used() == (now, now)


# --- finding people ---------------------------------------------------------------------------------------


async def test_people_are_found_by_how_a_word_of_their_names_begins(api: Api) -> None:
    for name in ("Bob", "ann lee", "Ann", "ANNA", "An", "100%", "100 x", "a_b", "axb", "\u00c9mile Anders O'Lee-Annis"):
        await api.person(name)
    for prefix, expected in [
        ("ann", ["Ann", "ann lee", "ANNA", "\u00c9mile Anders O'Lee-Annis"]),
        ("ANN ", ["ann lee"]),
        ("lee", ["ann lee", "\u00c9mile Anders O'Lee-Annis"]),
        ("anders o'l", ["\u00c9mile Anders O'Lee-Annis"]),
        ("an", ["An", "\u00c9mile Anders O'Lee-Annis", "Ann", "ann lee", "ANNA"]),
        ("100%", ["100%"]),
        ("a_", ["a_b"]),
        ("\u00e9", ["\u00c9mile Anders O'Lee-Annis"]),
        ("nn", []),
        ("ee", []),
        ("'", []),
    ]:
        answer = await api.get("/v1/people", name=prefix)
        assert [person["name"] for person in answer.json()["people"]] == expected, prefix
        assert all("contact" not in person for person in answer.json()["people"])
    assert len((await api.get("/v1/people")).json()["people"]) == 10


@pytest.mark.parametrize("what", ["erased", "renamed"])
async def test_the_list_goes_on_where_it_was_whatever_became_of_the_last_one_shown(api: Api, what: str) -> None:
    people = {name: (await api.person(name))["id"] for name in ("Ann", "bea", "Cem", "dan")}
    page = (await api.get("/v1/people", limit=2)).json()
    if what == "erased":
        await api.made(f"/v1/people/{people['bea']}/erasure", {"give_to": "community"})
    else:
        await api.send("PATCH", f"/v1/people/{people['bea']}", {"name": "Zoe"})
    rest = (await api.get("/v1/people", cursor=page["next"])).json()["people"]
    assert [one["name"] for one in rest] == ["Cem", "dan"] + ["Zoe"] * (what == "renamed")


def _by_name(person: dict[str, Any]) -> tuple[str, str, str]:
    name = person["name"].lower()
    return name.split()[-1], name, person["id"]


async def test_people_page_by_page_by_name_and_then_by_id(api: Api) -> None:
    made = [await api.person(name) for name in ("Cy Ann", "Ann", "ann", "Bob Ann", "Anna", "Ann", "Bob")]
    ids = {person["id"]: person for person in made}
    seen: list[dict[str, Any]] = []
    query: dict[str, str] = {}
    while True:
        page = (await api.get("/v1/people", limit=2, name="Ann", **query)).json()
        seen += page["people"]
        if page["next"] is None:
            break
        query = {"cursor": page["next"]}
    assert [person["id"] for person in seen] == [
        person["id"] for person in sorted(ids.values(), key=_by_name) if person["name"] != "Bob"
    ]
    for wrong in ("x", query["cursor"][:-1], query["cursor"] + "A"):
        assert refusal(await api.get("/v1/people", name="Ann", cursor=wrong)) == (400, "wrong_parameters"), wrong
    assert refusal(await api.get("/v1/people", name="An", **query)) == (400, "wrong_parameters")


async def test_who_has_another_name_now_is_found_by_that_and_not_by_the_old_one(api: Api) -> None:
    ann = await api.person("Ann Lee")
    await api.send("PATCH", f"/v1/people/{ann['id']}", {"name": "Annie Miller"})
    for name, found in (("mill", 1), ("annie m", 1), ("lee", 0), ("ann lee", 0)):
        assert len((await api.get("/v1/people", name=name)).json()["people"]) == found, name


@pytest.mark.parametrize("prefix", ["", "x" * 201, "\u0000", "a\nb"])
async def test_a_prefix_that_no_name_has_is_refused(api: Api, prefix: str) -> None:
    assert (await api.get("/v1/people", name=prefix)).status_code == 400


# --- the age band -----------------------------------------------------------------------------------------


async def test_hours_that_waited_for_a_consent_are_awarded_when_somebody_turns_16(api: Api) -> None:
    kit, project = await api.made("/v1/people", {"name": "Kit", "age_band": "8_to_15"}), await api.project()
    path = f"/v1/people/{kit['id']}"
    await api.give(project, {kit["id"]: 60})
    await api.send("PATCH", path, {"name": "Kitty", "age_band": "under_8"})
    assert await api.balance(kit["id"]) == (0, 0)
    for _ in range(2):
        assert (await api.send("PATCH", path, {"age_band": "16_to_17"})).status_code == 200
        assert await api.balance(kit["id"]) == (60, 0)
