"""The outbox: written with what happened, read oldest first, and nothing that came late is missed."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from ledger.database import Database, driver
from ledger.scheme import outbox
from ledger.scheme.outbox import Event, Topic, Waiting

NOW = datetime(2026, 11, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def put(database: Database, *events: Event, at: datetime = NOW) -> None:
    async with database.transaction() as connection:
        await outbox.put(driver(connection), events, at)


async def read(
    database: Database, *, topic: Topic | None = None, limit: int = 50, delivered: bool = False
) -> list[Waiting]:
    async with database.reading() as connection:
        return list(await outbox.waiting(driver(connection), topic=topic, limit=limit, delivered=delivered))


async def test_an_event_is_read_as_it_was_put_with_the_projects_alias(
    database: Database, owner: asyncpg.Connection
) -> None:
    project = await owner.fetchval(
        "INSERT INTO scheme.project (id, name, alias, status, created_at)"
        " VALUES (gen_random_uuid(), 'Mind the garden', 'Thursdays', 'active', now()) RETURNING id"
    )
    event = Event(topic=Topic.AWARDED, holder=uuid4(), project=project, object=uuid4(), body={"minutes": 150})
    await put(database, event)
    [found] = await read(database)
    assert (found.at, found.topic, found.holder, found.object) == (NOW, "awarded", event.holder, event.object)
    assert (found.project, found.alias, found.body, found.delivered_at) == (
        project,
        "Thursdays",
        {"minutes": 150},
        None,
    )


async def test_an_event_without_a_project_or_anybody_is_read_too(database: Database) -> None:
    await put(database, Event(topic=Topic.SESSION_CANCELLED))
    [found] = await read(database)
    assert (found.holder, found.project, found.alias, found.object, found.body) == (None, None, None, None, {})


async def test_the_oldest_come_first_and_one_moments_in_the_order_of_their_ids(database: Database) -> None:
    for hours in (2, 0, 1):
        await put(database, *[Event(topic=Topic.AWARDED, body={"hours": hours})] * 3, at=NOW + hours * HOUR)
    found = await read(database)
    assert [event.body["hours"] for event in found] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [(event.at, event.id) for event in found] == sorted((event.at, event.id) for event in found)
    assert await read(database, limit=4) == found[:4]


async def test_one_topic_is_read_by_itself(database: Database) -> None:
    await put(database, Event(topic=Topic.AWARDED), Event(topic=Topic.CORRECTED), Event(topic=Topic.AWARDED))
    assert [event.topic for event in await read(database, topic=Topic.CORRECTED)] == ["corrected"]
    assert await read(database, topic=Topic.CONSENT_LAPSED) == []


async def test_what_was_delivered_waits_no_more_and_is_still_there(
    database: Database, owner: asyncpg.Connection
) -> None:
    await put(database, Event(topic=Topic.AWARDED), Event(topic=Topic.CORRECTED))
    await owner.execute("UPDATE scheme.outbox SET delivered_at = $1 WHERE topic = 'awarded'", NOW + HOUR)
    assert [event.topic for event in await read(database)] == ["corrected"]
    everything = await read(database, delivered=True)
    assert [(event.topic, event.delivered_at) for event in everything if event.delivered_at] == [
        ("awarded", NOW + HOUR)
    ]
    assert len(everything) == 2


async def test_what_commits_late_is_read_though_later_events_were_delivered(
    database: Database, owner: asyncpg.Connection
) -> None:
    async with database.transaction() as connection:
        await outbox.put(driver(connection), [Event(topic=Topic.CORRECTED)], NOW)
        await put(database, Event(topic=Topic.AWARDED), at=NOW + HOUR)
        assert [event.topic for event in await read(database)] == ["awarded"]
        await owner.execute("UPDATE scheme.outbox SET delivered_at = $1", NOW + HOUR)
        assert await read(database) == []
    assert [event.topic for event in await read(database)] == ["corrected"]


async def test_what_was_settled_long_ago_goes_and_what_waits_stays_however_old(
    database: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_FORGOTTEN_AT_ONCE", 2)
    settled, waits = [Event(topic=Topic.AWARDED)] * 3, Event(topic=Topic.CORRECTED)
    await put(database, *settled)
    await owner.execute("UPDATE scheme.outbox SET delivered_at = at")
    await put(database, waits)
    await put(database, *settled, at=NOW + HOUR)
    forgotten = []
    for moment in (NOW, NOW, NOW, NOW + HOUR):
        async with database.transaction() as connection:
            forgotten.append(await outbox.forget(driver(connection), moment + outbox.KEPT))
    assert forgotten == [2, 1, 0, 0]
    found = await read(database, delivered=True)
    assert [event.topic for event in found] == ["corrected", *["awarded"] * 3]
