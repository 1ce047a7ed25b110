"""The worked examples of the product, through HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx

from tests.daytime import daytime
from tests.doors.bookings.lido import SATURDAY, Lido, refusal
from tests.doors.house import Api


async def test_example_1_odd_lengths(api: Api) -> None:
    """2 h 40 becomes 165, 1 h 20 becomes 75, approved by someone else: wallet 240; sent again, still two entries."""
    ann, carol, project = await api.person("Ann"), await api.person("Carol"), await api.project()
    as_ann = await api.key("person", person=ann["id"])
    as_carol = await api.key("project", project, person=carol["id"])
    yesterday = daytime() - timedelta(days=1)
    claims = []
    for began, length, minutes, said in (
        (yesterday - timedelta(hours=4), timedelta(hours=2, minutes=40), 165, "2 hours 40 becomes 2 hours 45."),
        (yesterday, timedelta(hours=1, minutes=20), 75, "1 hour 20 becomes 1 hour 15."),
    ):
        hours = {"project": project, "started_at": began.isoformat(), "ended_at": (began + length).isoformat()}
        checked = await api.made("/v1/claims/check", hours, token=as_ann)
        assert (checked["minutes"], checked["explained"]) == (minutes, [said])
        claim = await api.made("/v1/claims", hours | {"minutes": minutes}, token=as_ann)
        assert (claim["state"], claim["minutes"]) == ("submitted", minutes)
        claims.append(claim["id"])
    assert await api.balance(ann["id"]) == (0, 0)

    path, body = f"/v1/projects/{project}/approvals", {"claims": claims}
    first = await api.post(path, body, as_carol, key="once")
    assert (first.status_code, first.json()["minutes"]) == (201, 240)
    assert [decision["outcome"] for decision in first.json()["decisions"]] == ["awarded", "awarded"]
    assert await api.balance(ann["id"]) == (240, 0)

    again = await api.post(path, body, as_carol, key="once")
    assert (again.status_code, again.text) == (201, first.text)
    assert again.headers["idempotency-replayed"] == "true"
    entries = (await api.get("/v1/entries")).json()["entries"]
    assert [entry["id"] for entry in entries] == claims
    assert await api.trial_balance() == {"issued": -240, "wallet": 240}


async def test_example_2_shed_register(api: Api) -> None:
    """Twelve for 2 h 30: ten stay, one leaves after 45 minutes, one has no account; the leader is one of the ten."""
    leader, second, project = await api.person("Leader"), await api.person("Second"), await api.project("Shed")
    stayed = [leader, *[await api.person(f"Shedder {number}") for number in range(9)]]
    left = await api.person("Early")
    as_leader = await api.key("project", project, person=leader["id"])
    as_second = await api.key("project", project, person=second["id"])
    ended = daytime() - timedelta(days=1)
    register = {
        "started_at": (ended - timedelta(hours=2, minutes=30)).isoformat(),
        "ended_at": ended.isoformat(),
        "lines": [
            *({"person": person["id"], "minutes": 150} for person in stayed),
            {"person": left["id"], "minutes": 45},
            {"voucher": "A neighbour", "minutes": 150},
        ],
    }
    path = f"/v1/projects/{project}/registers"

    first = await api.post(path, register, as_leader, key="over-bad-wifi")

    recorded = first.json()
    assert (recorded["lines"], recorded["awarded"], recorded["paper"], recorded["waiting"]) == (12, 1_395, 150, 150)
    [waits] = recorded["attention"]
    assert (waits["line"], waits["exceptions"]) == (0, ["own_hours"])
    assert await api.trial_balance() == {"issued": -1_545, "wallet": 1_395, "paper": 150}
    again = await api.post(path, register, as_leader, key="over-bad-wifi")
    assert (again.status_code, again.text) == (201, first.text)
    assert await api.trial_balance() == {"issued": -1_545, "wallet": 1_395, "paper": 150}

    own = await api.post(f"/v1/projects/{project}/approvals", {"claims": [waits["claim"]]}, as_leader)
    assert (own.status_code, own.json()["code"]) == (403, "own_hours")
    await api.made(f"/v1/projects/{project}/approvals", {"claims": [waits["claim"]]}, token=as_second)

    assert await api.balance(leader["id"]) == (150, 0)
    assert await api.trial_balance() == {"issued": -1_695, "wallet": 1_545, "paper": 150}


async def test_example_3_family_swim(dsn: str) -> None:
    """Wallet 240, swim 60 each, off-peak: adult + two children = 180, left 60; too early; three under eight."""
    async with Lido.open(dsn, datetime(2026, 11, 18, 20, 0, tzinfo=UTC)) as lido:
        ann = await lido.person(minutes=240)
        card = await lido.api.card(ann["id"])
        evenings = {"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "19:00", "closes": "21:00"}
        swim = await lido.offer(price=60, windows=[evenings])

        async def come(**party: int) -> httpx.Response:
            body = {"offer": swim, "code": card, "name_checked": True, "party": party}
            return await lido.api.post("/v1/redemptions", body, lido.till)

        too_young = await come(adults=1, young=3)
        assert refusal(too_young) == (409, "party_rule")
        assert await lido.api.balance(ann["id"]) == (240, 0)
        family = await come(adults=1, children=2)
        assert (family.status_code, family.json()["minutes"]) == (201, 180)
        assert await lido.api.balance(ann["id"]) == (60, 0)

        lido.clock.now = datetime(2026, 11, 19, 17, 30, tzinfo=UTC)
        early = await come(adults=1)
        assert refusal(early) == (409, "offer_closed_now")
        assert datetime.fromisoformat(early.json()["works_at"]) == datetime(2026, 11, 19, 19, 0, tzinfo=UTC)
        assert "19:00" in early.json()["detail"]
        assert await lido.api.balance(ann["id"]) == (60, 0)


async def test_example_4_the_last_place(dsn: str) -> None:
    """Quota 39 of 40, price 120, two at once with 300 each: one is held, the other full; cancelled, all is back."""
    async with Lido.open(dsn) as lido:
        show = await lido.offer("ticket", price=120, quota=40)
        school = [await lido.person(f"Visitor {number}", minutes=120) for number in range(39)]
        await asyncio.gather(*(lido.book(who, show, SATURDAY) for who in school))
        ann, bob = await lido.person(minutes=300), await lido.person("Bob", minutes=300)

        answers = await asyncio.gather(*(lido.ask(who, show, SATURDAY) for who in (ann, bob)))

        won, lost = ((ann, bob), (bob, ann))[answers[1].status_code == 201]
        held, full = sorted(answers, key=lambda answer: answer.status_code)
        assert (held.status_code, refusal(full)) == (201, (409, "quota_full"))
        assert await lido.api.balance(won["id"]) == (180, 120)
        assert await lido.api.balance(lost["id"]) == (300, 0)
        lido.clock.now += timedelta(days=2)
        booking = held.json()["bookings"][0]["id"]
        assert (await lido.cancel(booking, won["key"])).status_code == 201
        assert await lido.api.balance(won["id"]) == (300, 0)
        quota = (await lido.api.get(f"/v1/offers/{show}/quota", month="2026-11")).json()
        assert (quota["used"], quota["left"]) == (39, 1)


async def test_example_5_one_balance_two_doors(dsn: str) -> None:
    """Wallet 60, two venues at once: one accepted. A pass 90 s later is stale, replayed elsewhere already used."""
    async with Lido.open(dsn) as lido:
        swim, theatre = await lido.offer(price=60), await lido.api.venue("The theatre")
        seat, its_till = await lido.offer(price=60, venue=theatre), await lido.api.till(theatre)

        async def show(code: str, *, elsewhere: bool = False) -> httpx.Response:
            body = {"offer": seat if elsewhere else swim, "code": code, "name_checked": True}
            return await lido.api.post("/v1/redemptions", body, its_till if elsewhere else lido.till)

        ann = await lido.person(minutes=60)
        card = await lido.api.card(ann["id"])
        answers = await asyncio.gather(show(card), show(card, elsewhere=True))
        assert sorted(answer.status_code for answer in answers) == [201, 409]
        assert refusal(max(answers, key=lambda answer: answer.status_code)) == (409, "insufficient_credits")
        assert await lido.api.balance(ann["id"]) == (0, 0)

        bob = await lido.person("Bob", minutes=240)
        await lido.api.made(f"/v1/people/{bob['id']}/pass", token=bob["key"])
        code = (await lido.api.get(f"/v1/people/{bob['id']}/pass", bob["key"])).json()["code"]
        assert (await show(code)).status_code == 201
        assert refusal(await show(code, elsewhere=True)) == (409, "already_used")
        lido.clock.now += timedelta(seconds=90)
        assert refusal(await show(code)) == (409, "code_stale")
        assert await lido.api.balance(bob["id"]) == (180, 0)
