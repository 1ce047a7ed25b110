"""The copy: everything that is held about one person, as one document that a program can read.

For the scheme and the person's own key. All of it is read in one snapshot, so its parts fit each other. Where staff
ask for it, the act is recorded.

What bounds it: each list has `ROWS_MAX` rows at most, the newest; the names of lists that had more stand in `cut`.
Statements are read page by page (`ledger.journal.reading`). A volunteer of twenty years with three entries a day has
22,000 lines, so hardly anybody's is ever cut, and the whole stays below some 10 MB.

`HELD` says where each column that refers to a person went, `LEFT_OUT` which are left out, and why; a test holds both to
the database's catalogue.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final, TypeVar
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.journal.entries import Kind
from ledger.scheme import acts
from ledger.scheme.acts import is_own
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.keys import Caller, Scope
from ledger.scheme.people import holder_of
from ledger.scheme.refusals import Declined, Refusal

ROWS_MAX: Final = 25_000

Row = TypeVar("Row", bound=Struct)


class HeldPerson(Struct, frozen=True, kw_only=True):
    """The person; the journal and others know them by `holder` alone."""

    id: UUID
    holder: UUID
    name: str
    age_band: str | None
    created_at: datetime


class HeldContact(Struct, frozen=True, kw_only=True):
    """How they may be reached."""

    email: str | None
    phone: str | None
    address: str | None
    channel: str | None
    safe: bool | None
    changed_at: datetime
    used_at: datetime


class HeldHelping(Struct, frozen=True, kw_only=True):
    """Who helps whom: one of the two is this person."""

    id: UUID
    helped: UUID
    helper: UUID
    name: str
    """The other one's."""
    may: list[str]
    began_at: datetime
    ended_at: datetime | None


class HeldGuardian(Struct, frozen=True, kw_only=True):
    """Who answers for whom: one of the two is this person."""

    child: UUID
    guardian: UUID
    name: str
    """The other one's."""
    began_at: datetime
    ended_at: datetime | None


class HeldConsent(Struct, frozen=True, kw_only=True):
    """A consent for this person, or by them."""

    id: UUID
    child: UUID
    guardian: UUID
    given_at: datetime
    ends_at: datetime
    withdrawn_at: datetime | None
    lapsed_at: datetime | None


class HeldMembership(Struct, frozen=True, kw_only=True):
    """A group they belong to."""

    group: UUID
    name: str
    keyholder: bool
    joined_at: datetime


class HeldEligible(Struct, frozen=True, kw_only=True):
    """What they may do that not everybody may."""

    word: str
    given_at: datetime
    ends_at: datetime | None


class HeldAttendance(Struct, frozen=True, kw_only=True):
    """A booking, or that they came; the project by its alias."""

    session: UUID
    project: UUID
    alias: str
    started_at: datetime
    ended_at: datetime
    state: str
    checked_in_at: datetime | None
    checked_out_at: datetime | None
    minutes: int | None
    changed_at: datetime


class HeldClaim(Struct, frozen=True, kw_only=True):
    """Hours of theirs; awarded by the entry of the same id, if it stands in `wallet`."""

    id: UUID
    project: UUID
    alias: str
    session: UUID | None
    started_at: datetime
    ended_at: datetime
    day: date
    minutes: int
    source: str
    state: str
    exceptions: list[str]
    created_at: datetime
    changed_at: datetime
    approved_at: datetime | None
    second_approved_at: datetime | None


class HeldRemark(Struct, frozen=True, kw_only=True):
    """What was said about hours of theirs."""

    id: UUID
    claim: UUID
    kind: str
    body: str
    at: datetime


class HeldCorrection(Struct, frozen=True, kw_only=True):
    """Hours of theirs that were put right."""

    id: UUID
    claim: UUID
    before: int
    after: int
    goodwill: int
    at: datetime


class HeldVoucher(Struct, frozen=True, kw_only=True):
    """A slip that they claimed."""

    claim: UUID
    session: UUID
    label: str | None
    claimed_at: datetime
    entry: UUID


class HeldCredential(Struct, frozen=True, kw_only=True):
    """A card, a phone pass or a booking code of theirs; its code is stored nowhere."""

    id: UUID
    kind: str
    status: str
    booking: UUID | None
    issued_at: datetime
    expires_at: datetime | None
    changed_at: datetime


class HeldGift(Struct, frozen=True, kw_only=True):
    """A gift from or to them: the two people, as far as they are still known, and what was said with it."""

    id: UUID
    giver: UUID | None
    receiver: UUID | None
    minutes: int
    words: str | None
    offered_at: datetime
    lapses_at: datetime


class HeldPotSpend(Struct, frozen=True, kw_only=True):
    """A spend from a group's pot that they proposed or decided on; `request` is what was to be booked, as JSON."""

    id: UUID
    group: UUID
    minutes: int
    request: str
    proposed_at: datetime
    decided_at: datetime | None
    declined: bool
    booking: UUID | None


class HeldNote(Struct, frozen=True, kw_only=True):
    """A paper note that they brought."""

    serial: str
    minutes: int
    entry: UUID
    taken_at: datetime


class HeldLine(Struct, frozen=True, kw_only=True):
    """A line of a statement: `minutes` is signed, `balance` what there was after it."""

    entry: UUID
    kind: Kind
    minutes: int
    balance: int
    other: str
    happened_at: datetime
    recorded_at: datetime
    reference: str
    details: str


class HeldBooking(Struct, frozen=True, kw_only=True):
    """A visit that was booked, or put on hold at a till; how it stands is in `held`, or the pot's that paid."""

    id: UUID
    offer: UUID
    title: str
    venue: UUID
    venue_name: str
    group: UUID | None
    course: UUID | None
    visit_at: datetime
    walk_in: bool
    party: str
    made_at: datetime


class HeldKey(Struct, frozen=True, kw_only=True):
    """A key of theirs; its secret is stored nowhere."""

    id: UUID
    scope: str
    project: UUID | None
    label: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class HeldEvent(Struct, frozen=True, kw_only=True):
    """Something that concerned them; `body` is JSON."""

    id: UUID
    at: datetime
    topic: str
    project: UUID | None
    object: UUID | None
    body: str
    delivered_at: datetime | None


class HeldAct(Struct, frozen=True, kw_only=True):
    """What was done: by whom (an identity), under which key, for or about which holder, if anybody in particular."""

    id: UUID
    at: datetime
    by: UUID
    key: UUID
    holder: UUID | None
    verb: str
    object: UUID | None


class Copy(Struct, frozen=True, kw_only=True):
    """Everything that is held about one person; each list is newest first."""

    made_at: datetime
    person: HeldPerson
    contact: HeldContact | None
    available: int
    """Minutes that they can spend."""
    on_hold: int
    helpers: Sequence[HeldHelping]
    helping: Sequence[HeldHelping]
    guardians: Sequence[HeldGuardian]
    children: Sequence[HeldGuardian]
    consents: Sequence[HeldConsent]
    groups: Sequence[HeldMembership]
    eligible: Sequence[HeldEligible]
    attendance: Sequence[HeldAttendance]
    claims: Sequence[HeldClaim]
    remarks: Sequence[HeldRemark]
    corrections: Sequence[HeldCorrection]
    vouchers: Sequence[HeldVoucher]
    notes: Sequence[HeldNote]
    credentials: Sequence[HeldCredential]
    gifts_given: Sequence[HeldGift]
    gifts_received: Sequence[HeldGift]
    pot_spends: Sequence[HeldPotSpend]
    wallet: Sequence[HeldLine]
    held: Sequence[HeldLine]
    bookings: Sequence[HeldBooking]
    keys: Sequence[HeldKey]
    events: Sequence[HeldEvent]
    acts: Sequence[HeldAct]
    acted: Sequence[HeldAct]
    cut: Sequence[str]
    """The lists of which only the newest rows are here."""


HELD: Final[Mapping[str, str]] = {
    "holder.person": "person",
    "contact.person": "contact",
    "helping.helped": "helpers",
    "helping.helper": "helping",
    "guardian.child": "guardians",
    "guardian.guardian": "children",
    "consent.child": "consents",
    "consent.guardian": "consents",
    "membership.person": "groups",
    "eligible.person": "eligible",
    "attendance.holder": "attendance",
    "claim.holder": "claims",
    "voucher.claimed_by": "vouchers",
    "note.holder": "notes",
    "credential.holder": "credentials",
    "gift.giver": "gifts_given",
    "gift.receiver": "gifts_received",
    "pot_spend.proposed_by": "pot_spends",
    "pot_spend.agreed_by": "pot_spends",
    "booking.holder": "bookings",
    "api_key.holder": "keys",
    "outbox.holder": "events",
    "act.holder": "acts",
    "act.by": "acted",
}
"""Each column that says about whom a row is, and the part of the copy that has it."""

_OFFICE: Final = "says who did it at work, about others; what they did for or about somebody is in `acted`"
LEFT_OUT: Final[Mapping[str, str]] = {
    "helping.began_by": _OFFICE,
    "helping.ended_by": _OFFICE,
    "consent.given_by": _OFFICE,
    "eligible.given_by": _OFFICE,
    "session.by": _OFFICE,
    "attendance.by": _OFFICE,
    "claim.by": _OFFICE,
    "claim.approver": _OFFICE,
    "claim.second_approver": _OFFICE,
    "claim.decided_by": _OFFICE,
    "correction.by": _OFFICE,
    "allocation.by": _OFFICE,
    "booking.made_by": _OFFICE,
    "booking.course": "a booking, in a row that has its person",
    "rules.by": _OFFICE,
    "remark.by": "the words are about another, who has them in their own copy",
    "answer.principal": "what was answered to their own requests: ids and figures that all stand here already",
    "act.key": "a key that was used; their own are in `keys`",
    "act.object": "what an act was about, in a row that has its person",
    "outbox.project": "a project",
    "outbox.object": "what an event was about, in a row that has its person",
    "voucher.entry": "an entry, which is in `wallet`",
    "batch.printed_by": _OFFICE,
    "credential.used_by": "an entry: where a bearer voucher was claimed by them, it is in `wallet`",
    "note.entry": "an entry, which is in `wallet`",
    "note.taken_by": _OFFICE,
    "expiry.reached": "how far the daily look at all wallets has come: whoever it is, is told there for a moment",
    "credential.booking": "the entry of a hold, in a row that has its person",
    "credential.issued_by": _OFFICE,
    "credential.changed_by": _OFFICE,
    "device.created_by": _OFFICE,
    "wrong_code.identity": "for a day, that a code was wrong which they typed; what they typed isn't kept",
    "lapse.entry": "an entry, which is in `wallet` or a pot's",
    "pot_spend.booking": "a booking of the group's pot, in a row that has its people",
}
"""Each other column that may hold an id of theirs, and why it isn't here."""


class Copies:
    """Making copies."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def of(self, caller: Caller, person: UUID) -> Copy:
        """Everything that is held about that person."""
        now = self._clock()
        async with self._database.transaction() as connection:
            raw = driver(connection)
            await raw.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            holder = await holder_of(raw, person)
            if caller.scope is not Scope.SCHEME and not is_own(caller, holder):
                raise Declined(Refusal.NOT_FOUND)
            copy = await _copy(raw, person, holder, now)
            await acts.record(raw, caller, holder, "copy_read", None, now)
            return copy


async def _copy(raw: asyncpg.Connection, person: UUID, holder: UUID, now: datetime) -> Copy:
    cut: list[str] = []

    async def rows(part: str, kind: type[Row], of: UUID) -> list[Row]:
        found = [kind(**row) for row in await raw.fetch(_PARTS[part], of, ROWS_MAX + 1)]
        if len(found) > ROWS_MAX:
            cut.append(part)
        return found[:ROWS_MAX]

    async def lines(part: str, of: str) -> list[HeldLine]:
        found: list[HeldLine] = []
        before: int | None = None
        while len(found) < ROWS_MAX:
            page = await reading.statement(raw, of, before=before, limit=reading.PAGE_MAX)
            found += [_line(line) for line in page]
            if len(page) < reading.PAGE_MAX:
                return found
            before = page[-1].sequence
        if before is not None and before > 1:
            cut.append(part)
        return found

    wallet, held = account("wallet", holder), account("held", holder)
    balances = await reading.balances(raw, [wallet, held])
    contact = await rows("contact", HeldContact, person)
    return Copy(
        made_at=now,
        person=(await rows("person", HeldPerson, person))[0],
        contact=contact[0] if contact else None,
        available=balances[wallet],
        on_hold=balances[held],
        helpers=await rows("helpers", HeldHelping, person),
        helping=await rows("helping", HeldHelping, person),
        guardians=await rows("guardians", HeldGuardian, person),
        children=await rows("children", HeldGuardian, person),
        consents=await rows("consents", HeldConsent, person),
        groups=await rows("groups", HeldMembership, person),
        eligible=await rows("eligible", HeldEligible, person),
        attendance=await rows("attendance", HeldAttendance, holder),
        claims=await rows("claims", HeldClaim, holder),
        remarks=await rows("remarks", HeldRemark, holder),
        corrections=await rows("corrections", HeldCorrection, holder),
        vouchers=await rows("vouchers", HeldVoucher, holder),
        notes=await rows("notes", HeldNote, holder),
        credentials=await rows("credentials", HeldCredential, holder),
        gifts_given=await rows("gifts_given", HeldGift, holder),
        gifts_received=await rows("gifts_received", HeldGift, holder),
        pot_spends=await rows("pot_spends", HeldPotSpend, holder),
        wallet=await lines("wallet", wallet),
        held=await lines("held", held),
        bookings=await rows("bookings", HeldBooking, holder),
        keys=await rows("keys", HeldKey, holder),
        events=await rows("events", HeldEvent, holder),
        acts=await rows("acts", HeldAct, holder),
        acted=await rows("acted", HeldAct, holder),
        cut=cut,
    )


def _line(line: reading.Line) -> HeldLine:
    return HeldLine(
        entry=line.entry,
        kind=line.kind,
        minutes=line.minutes,
        balance=line.balance,
        other=line.other,
        happened_at=line.happened_at,
        recorded_at=line.recorded_at,
        reference=line.reference,
        details=line.details,
    )


# $1 is the person or, where the rows know only that, the holder; $2 the most rows.
_PARTS: Final[Mapping[str, str]] = {
    "person": """
SELECT p.id, h.id AS holder, p.name, p.age_band, p.created_at
FROM scheme.person p JOIN scheme.holder h ON h.person = p.id WHERE p.id = $1 LIMIT $2
""",
    "contact": """
SELECT email, phone, address, channel, safe, changed_at, used_at FROM scheme.contact WHERE person = $1 LIMIT $2
""",
    "helpers": """
SELECT l.id, l.helped, l.helper, p.name, l.may, l.began_at, l.ended_at
FROM scheme.helping l JOIN scheme.person p ON p.id = l.helper WHERE l.helped = $1 ORDER BY l.began_at DESC LIMIT $2
""",
    "helping": """
SELECT l.id, l.helped, l.helper, p.name, l.may, l.began_at, l.ended_at
FROM scheme.helping l JOIN scheme.person p ON p.id = l.helped WHERE l.helper = $1 ORDER BY l.began_at DESC LIMIT $2
""",
    "guardians": """
SELECT g.child, g.guardian, p.name, g.began_at, g.ended_at
FROM scheme.guardian g JOIN scheme.person p ON p.id = g.guardian WHERE g.child = $1 ORDER BY g.began_at DESC LIMIT $2
""",
    "children": """
SELECT g.child, g.guardian, p.name, g.began_at, g.ended_at
FROM scheme.guardian g JOIN scheme.person p ON p.id = g.child WHERE g.guardian = $1 ORDER BY g.began_at DESC LIMIT $2
""",
    "consents": """
SELECT c.id, c.child, c.guardian, c.given_at, c.ends_at, c.withdrawn_at, c.lapsed_at
FROM scheme.consent c JOIN scheme.guardian g USING (child, guardian)
WHERE g.child = $1 OR g.guardian = $1 ORDER BY c.given_at DESC LIMIT $2
""",
    "groups": """
SELECT g.id AS group, g.name, m.keyholder, m.joined_at
FROM scheme.membership m JOIN scheme.group g ON g.id = m.group WHERE m.person = $1 ORDER BY m.joined_at DESC LIMIT $2
""",
    "eligible": """
SELECT word, given_at, ends_at FROM scheme.eligible WHERE person = $1 ORDER BY given_at DESC, word LIMIT $2
""",
    "attendance": """
SELECT a.session, s.project, p.alias, s.started_at, s.ended_at, a.state, a.checked_in_at, a.checked_out_at, a.minutes,
    a.changed_at
FROM scheme.attendance a JOIN scheme.session s ON s.id = a.session JOIN scheme.project p ON p.id = s.project
WHERE a.holder = $1 ORDER BY s.started_at DESC LIMIT $2
""",
    "claims": """
SELECT c.id, c.project, p.alias, c.session, c.started_at, c.ended_at, c.day, c.minutes, c.source, c.state, c.exceptions,
    c.created_at, c.changed_at, c.approved_at, c.second_approved_at
FROM scheme.claim c JOIN scheme.project p ON p.id = c.project
WHERE c.holder = $1 ORDER BY c.created_at DESC, c.id LIMIT $2
""",
    "remarks": """
SELECT r.id, r.claim, r.kind, r.body, r.at
FROM scheme.remark r JOIN scheme.claim c ON c.id = r.claim WHERE c.holder = $1 ORDER BY r.at DESC LIMIT $2
""",
    "corrections": """
SELECT r.id, r.claim, r.before, r.after, r.goodwill, r.at
FROM scheme.correction r JOIN scheme.claim c ON c.id = r.claim WHERE c.holder = $1 ORDER BY r.at DESC LIMIT $2
""",
    "vouchers": """
SELECT v.claim, v.session, v.label, v.claimed_at, v.entry
FROM scheme.voucher v JOIN scheme.claim c ON c.id = v.claim
WHERE c.holder = $1 AND v.claimed_by = c.holder ORDER BY v.claimed_at DESC LIMIT $2
""",
    "credentials": """
SELECT id, kind, status, booking, issued_at, expires_at, changed_at
FROM scheme.credential WHERE holder = $1 ORDER BY issued_at DESC, id LIMIT $2
""",
    "gifts_given": """
SELECT g.id, f.person AS giver, t.person AS receiver, g.minutes, g.words, g.offered_at, g.lapses_at
FROM scheme.gift g JOIN scheme.holder f ON f.id = g.giver JOIN scheme.holder t ON t.id = g.receiver
WHERE g.giver = $1 ORDER BY g.offered_at DESC, g.id LIMIT $2
""",
    "gifts_received": """
SELECT g.id, f.person AS giver, t.person AS receiver, g.minutes, g.words, g.offered_at, g.lapses_at
FROM scheme.gift g JOIN scheme.holder f ON f.id = g.giver JOIN scheme.holder t ON t.id = g.receiver
WHERE g.receiver = $1 ORDER BY g.offered_at DESC, g.id LIMIT $2
""",
    "pot_spends": """
SELECT id, "group", minutes, request, proposed_at, decided_at, declined, booking
FROM scheme.pot_spend WHERE proposed_by = $1 OR agreed_by = $1 ORDER BY proposed_at DESC, id LIMIT $2
""",
    "bookings": """
SELECT b.id, b.offer, o.title, b.venue, v.name AS venue_name, b.group, b.course, b.visit_at, b.walk_in, b.party,
    b.made_at
FROM scheme.booking b JOIN scheme.offer o ON o.id = b.offer JOIN scheme.venue v ON v.id = b.venue
WHERE b.holder = $1 ORDER BY b.visit_at DESC, b.id LIMIT $2
""",
    "notes": """
SELECT serial, minutes, entry, taken_at FROM scheme.note WHERE holder = $1 ORDER BY taken_at DESC, serial LIMIT $2
""",
    "keys": """
SELECT id, scope, project, label, created_at, expires_at, revoked_at
FROM scheme.api_key WHERE holder = $1 ORDER BY created_at DESC LIMIT $2
""",
    "events": """
SELECT id, at, topic, project, object, body, delivered_at
FROM scheme.outbox WHERE holder = $1 ORDER BY at DESC, id LIMIT $2
""",
    "acts": "SELECT id, at, by, key, holder, verb, object FROM scheme.act WHERE holder = $1 ORDER BY at DESC LIMIT $2",
    "acted": "SELECT id, at, by, key, holder, verb, object FROM scheme.act WHERE by = $1 ORDER BY at DESC LIMIT $2",
}
