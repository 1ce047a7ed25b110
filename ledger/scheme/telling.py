"""Telling people: what waits in the outbox becomes a letter to whom it concerns, or is left to the page that shows it.

    what waits, oldest first -> whom it concerns, locked -> are they written to? -> a letter each -> the row is settled

Every event is settled once, with its letters, in one transaction of the job that comes round (``periodic``): of two
processes one has the job, and what a kill undoes is done again whole. What is written about which is in ``tidings``.

**Who is written to.** Somebody with an address that is safe, who wants to be written to there (``letters.WRITTEN_TO``),
but not while they take a break; and who wants to hear little gets only what they have to know. What is for their safety
goes to any address that isn't known to be unsafe. All of that is read when the letter is written: who was erased or
asked for quiet meanwhile gets none.

**At night** (rule 32) what can wait does, until the morning: all but what is for safety, and what begins before noon.

What was overtaken by something newer of the same thing, is over, or is older than `TOLD_WITHIN`, is settled without a
letter. What bounds it: `EVENTS_MAX` a round, `READERS_MAX` for each event. What fails how: who is locked just now is
told in the next round; a letter that can't be sent is the mail's business (``letters``).
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from ledger.scheme import letters
from ledger.scheme.clock import LONDON, day_of, end_of
from ledger.scheme.letters import WRITTEN_TO, Say, Words, english
from ledger.scheme.outbox import Topic
from ledger.scheme.rules import Rules, in_force
from ledger.scheme.tidings import CHOOSE, HELLO, TABLE, THANKS, Letter, To, Weight
from ledger.scheme.visits import in_words

# Settled within some 50 ms, so that nobody waits long for a person who is written to.
EVENTS_MAX: Final = 100
# Who decides at a project, a child's guardians, the office: more than any has.
READERS_MAX: Final = 50
# Whoever hears later than that has long seen it on their page.
TOLD_WITHIN: Final = timedelta(days=7)
# How long a letter is worth sending that isn't about a day.
_WANTED: Final = timedelta(days=3)
# What begins so soon after the night can't wait for its end: people set out before.
_SET_OUT: Final = timedelta(hours=3)


class Voice(NamedTuple):
    """How something is said in a language: sentences, moments and days."""

    say: Say
    moment: Callable[[str, datetime], str]
    day: Callable[[str, date], str]


def _dated(_language: str, day: date) -> str:
    return f"{day.day} {day:%B %Y}"


ENGLISH: Final = Voice(english, lambda _language, moment: in_words(moment), _dated)


class _Told(NamedTuple):
    """A letter that is due, and to whom."""

    row: asyncpg.Record
    letter: Letter
    readers: Sequence[UUID]


async def tell(raw: asyncpg.Connection, now: datetime, voice: Voice = ENGLISH) -> int:
    """Settle some of what waits, in the caller's transaction, and return how much it was: 0, all of it that is due."""
    until = night_ends(now, (await in_force(raw)).rules)
    rows = await raw.fetch(_DUE, now, until and until + _SET_OUT, _CAN_WAIT, EVENTS_MAX)
    told = [each for row in rows for each in await _concerned(raw, row, now)]
    readers = {holder for each in told for holder in each.readers}
    # Nobody is waited for: who is locked, by whoever erases or credits them, is told in the next round.
    known = {row["id"] for row in await raw.fetch(_KNOWN, list(readers))}
    people = {row["holder"]: row for row in await raw.fetch(_READERS, list(known))}
    busy = {each.row["id"] for each in told if not people.keys() >= known.intersection(each.readers)}
    written: set[tuple[UUID, Topic, UUID | None]] = set()
    for row, letter, concerned in told:
        for holder in known.intersection(concerned):
            # A register that needs a second person for twelve lines is one letter to each who decides.
            once = (holder, Topic(row["topic"]), row["project"] if letter.to is not To.HOLDER else row["id"])
            if row["id"] not in busy and once not in written and _hears(people[holder], letter.weight):
                written.add(once)
                await _write(raw, voice, row, letter, people[holder], now)
    settled = [row["id"] for row in rows if row["id"] not in busy]
    await raw.execute(_SETTLE, settled, now)
    # An address that people are written to at is in use (rule 28).
    await raw.execute(_USED, [holder for holder, _topic, _thing in written], now)
    return len(settled)


async def settle_all(raw: asyncpg.Connection, now: datetime) -> None:
    """Let nobody hear of what has happened until now: what a demo made up."""
    await raw.execute(_SETTLE_ALL, now)


def night_ends(now: datetime, rules: Rules) -> datetime | None:
    """When the night is over in which what can wait isn't sent (rule 32), or None by day."""
    local = now.astimezone(LONDON)
    minute, begins, ends = local.hour * 60 + local.minute, rules.quiet_from_minute, rules.quiet_until_minute
    is_night = begins <= minute < ends if begins <= ends else not ends <= minute < begins
    if not is_night:
        return None
    day = local.date() if minute < ends else local.date() + timedelta(days=1)
    return datetime.combine(day, time(ends // 60, ends % 60), LONDON)


async def _concerned(raw: asyncpg.Connection, row: asyncpg.Record, now: datetime) -> list[_Told]:
    """The letter that the event is worth and those whom it is for, if it is worth any."""
    letter = TABLE.get(row["topic"])
    if not isinstance(letter, Letter) or row["is_past"] or row["at"] < now - TOLD_WITHIN:
        return []
    if row["starts_at"] is not None and end_of(day_of(row["starts_at"])) <= now:
        return []
    # Who cancelled their own booking, or a helper for them, saw that it was done.
    if row["topic"] == Topic.BOOKING_CANCELLED and _body(row).get("by") == "person":
        return []
    if letter.to is To.HOLDER:
        return [_Told(row, letter, [row["holder"]])]
    if letter.to is To.GUARDIANS:
        found = await raw.fetch(_GUARDIANS, row["holder"], READERS_MAX)
    elif letter.to is To.DECIDERS:
        found = await raw.fetch(_DECIDERS, row["project"], row["holder"], READERS_MAX)
    else:
        found = await raw.fetch(_STAFF, READERS_MAX)
    return [_Told(row, letter, [each["id"] for each in found])]


def _hears(person: asyncpg.Record, weight: Weight) -> bool:
    if weight is Weight.SAFETY:
        return person["email"] is not None
    return person["written_to"] and not (person["quiet"] and weight is Weight.WELCOME)


async def _write(  # noqa: PLR0917  # each has its own type
    raw: asyncpg.Connection, voice: Voice, row: asyncpg.Record, letter: Letter, person: asyncpg.Record, now: datetime
) -> None:
    language, starts_at = person["language"], row["starts_at"]
    day = _day(row)
    choose = [] if letter.weight is Weight.SAFETY else [CHOOSE]
    paragraphs = [voice.say(language, each) for each in (HELLO, *letter.paragraphs, *choose, THANKS)]
    body = "\n\n".join(paragraphs).format(
        name=person["name"],
        where=row["alias"],
        venue=row["venue"],
        when=starts_at and voice.moment(language, starts_at),
        day=day and voice.day(language, day),
    )
    ends_at = now + _WANTED if starts_at is None else end_of(day_of(starts_at))
    words = Words(voice.say(language, letter.subject), body)
    await letters.write(raw, person["holder"], person["email"], words, ends_at, now)


def _day(row: asyncpg.Record) -> date | None:
    """The day that it is about: of hours when they were given; of credits until when something can be done."""
    body = _body(row)
    told = body.get("until", body.get("ends_on"))
    return row["day"] if told is None else date.fromisoformat(str(told))


def _body(row: asyncpg.Record) -> dict[str, int | str]:
    return _decode(row["body"])


_decode = msgspec.json.Decoder(dict[str, int | str]).decode
_CAN_WAIT: Final = [
    topic.value for topic, letter in TABLE.items() if isinstance(letter, Letter) and letter.weight is not Weight.SAFETY
]
# At night ($2) what can wait is passed over, but for what begins soon. What is past: something newer was told of the
# same thing, or it was answered; not so what is for safety, which is told whatever came of it.
_STARTS_AT = """
CASE o.topic
    WHEN 'session_cancelled' THEN (SELECT s.started_at FROM scheme.session s WHERE s.id = o.object)
    WHEN 'booking_undone' THEN (SELECT b.visit_at FROM scheme.booking b WHERE b.id = o.object)
    WHEN 'booking_cancelled' THEN (SELECT b.visit_at FROM scheme.booking b WHERE b.id = o.object)
END
"""
_DUE = f"""
SELECT o.id, o.at, o.topic, o.holder, o.project, o.body, {_STARTS_AT} AS starts_at,
    (SELECT p.alias FROM scheme.project p WHERE p.id = o.project) AS alias,
    (SELECT c.day FROM scheme.claim c WHERE c.id = o.object) AS day,
    (SELECT v.name FROM scheme.booking b JOIN scheme.venue v ON v.id = b.venue WHERE b.id = o.object) AS venue,
    o.topic = ANY($3::text[]) AND (
        EXISTS (
            SELECT FROM scheme.outbox n
            WHERE n.holder = o.holder AND n.object = o.object AND n.at > o.at AND n.topic <> 'week_above_note'
        )
        OR o.topic = 'pot_spend_proposed'
            AND (SELECT s.decided_at FROM scheme.pot_spend s WHERE s.id = o.object) IS NOT NULL
        OR o.topic = 'gift_offered' AND EXISTS (
            SELECT FROM journal.entry hold
            JOIN journal.entry done ON done.target = hold.position AND done.kind IN ('capture', 'void', 'lapse')
            WHERE hold.id = o.object
        )
    ) AS is_past
FROM scheme.outbox o
WHERE o.delivered_at IS NULL AND o.at <= $1
    AND ($2::timestamptz IS NULL OR o.topic <> ALL($3) OR {_STARTS_AT} < $2)
ORDER BY o.at, o.id LIMIT $4
FOR UPDATE OF o SKIP LOCKED
"""  # noqa: S608  # a piece of our own
_GUARDIANS = """
SELECT g.id FROM scheme.holder c
JOIN scheme.guardian l ON l.child = c.person AND l.ended_at IS NULL
JOIN scheme.holder g ON g.person = l.guardian
WHERE c.id = $1 ORDER BY g.id LIMIT $2
"""
_DECIDERS = """
SELECT DISTINCT holder AS id FROM scheme.role
WHERE project = $1 AND ended_at IS NULL AND role IN ('coordinator', 'approver') AND holder IS DISTINCT FROM $2
ORDER BY holder LIMIT $3
"""
_STAFF = """
SELECT holder AS id FROM scheme.role
WHERE role = 'staff' AND ended_at IS NULL AND project IS NULL AND venue IS NULL ORDER BY holder LIMIT $1
"""
# Whoever was erased is nobody to be told.
_KNOWN = "SELECT id FROM scheme.holder WHERE id = ANY($1::uuid[]) AND person IS NOT NULL"
# In the order of holders' locks, as everywhere.
_READERS = f"""
SELECT h.id AS holder, p.name, CASE WHEN c.safe IS NOT FALSE THEN c.email END AS email,
    {WRITTEN_TO} AS written_to, coalesce(f.quiet, false) AS quiet, coalesce(f.language, 'en') AS language
FROM scheme.holder h
JOIN scheme.person p ON p.id = h.person
LEFT JOIN scheme.contact c ON c.person = p.id
LEFT JOIN scheme.preference f ON f.person = p.id
WHERE h.id = ANY($1::uuid[])
ORDER BY h.id
FOR SHARE OF h SKIP LOCKED
"""  # noqa: S608  # a piece of our own
_USED = """
UPDATE scheme.contact SET used_at = $2
WHERE person = ANY(ARRAY(SELECT person FROM scheme.holder WHERE id = ANY($1::uuid[])))
"""
_SETTLE = "UPDATE scheme.outbox SET delivered_at = $2 WHERE id = ANY($1::uuid[])"
_SETTLE_ALL = "UPDATE scheme.outbox SET delivered_at = $1 WHERE delivered_at IS NULL AND at <= $1"
