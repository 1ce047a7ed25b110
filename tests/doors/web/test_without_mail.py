"""A live scheme that sends no mail, for it was told no server: no page promises an email, and each says what to do."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from tests.daytime import daytime
from tests.doors.house import Api, settings_for
from tests.doors.web.client import URL, Pages
from tests.doors.web.entrance import Entrance

SCENE = {"name": "Ann Lee", "contact": {"email": "ann@example.org", "channel": "email", "safe": True}}


async def live(dsn: str, api: Api, *, smtp: str = "") -> AsyncIterator[Pages]:
    """A browser at the live service beside the one that `api` speaks to."""
    settings = msgspec.structs.replace(settings_for(dsn), environment="live", public_url=URL, smtp=smtp)
    async with Api.running(dsn, scheme=api.scheme, settings=settings) as running, Pages.of(running) as pages:
        yield pages


@pytest.fixture
async def mute(dsn: str, api: Api) -> AsyncIterator[Pages]:
    """That sends nothing."""
    async for pages in live(dsn, api):
        yield pages


async def test_a_coordinator_who_cancels_is_told_to_ring_everybody(api: Api, mute: Pages, entrance: Entrance) -> None:
    """Those as well who would have had an email."""
    ann, project = (await api.made("/v1/people", SCENE))["id"], await api.project()
    bob = (await api.person("Bob Ray"))["id"]
    began = daytime().replace(second=0, microsecond=0) + timedelta(days=2)
    times = {"started_at": began.isoformat(), "ended_at": (began + timedelta(hours=2)).isoformat()}
    session = (await api.made(f"/v1/projects/{project}/sessions", times))["sessions"][0]["id"]
    for person in (ann, bob):
        await api.made(f"/v1/sessions/{session}/attendances", {"person": person})
    mute.sign_in(await entrance.coordinator(project))
    asked = await mute.get(f"/projects/{project}/sessions/{session}/cancel")
    done = await mute.submit("Yes, cancel it")
    for page, heading in ((asked, "Whom to ring or tell afterwards"), (done, "Please ring or tell them")):
        assert "email" not in page.text
        named = page.text[page.text.index(heading) :].partition("Who was expected")[0]
        assert "Ann Lee" in named
        assert "Bob Ray" in named


async def test_signing_in_offers_no_link_but_what_works(mute: Pages) -> None:
    page = await mute.get("/sign-in")
    assert "We cannot send emails just now" in page
    assert "Send me the link" not in page.buttons
    assert "Any desk can tell you what you have" in page
    assert (await mute.get("/sign-in/code")).path == "/sign-in", "there is no code to wait for"
    assert "email" not in (await mute.get("/sign-in/passkey")).text
    over = await mute.get("/sign-in/6q4vGa-NwefUj9vTg3tTjA", status=410)
    assert "email" not in over.text
    assert over.links["All ways to sign in"] == "/sign-in"


async def test_with_a_mail_server_it_offers_the_link(dsn: str, api: Api) -> None:
    async for pages in live(dsn, api, smtp="smtp://127.0.0.1:9"):
        assert "Send me the link" in (await pages.get("/sign-in")).buttons
        assert (await pages.get("/sign-in/code")).path == "/sign-in/code"


async def test_somebody_who_would_like_emails_hears_that_none_come(api: Api, mute: Pages, entrance: Entrance) -> None:
    ann = (await api.made("/v1/people", SCENE))["id"]
    mute.sign_in(await entrance.person(ann))
    page = await mute.get(f"/people/{ann}/preferences")
    assert "We cannot send emails just now. Look at your own page, or ask at any desk." in page
    assert "come all the same" not in page
    assert "sends you" not in await mute.get(f"/people/{ann}/sign-ins")


async def test_the_office_knows_that_a_link_does_not_reach_them(
    api: Api, mute: Pages, entrance: Entrance, owner: asyncpg.Connection
) -> None:
    ann, project = (await api.made("/v1/people", SCENE))["id"], await api.project()
    bob = (await api.person("Bob Ray"))["id"]
    await entrance.coordinator(project, bob)
    mute.sign_in(await entrance.staff())
    assert "No emails go out: no mail server is set." in await mute.get("/staff/health")
    leaving = await mute.get(f"/staff/people/{bob}/leave")
    assert "they cannot sign in by a link" in leaving
    assert "by email" not in leaving
    await owner.execute(
        "INSERT INTO scheme.passkey (credential, holder, public_key, sign_count, name, made_at, ended_at)"
        " SELECT $1, id, '', 0, 'phone', now(), now() FROM scheme.holder WHERE person = $2::uuid",
        *(bytes(16), bob),
    )
    await mute.get(f"/staff/people/{bob}")
    await mute.submit("They lost their passkey")
    assert "the link does not reach them" in await mute.get("/staff/recoveries")
    await mute.get(f"/staff/people/{ann}")
    invited = await mute.submit("Invite to make a passkey")
    assert "the link does not reach them" in invited
    assert "We have sent" not in invited
