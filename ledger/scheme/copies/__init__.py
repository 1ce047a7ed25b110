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
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

import asyncpg
from msgspec import Struct

from ledger.database import Database, driver
from ledger.journal import reading
from ledger.scheme import acts
from ledger.scheme.acts import is_own
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.chart import account
from ledger.scheme.clock import Clock
from ledger.scheme.copies import access, credit, hours, people
from ledger.scheme.copies.access import (
    HeldAct,
    HeldEvent,
    HeldKey,
    HeldLetter,
    HeldPasskey,
    HeldRecovery,
    HeldRole,
    HeldSignIn,
    HeldVouched,
)
from ledger.scheme.copies.credit import HeldBooking, HeldCredential, HeldGift, HeldLine, HeldPotSpend
from ledger.scheme.copies.hours import HeldAttendance, HeldClaim, HeldCorrection, HeldNote, HeldRemark, HeldVoucher
from ledger.scheme.copies.people import (
    HeldConsent,
    HeldContact,
    HeldEligible,
    HeldGuardian,
    HeldHelping,
    HeldMembership,
    HeldPerson,
    HeldPreference,
)
from ledger.scheme.people import holder_of
from ledger.scheme.refusals import Declined, Refusal

ROWS_MAX: Final = 25_000

Row = TypeVar("Row", bound=Struct)


class Copy(Struct, frozen=True, kw_only=True):
    """Everything that is held about one person; each list is newest first."""

    made_at: datetime
    person: HeldPerson
    contact: HeldContact | None
    preference: HeldPreference | None
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
    roles: Sequence[HeldRole]
    passkeys: Sequence[HeldPasskey]
    recoveries: Sequence[HeldRecovery]
    vouched: Sequence[HeldVouched]
    sign_ins: Sequence[HeldSignIn]
    letters: Sequence[HeldLetter]
    acts: Sequence[HeldAct]
    acted: Sequence[HeldAct]
    cut: Sequence[str]
    """The lists of which only the newest rows are here."""


HELD: Final[Mapping[str, str]] = {
    "holder.person": "person",
    "contact.person": "contact",
    "preference.person": "preference",
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
    "role.holder": "roles",
    "passkey.holder": "passkeys",
    "recovery.holder": "recoveries",
    "vouched.holder": "vouched",
    "sign_in.holder": "sign_ins",
    "letter.holder": "letters",
    "act.holder": "acts",
    "act.by": "acted",
}
"""Each column that says about whom a row is, and the part of the copy that has it."""

_OFFICE: Final = "says who did it at work, about others; what they did for or about somebody is in `acted`"
LEFT_OUT: Final[Mapping[str, str]] = {
    "name_part.person": "their name again, by each of its words, to be found by",
    "helping.began_by": _OFFICE,
    "membership.wanted_by": _OFFICE,
    "role.granted_by": _OFFICE,
    "recovery.asked_by": _OFFICE,
    "recovery.agreed_by": _OFFICE,
    "one_time.holder": "what was sent to them to sign in with, as hashes; the letters are in `letters`",
    "challenge.holder": "for some minutes, that they are adding a passkey: random numbers",
    "role.ended_by": _OFFICE,
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
    "pot_spend.actor": "who typed what a keyholder proposed: that keyholder, whose it is, or the office",
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
            projects = {each.project for each in copy.attendance} | {each.project for each in copy.claims}
            await acts.looked(raw, caller, holder, "copy_read", None, now, projects=projects)
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
    preference = await rows("preference", HeldPreference, person)
    return Copy(
        made_at=now,
        person=(await rows("person", HeldPerson, person))[0],
        contact=contact[0] if contact else None,
        preference=preference[0] if preference else None,
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
        roles=await rows("roles", HeldRole, holder),
        passkeys=await rows("passkeys", HeldPasskey, holder),
        recoveries=await rows("recoveries", HeldRecovery, holder),
        vouched=await rows("vouched", HeldVouched, holder),
        sign_ins=await rows("sign_ins", HeldSignIn, holder),
        letters=await rows("letters", HeldLetter, holder),
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


_PARTS: Final[Mapping[str, str]] = {**people.PARTS, **hours.PARTS, **credit.PARTS, **access.PARTS}
