"""Telling people: each event by one letter or by none, once, in kind words that give nobody away, when they may be."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.database import Database, driver
from ledger.doors.web.voice import VOICE
from ledger.scheme import outbox
from ledger.scheme.callers import SCHEME, Caller, Scope
from ledger.scheme.clock import Clock
from ledger.scheme.outbox import Event, Topic
from ledger.scheme.periodic import Job, Outcome, Periodic
from ledger.scheme.rules import Rulebook
from ledger.scheme.telling import EVENTS_MAX, TOLD_WITHIN, settle_all, tell
from ledger.scheme.tidings import TABLE, Letter, To, Weight
from tests.doors.web.checks import READING_AGE, hard_to_read, reading_age

# A Monday at noon in London, in winter.
NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)
SATURDAY = datetime(2026, 11, 21, 10, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STAFF = Caller(key=SCHEME, scope=Scope.SCHEME, object=None, holder=uuid4())
SAFE = {"email": "ann@example.org", "channel": "email", "safe": True}


class Office:
    """A project with a name that tells much and an alias that doesn't, and whoever is told of it."""

    def __init__(self, database: Database, owner: asyncpg.Connection) -> None:
        self.database, self.owner, self.now = database, owner, NOW
        self.project, self.venue = uuid4(), uuid4()

    async def open(self) -> None:
        # What these rows belong to is no matter here.
        await self.owner.execute("SET session_replication_role = replica")
        await self.owner.execute(
            "INSERT INTO scheme.project (id, name, alias, status, sensitive, created_at)"
            " VALUES ($1, 'Recovery circle', 'Saturdays', 'active', true, now())",
            self.project,
        )
        await self.owner.execute(
            "INSERT INTO scheme.venue (id, name, status, created_at) VALUES ($1, 'The lido', 'active', now())",
            self.venue,
        )

    @property
    def clock(self) -> Clock:
        return lambda: self.now

    async def person(
        self, name: str = "Ann", contact: Mapping[str, Any] | None = None, role: str = "", **wishes: object
    ) -> UUID:
        """Somebody with an address, unless it is said otherwise; their holder."""
        person, holder = uuid4(), uuid4()
        await self.owner.execute(
            "INSERT INTO scheme.person (id, name, created_at) VALUES ($1, $2, now())", person, name
        )
        await self.owner.execute("INSERT INTO scheme.holder (id, person) VALUES ($1, $2)", holder, person)
        reach = {"email": f"{name.lower()}@example.org", "channel": "email", "safe": True}
        reach = reach if contact is None else dict(contact)
        await self.owner.execute(
            "INSERT INTO scheme.contact (person, email, channel, safe, changed_at, used_at)"
            " VALUES ($1, $2, $3, $4, now(), now())",
            person,
            *(reach.get(each) for each in ("email", "channel", "safe")),
        )
        await self.owner.execute(
            "INSERT INTO scheme.preference (person, language, quiet, paused_at, changed_at)"
            " VALUES ($1, $2, $3, $4, now())",
            person,
            wishes.get("language", "en"),
            wishes.get("quiet", False),
            NOW if wishes.get("paused") else None,
        )
        if role:
            place = self.project if role in {"coordinator", "approver"} else None
            await self.owner.execute(
                "INSERT INTO scheme.role (id, holder, role, project, granted_at, granted_by)"
                " VALUES (gen_random_uuid(), $1, $2, $3, now(), $1)",
                holder,
                role,
                place,
            )
        return holder

    async def guardian(self, child: UUID, guardian: UUID) -> None:
        await self.owner.execute(
            "INSERT INTO scheme.guardian (child, guardian, began_at) SELECT c.person, g.person, now()"
            " FROM scheme.holder c, scheme.holder g WHERE c.id = $1 AND g.id = $2",
            child,
            guardian,
        )

    async def session(self, starts: datetime = SATURDAY) -> UUID:
        found: UUID = await self.owner.fetchval(
            "INSERT INTO scheme.session (id, project, started_at, ended_at, created_at, by, cancelled_at)"
            " VALUES (gen_random_uuid(), $1, $2, $3, now(), $1, now()) RETURNING id",
            self.project,
            starts,
            starts + 2 * HOUR,
        )
        return found

    async def visit(self, holder: UUID, at: datetime = SATURDAY) -> UUID:
        found: UUID = await self.owner.fetchval(
            "INSERT INTO scheme.booking (id, offer, venue, holder, visit_at, cancel_until, walk_in, party, made_at,"
            " made_by) VALUES (gen_random_uuid(), $1, $1, $2, $3, $3, false, '{}', now(), $2) RETURNING id",
            self.venue,
            holder,
            at,
        )
        return found

    async def claim(self, holder: UUID) -> UUID:
        found: UUID = await self.owner.fetchval(
            "INSERT INTO scheme.claim (id, project, holder, started_at, ended_at, day, minutes, source, state,"
            " exceptions, second_needed, rules, by, created_at, changed_at)"
            " VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, 60, 'claim', 'submitted', '{}', false,"
            " 1, $2, now(), now()) RETURNING id",
            self.project,
            holder,
            NOW - 3 * DAY,
            NOW - 3 * DAY + HOUR,
            (NOW - 3 * DAY).date(),
        )
        return found

    async def event(self, topic: Topic, holder: UUID | None, **of: Any) -> None:  # noqa: ANN401
        """Something happens now, of whatever such a thing is of."""
        body = {"minutes": 150, **of.pop("body", {})}
        object_ = of.get("object")
        if object_ is None and holder is not None:
            if topic is Topic.SESSION_CANCELLED:
                object_ = await self.session()
            elif topic in {Topic.BOOKING_UNDONE, Topic.BOOKING_CANCELLED}:
                object_ = await self.visit(holder)
            elif topic in HOURS:
                object_ = await self.claim(holder)
        if topic is Topic.CREDITS_ENDING:
            body |= {"ends_on": "2027-01-31", "notice": "first"}
        if topic is Topic.CREDITS_EXPIRED:
            body |= {"ended_on": "2026-10-31", "until": "2026-12-01"}
        event = Event(topic=topic, holder=holder, project=self.project, object=object_ or uuid4(), body=body)
        async with self.database.transaction() as connection:
            await outbox.put(driver(connection), [event], of.get("at", self.now))

    async def tell(self, now: datetime | None = None) -> int:
        """All that is due is told, as by the service; how much was settled."""
        self.now, count = now or self.now, 0
        while True:
            async with self.database.transaction() as connection:
                settled = await tell(driver(connection), self.now, VOICE)
            if not settled:
                return count
            count += settled

    async def told(self) -> list[asyncpg.Record]:
        """The letters since this was asked last, by whom they are for."""
        found = await self.owner.fetch("DELETE FROM scheme.letter RETURNING recipient, subject, body, holder, ends_at")
        return sorted(found, key=lambda each: (each["recipient"], each["body"]))

    async def waiting(self) -> int:
        found: int = await self.owner.fetchval("SELECT count(*) FROM scheme.outbox WHERE delivered_at IS NULL")
        return found


HOURS = {
    *(Topic.AWARDED, Topic.AWARD_WAITS_FOR_CONSENT, Topic.CLAIM_SUBMITTED, Topic.CLAIM_QUERIED, Topic.CLAIM_REJECTED),
    *(Topic.SECOND_APPROVAL_NEEDED, Topic.CORRECTED, Topic.WEEK_ABOVE_NOTE),
}


@pytest.fixture
async def office(database: Database, owner: asyncpg.Connection) -> Office:
    found = Office(database, owner)
    await found.open()
    return found


# --- of what, and in which words ------------------------------------------------------------------------------


def test_every_topic_says_what_is_written_or_why_nothing_is() -> None:
    assert set(TABLE) == set(Topic)
    assert all(each for each in TABLE.values())
    subjects = {each.subject for each in TABLE.values() if isinstance(each, Letter)}
    assert not any("{" in each for each in subjects), "a subject says neither where nor when"


def test_what_happened_is_told_apart_in_its_letter() -> None:
    said: dict[tuple[str, ...], list[str]] = {}
    for topic, row in TABLE.items():
        if isinstance(row, Letter):
            said.setdefault(tuple(row.paragraphs), []).append(topic.value)
    assert [topics for topics in said.values() if len(topics) > 1] == []


async def test_each_topic_is_told_by_one_letter_to_whom_it_concerns_or_by_none(office: Office) -> None:
    ann, bob = await office.person("Ann"), await office.person("Bob", role="staff")
    cas, dee = await office.person("Cas", role="coordinator"), await office.person("Dee")
    await office.guardian(ann, dee)
    reader = {To.HOLDER: "ann", To.STAFF: "bob", To.DECIDERS: "cas", To.GUARDIANS: "dee"}
    assert len({ann, bob, cas, dee}) == 4
    for topic, row in TABLE.items():
        await office.event(topic, ann)
        assert await office.tell() == 1, topic
        letters = await office.told()
        assert await office.tell() == 0
        if not isinstance(row, Letter):
            assert not letters, topic
            continue
        expected = [f"{reader[row.to]}@example.org"]
        assert [each["recipient"] for each in letters] == expected, topic
        for each in letters:
            said = each["subject"] + each["body"]
            assert each["body"].startswith(f"Hello {expected[0][0].upper()}")
            assert not any(word in said for word in ("Recovery", "None", "{", "150")), said
            assert not hard_to_read(each["body"]), topic
            assert reading_age(each["body"]) <= READING_AGE, topic
            assert ("You choose how much we write" in said) == (row.weight is not Weight.SAFETY)
            assert sum(name in said for name in ("Ann,", "Bob,", "Cas,", "Dee,")) == 1, said


async def test_a_letter_says_where_and_when_in_the_readers_language(office: Office) -> None:
    ann, sian = await office.person("Ann"), await office.person("Siân", language="cy")
    for holder in (ann, sian):
        await office.event(Topic.SESSION_CANCELLED, holder, object=await office.session())
    await office.event(Topic.BOOKING_UNDONE, ann)
    await office.event(Topic.CREDITS_ENDING, ann)
    await office.tell()
    credits_, session, visit, welsh = await office.told()
    assert "Saturdays: Saturday 21 November, 10am." in session["body"]
    assert "The lido cannot take place: Saturday 21 November, 10am." in visit["body"]
    assert "until 31 January 2027" in credits_["body"]
    assert "Tachwedd" in welsh["body"]
    assert session["ends_at"] == datetime(2026, 11, 22, tzinfo=UTC), "nobody wants it when the day is over"


async def test_many_lines_of_a_register_are_one_letter_to_each_who_decides(office: Office) -> None:
    cas, dee = await office.person("Cas", role="coordinator"), await office.person("Dee", role="approver")
    for number in range(12):
        await office.event(Topic.SECOND_APPROVAL_NEEDED, await office.person(f"P{number}"))
    await office.event(Topic.SECOND_APPROVAL_NEEDED, cas)
    await office.tell()
    assert [each["holder"] for each in await office.told()] == [cas, dee]


async def test_whoever_cancelled_their_own_visit_is_not_written_to(office: Office) -> None:
    ann = await office.person()
    for by in ("person", "venue", "scheme"):
        await office.event(Topic.BOOKING_CANCELLED, ann, body={"by": by})
    await office.tell()
    assert len(await office.told()) == 2


# --- to whom --------------------------------------------------------------------------------------------------

ALL = {Weight.SAFETY, Weight.NEEDED, Weight.WELCOME}
ONLY_SAFETY, NOTHING = {Weight.SAFETY}, set[Weight]()


@pytest.mark.parametrize(
    ("contact", "wishes", "hears"),
    [
        (SAFE, {}, ALL),
        ({**SAFE, "safe": None}, {}, ALL),
        ({**SAFE, "channel": None}, {}, ALL),
        ({**SAFE, "safe": None, "channel": None}, {}, ONLY_SAFETY),
        ({**SAFE, "safe": False}, {}, NOTHING),
        ({**SAFE, "email": None}, {}, NOTHING),
        *(({**SAFE, "channel": each}, {}, ONLY_SAFETY) for each in ("text", "phone", "post", "in_person")),
        (SAFE, {"paused": True}, ONLY_SAFETY),
        (SAFE, {"quiet": True}, {Weight.SAFETY, Weight.NEEDED}),
        (SAFE, {"quiet": True, "paused": True}, ONLY_SAFETY),
    ],
    ids=lambda each: ", ".join(f"{name} {value}" for name, value in each.items()) if isinstance(each, dict) else "",
)
async def test_they_hear_as_much_as_they_would_like(
    office: Office, contact: dict[str, Any], wishes: dict[str, Any], hears: set[Weight]
) -> None:
    ann = await office.person("Ann", contact, **wishes)
    topics = {
        Topic.PASSKEY_ADDED: Weight.SAFETY,
        Topic.SESSION_CANCELLED: Weight.NEEDED,
        Topic.GIFT_ACCEPTED: Weight.WELCOME,
    }
    heard = set()
    for topic, weight in topics.items():
        await office.event(topic, ann)
        await office.tell()
        heard |= {weight for _ in await office.told()}
    assert heard == hears
    assert await office.waiting() == 0
    used = await office.owner.fetchval("SELECT used_at = $1 FROM scheme.contact", NOW)
    assert used == bool(hears), "an address that is written to is kept for as long"


async def test_nobody_who_was_erased_is_told_nor_holds_anything_up(office: Office) -> None:
    await office.event(Topic.GIFT_DECLINED, uuid4())
    gone = await office.person()
    await office.event(Topic.GIFT_DECLINED, gone)
    await office.owner.execute("UPDATE scheme.holder SET person = NULL, closed_at = now() WHERE id = $1", gone)
    assert await office.tell() == 2
    assert await office.told() == []


async def test_who_is_being_erased_or_credited_is_not_waited_for(office: Office) -> None:
    ann, bob = await office.person("Ann"), await office.person("Bob")
    for holder in (ann, bob):
        await office.event(Topic.GIFT_OFFERED, holder)
    async with office.owner.transaction():
        await office.owner.execute("SELECT FROM scheme.holder WHERE id = $1 FOR NO KEY UPDATE", ann)
        assert await office.tell() == 1
    assert [each["holder"] for each in await office.told()] == [bob]
    assert await office.tell() == 1
    assert [each["holder"] for each in await office.told()] == [ann]


# --- when -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "morning"),
    [
        ("2026-11-16T19:59:00+00:00", None),
        ("2026-11-16T20:00:00+00:00", "2026-11-17T09:00:00+00:00"),
        ("2026-11-17T00:30:00+00:00", "2026-11-17T09:00:00+00:00"),
        ("2026-11-17T08:59:59+00:00", "2026-11-17T09:00:00+00:00"),
        ("2026-11-17T09:00:00+00:00", None),
        ("2026-07-06T18:59:00+00:00", None),
        ("2026-07-06T19:00:00+00:00", "2026-07-07T08:00:00+00:00"),
        ("2026-10-24T23:00:00+00:00", "2026-10-25T09:00:00+00:00"),
    ],
)
async def test_at_night_what_can_wait_does_until_nine_in_london(office: Office, now: str, morning: str | None) -> None:
    ann, office.now = await office.person(), datetime.fromisoformat(now)
    await office.event(Topic.GIFT_OFFERED, ann)
    await office.event(Topic.HELPER_ADDED, ann)
    await office.tell()
    assert len(await office.told()) == (2 if morning is None else 1), "what is for their safety doesn't wait"
    if morning is not None:
        nine = datetime.fromisoformat(morning)
        assert await office.tell(nine - timedelta(seconds=1)) == 0
        assert await office.tell(nine) == 1
        assert [each["subject"] for each in await office.told()] == ["About a gift of credits"]


async def test_what_is_cancelled_early_in_the_morning_is_told_at_night(office: Office) -> None:
    ann, evening = await office.person(), datetime(2026, 11, 16, 22, tzinfo=UTC)
    office.now = evening
    for begins in (11.5, 14):
        await office.event(
            Topic.SESSION_CANCELLED,
            ann,
            object=await office.session(datetime(2026, 11, 17, tzinfo=UTC) + begins * HOUR),
        )
    await office.tell()
    assert ["11:30am" in each["body"] for each in await office.told()] == [True]
    await office.tell(evening + 11 * HOUR)
    assert ["2pm" in each["body"] for each in await office.told()] == [True]


async def test_the_office_says_when_it_is_night(office: Office) -> None:
    ann = await office.person()
    rulebook = Rulebook(office.database, office.clock)
    await rulebook.change(STAFF, {"quiet_from_minute": 11 * 60, "quiet_until_minute": 13 * 60})
    await office.event(Topic.GIFT_OFFERED, ann)
    assert await office.tell() == 0
    await rulebook.change(STAFF, {"quiet_from_minute": 0, "quiet_until_minute": 0})
    assert await office.tell() == 1


async def test_what_is_asked_for_in_the_night_holds_in_the_morning(office: Office) -> None:
    ann, office.now = await office.person(), datetime(2026, 11, 16, 22, tzinfo=UTC)
    await office.event(Topic.GIFT_OFFERED, ann)
    await office.tell()
    await office.owner.execute("UPDATE scheme.preference SET paused_at = now()")
    assert await office.tell(datetime(2026, 11, 17, 9, tzinfo=UTC)) == 1
    assert await office.told() == []


async def test_what_was_overtaken_or_is_over_is_not_told(office: Office) -> None:
    ann = await office.person()
    claim = await office.claim(ann)
    for minutes, topic in enumerate((Topic.CLAIM_QUERIED, Topic.CLAIM_SUBMITTED, Topic.AWARDED)):
        await office.event(topic, ann, object=claim, at=NOW - 10 * MINUTE + minutes * MINUTE)
    await office.event(Topic.SESSION_CANCELLED, ann, object=await office.session(NOW - DAY))
    await office.event(Topic.GIFT_OFFERED, ann, at=NOW - TOLD_WITHIN - MINUTE)
    await office.event(Topic.GIFT_OFFERED, ann, at=NOW - TOLD_WITHIN + MINUTE)
    assert await office.tell() == 6
    assert [each["subject"] for each in await office.told()] == [
        "About a gift of credits",
        "About the hours that you gave",
    ]
    for topic in (Topic.RECOVERY_ASKED, Topic.RECOVERY_AGREED):
        office.now += MINUTE
        await office.event(topic, ann, object=claim)
    await office.tell()
    assert len(await office.told()) == 2, "what is for their safety is told whatever came of it"


async def test_a_demos_past_is_told_to_nobody(office: Office) -> None:
    ann = await office.person()
    await office.event(Topic.GIFT_OFFERED, ann, at=NOW - HOUR)
    async with office.database.transaction() as connection:
        await settle_all(driver(connection), NOW - MINUTE)
    await office.event(Topic.GIFT_OFFERED, ann)
    assert await office.tell() == 1


# --- once -----------------------------------------------------------------------------------------------------


async def test_two_services_at_once_and_a_kill_in_the_middle_write_each_letter_once(dsn: str, office: Office) -> None:
    count = EVENTS_MAX + 20
    for number in range(count):
        await office.event(Topic.GIFT_OFFERED, await office.person(f"p{number}"))
    killed = 0

    async def killed_once(raw: asyncpg.Connection, now: datetime) -> int:
        nonlocal killed
        settled = await tell(raw, now)
        killed += 1
        if killed == 1:
            await office.owner.execute("SELECT pg_terminate_backend($1)", raw.get_server_pid())
            await raw.execute("SELECT 1")
        return settled

    jobs = [Job("tell_people", MINUTE, killed_once)]
    async with Database.open(dsn) as second:
        runners = [Periodic(each, office.clock, jobs) for each in (office.database, second)]
        outcomes = set()
        for _ in range(3):
            runs = await asyncio.gather(*(runner.run_due() for runner in runners))
            outcomes |= {run.outcome for each in runs for run in each}
    assert Outcome.UNAVAILABLE in outcomes, "it was killed when the letters were written"
    letters = await office.told()
    assert len(letters) == len({each["holder"] for each in letters}) == count
    assert await office.waiting() == 0
