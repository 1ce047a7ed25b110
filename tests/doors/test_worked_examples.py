"""The worked examples of the product, through HTTP."""

from datetime import UTC, datetime, timedelta

from tests.doors.house import Api


async def test_example_1_odd_lengths(api: Api) -> None:
    """2 h 40 becomes 165, 1 h 20 becomes 75, approved by someone else: wallet 240; sent again, still two entries."""
    ann, carol, project = await api.person("Ann"), await api.person("Carol"), await api.project()
    as_ann = await api.key("person", person=ann["id"])
    as_carol = await api.key("project", project, person=carol["id"])
    yesterday = datetime.now(UTC) - timedelta(days=1)
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
    ended = datetime.now(UTC) - timedelta(days=1)
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
