"""The scheme's rules: one typed Struct, each with its default, its unit, its bounds and what it means.

    lock -> the newest version -> weigh what is asked against it -> keep a version, if anything differs

What differs from the defaults is kept as versions in ``scheme.rules``, numbered without a gap, each with who made it
and when; the newest is in force. Whatever is decided keeps the number of the version that it was decided by, so a
change never rewrites the past. Two changes at once wait for each other, and neither is lost.

A rule that this release doesn't enforce yet says so, and can't be changed: nobody should believe in a setting that does
nothing. One that the service can't do otherwise has a single value within its bounds.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, get_args
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Meta, Struct

from ledger.database import Database, driver
from ledger.scheme import acts
from ledger.scheme.callers import Caller
from ledger.scheme.clock import Clock
from ledger.scheme.refusals import Declined, Refusal

Value = int | bool | str


def _amount(rule: int, unit: str, least: int, most: int, meaning: str, *, enforced: bool = True) -> Meta:
    """A whole number within its bounds."""
    extra = {"rule": rule, "unit": unit, "enforced": enforced}
    return Meta(ge=least, le=most, description=meaning, extra=extra)


def _choice(rule: int, meaning: str, *, enforced: bool = True) -> Meta:
    """Yes or no, or one of the words that the type names."""
    return Meta(description=meaning, extra={"rule": rule, "unit": "", "enforced": enforced})


_soon = functools.partial(_amount, enforced=False)
_soon_choice = functools.partial(_choice, enforced=False)


class Rules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules, in the order and with the numbers of the product's table. Credits are in minutes."""

    credit_minutes: Annotated[int, _amount(1, "minutes", 60, 60, "One Time Credit: everyone's hour is equal.")] = 60
    step_minutes: Annotated[
        int, _amount(2, "minutes", 1, 60, "Hours are rounded to the nearest step, half up, and to one step at least.")
    ] = 15
    daily_cap_minutes: Annotated[
        int, _amount(3, "minutes", 15, 1440, "Above this on one day, a second person looks before it is approved.")
    ] = 480
    weekly_note_minutes: Annotated[
        int, _amount(4, "minutes", 15, 10080, "Above this in one week, staff get a kind note. Nothing is stopped.")
    ] = 1200
    back_days: Annotated[int, _amount(5, "days", 1, 366, "How long afterwards hours can be recorded.")] = 60
    future_days: Annotated[int, _amount(5, "days", 0, 0, "How long beforehand: never, for they aren't given yet.")] = 0
    overlapping: Annotated[
        Literal["queried"], _choice(6, "What becomes of hours at the same time as others of the same person.")
    ] = "queried"
    approvers: Annotated[int, _amount(7, "people", 1, 1, "How many approve ordinary hours.")] = 1
    own_hours: Annotated[
        Literal["another_approves"], _choice(7, "Nobody approves their own hours, coordinators included (rule 8).")
    ] = "another_approves"
    second_above_minutes: Annotated[
        int, _amount(8, "minutes", 15, 1440, "An entry above this needs a second approver; at most the daily cap.")
    ] = 360
    auto_close_minutes: Annotated[
        int,
        _amount(
            9, "minutes", 15, 1440, "A forgotten sign-out is closed at the session's planned end, or after this long."
        ),
    ] = 240
    allocation_warns_percent: Annotated[
        int,
        _amount(10, "percent", 1, 100, "Staff hear when less than this of a funder's cap is left; nothing is stopped."),
    ] = 20
    expiry_months: Annotated[
        int,
        _amount(
            11,
            "months",
            0,
            120,
            "Credits end with the month, this long after they were received; 0: never. A change of what dates them goes"
            " for all credits, and none end sooner than the first notice's days after it.",
        ),
    ] = 0
    expiry_first_notice_days: Annotated[int, _amount(11, "days", 2, 366, "The first notice before credits end.")] = 60
    expiry_last_notice_days: Annotated[
        int, _amount(11, "days", 1, 365, "The last notice before credits end: nearer than the first.")
    ] = 14
    reinstatement_days: Annotated[
        int, _amount(11, "days", 0, 366, "For this long after they ended, credits come back once when asked for.")
    ] = 30
    void_extension_days: Annotated[
        int, _amount(11, "days", 0, 366, "Credits that come back from a hold after their end last this much longer.")
    ] = 30
    walk_in_hold_minutes: Annotated[int, _amount(12, "minutes", 1, 1440, "How long a hold at the desk lasts.")] = 10
    booking_hold_minutes: Annotated[
        int, _amount(12, "minutes", 0, 20160, "How long after the visit a booking's hold lasts.")
    ] = 2880
    no_show: Annotated[
        Literal["credits_return"], _choice(13, "What becomes of a hold when nobody came. Nobody is told off.")
    ] = "credits_return"
    cancel_notice_max_minutes: Annotated[
        int, _amount(14, "minutes", 0, 20160, "Cancelling is free until the start; a venue may ask for this at most.")
    ] = 2880
    device_refund_days: Annotated[
        int, _amount(15, "days", 0, 31, "How many days after it a till may refund; 0: on the same day.")
    ] = 0
    refund_days: Annotated[int, _amount(15, "days", 0, 366, "How long after capture the scheme may refund.")] = 30
    refund_extension_days: Annotated[
        int, _amount(15, "days", 0, 366, "Refunded and reinstated credits last this much longer, at least.")
    ] = 30
    visit_cap_minutes: Annotated[
        int, _amount(16, "minutes", 15, 6000, "The most for one visit; an offer may set less, and a monthly limit.")
    ] = 480
    quota_period: Annotated[
        Literal["calendar_month"], _choice(17, "What a venue's quota is for, by the clock in London.")
    ] = "calendar_month"
    quota_unused: Annotated[
        Literal["ends"],
        _choice(17, "What becomes of what a venue did not use of its quota: it isn't added to the next."),
    ] = "ends"
    offer_windows: Annotated[
        bool,
        _choice(18, "Whether offers may keep to weekly windows (off-peak) and closed dates; else all are always open."),
    ] = True
    child_below_years: Annotated[int, _amount(19, "years", 16, 16, "Who counts as a child in a party.")] = 16
    young_below_years: Annotated[int, _amount(19, "years", 8, 8, "Who counts as a young child in a party.")] = 8
    young_per_adult: Annotated[
        int, _amount(19, "people", 1, 10, "Young children for each adult, where the offer sets it.")
    ] = 2
    gift_month_minutes: Annotated[int, _amount(20, "minutes", 0, 60000, "The most that one person gives a month.")] = (
        600
    )
    gift_accept_days: Annotated[int, _amount(20, "days", 1, 366, "A gift that isn't accepted by then goes back.")] = 30
    gift_from_years: Annotated[
        int,
        _amount(
            20, "years", 0, 18, "Whose age band begins below this gives with a guardian's consent, others on their own."
        ),
    ] = 18
    pot_keyholders: Annotated[
        int, _amount(21, "people", 1, 10, "How many keyholders a group has before its pot can be spent from.")
    ] = 2
    pot_both_above_minutes: Annotated[
        int, _amount(21, "minutes", 0, 60000, "Above this, a second keyholder of a pot must agree.")
    ] = 1200
    correction: Annotated[
        Literal["what_is_available"],
        _choice(22, "What a correction takes back; the scheme's goodwill bears the rest, for no balance is negative."),
    ] = "what_is_available"
    card_day_minutes: Annotated[int, _amount(23, "minutes", 0, 6000, "The most by a printed card a day.")] = 240
    card_name_check: Annotated[bool, _choice(23, "Whether a printed card comes with a name check.")] = True
    pass_seconds: Annotated[int, _amount(24, "seconds", 15, 300, "How often the phone pass changes.")] = 30
    pass_steps_tolerated: Annotated[int, _amount(24, "steps", 0, 5, "How many passes back still count, once.")] = 1
    offline_sync_minutes: Annotated[
        int, _soon(25, "minutes", 0, 20160, "A device may work offline this long after it was last synced.")
    ] = 4320
    offline_day_minutes: Annotated[int, _soon(25, "minutes", 0, 6000, "The most a person a day, offline.")] = 120
    consent_below_years: Annotated[
        int, _amount(26, "years", 16, 16, "Below this age, hours wait for a guardian's consent before they are spent.")
    ] = 16
    consent_months: Annotated[int, _amount(26, "months", 1, 60, "How long a guardian's consent lasts.")] = 12
    goods_for_credits: Annotated[
        bool, _soon_choice(27, "Whether credits may buy goods: an old UK benefits ruling holds only where they don't.")
    ] = False
    contact_months: Annotated[
        int, _amount(28, "months", 1, 120, "Contact details are removed this long after they were last used.")
    ] = 24
    small_count_below: Annotated[
        int, _soon(29, "people", 1, 100, "Counts below this are hidden in reports, and sums with them.")
    ] = 5
    directory_recheck_days: Annotated[int, _soon(30, "days", 1, 3660, "How often an entry is checked again.")] = 180
    comments_moderated: Annotated[bool, _soon_choice(31, "Whether comments are read by staff before they appear.")] = (
        True
    )
    sms_characters: Annotated[int, _soon(32, "characters", 1, 1600, "The longest text message.")] = 160
    quiet_from_minute: Annotated[
        int,
        _amount(32, "minutes after midnight", 0, 1439, "Emails that can wait do so from then on, by London's clock."),
    ] = 1200
    quiet_until_minute: Annotated[
        int, _amount(32, "minutes after midnight", 0, 1439, "Until then they wait; the same as before: they never do.")
    ] = 540
    reminders: Annotated[int, _soon(32, "messages", 0, 10, "How many reminders one thing brings.")] = 1


class Setting(Struct, frozen=True, kw_only=True):
    """One rule as it stands. A number has its bounds, anything else its choices."""

    name: str
    number: int
    value: Value
    default: Value
    unit: str
    least: int | None
    most: int | None
    choices: tuple[bool | str, ...]
    meaning: str
    enforced: bool


class InForce(Struct, frozen=True):
    """The rules as they stand, and the number of their version."""

    version: int
    rules: Rules

    @property
    def settings(self) -> Sequence[Setting]:
        """Each with its value and all that is known of it, in the table's order."""
        return [msgspec.structs.replace(row, value=getattr(self.rules, row.name)) for row in table()]


class RuleChange(Struct, frozen=True, kw_only=True):
    """One rule, and what it was changed from and to."""

    name: str
    before: Value
    after: Value


class RulesVersion(Struct, frozen=True, kw_only=True):
    """A change of the rules. ``by`` is who made it: a holder, or a key with nobody in particular behind it."""

    version: int
    at: datetime
    by: UUID | None
    changes: Sequence[RuleChange]


@functools.cache
def table() -> tuple[Setting, ...]:
    """Every rule with its default, in order."""
    rows = []
    for field in msgspec.structs.fields(Rules):
        plain, meta = field.type.__origin__, field.type.__metadata__[-1]
        rows.append(
            Setting(
                name=field.name,
                number=meta.extra["rule"],
                value=field.default,
                default=field.default,
                unit=meta.extra["unit"],
                least=meta.ge,
                most=meta.le,
                choices=() if plain is int else (False, True) if plain is bool else get_args(plain),
                meaning=meta.description,
                enforced=meta.extra["enforced"],
            )
        )
    return tuple(rows)


async def in_force(connection: asyncpg.Connection) -> InForce:
    """The newest version."""
    row = await connection.fetchrow("SELECT version, changes FROM scheme.rules ORDER BY version DESC LIMIT 1")
    if row is None:
        raise RuntimeError("the scheme has no rules: the database was not migrated")
    return InForce(row["version"], _read(row["changes"]))


class Rulebook:
    """Reading and changing the rules."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def in_force(self) -> InForce:
        """The rules as they stand."""
        async with self._database.reading() as connection:
            return await in_force(driver(connection))

    async def check(self, values: Mapping[str, Value]) -> None:
        """Decline what `change` would decline as the rules stand now; nothing is changed."""
        _changed((await self.in_force()).rules, values)

    async def change(self, caller: Caller, values: Mapping[str, Value]) -> InForce:
        """The rules with these values, each of its field's type and within its bounds, in force from now on.

        What changes nothing makes no version. Raises ``Declined`` for a rule that isn't enforced yet, and for values
        that don't go together.
        """
        async with self._database.transaction() as connection:
            raw = driver(connection)
            await raw.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            before = await in_force(raw)
            rules = _changed(before.rules, values)
            if rules == before.rules:
                return before
            kept = {change.name: change.after for change in _differences(Rules(), rules)}
            after = InForce(before.version + 1, rules)
            now = self._clock()
            await raw.execute(_KEEP, after.version, now, caller.identity, msgspec.json.encode(kept).decode())
            await acts.by_staff(raw, caller, "rules_changed", None, now)
        return after

    async def history(self, *, before: int | None, limit: int) -> Sequence[RulesVersion]:
        """The changes, newest first; ``before`` is the version of the last one seen."""
        async with self._database.reading() as connection:
            rows = await driver(connection).fetch(_HISTORY, before, limit)
        return [
            RulesVersion(
                version=row["version"],
                at=row["changed_at"],
                by=row["by"],
                changes=_differences(_read(row["before"]), _read(row["changes"])),
            )
            for row in rows
        ]


def _read(changes: str) -> Rules:
    return msgspec.json.decode(changes, type=Rules)


def _changed(before: Rules, values: Mapping[str, Value]) -> Rules:
    """The rules with these values; declines what can't be changed yet, and what doesn't go together."""
    rules = msgspec.convert({**msgspec.structs.asdict(before), **values}, Rules)
    changed = [change.name for change in _differences(before, rules)]
    if changed and (faults := (*_not_yet(changed), *_faults(rules))):
        raise Declined(Refusal.WRONG_VALUES, fields=faults)
    return rules


def _differences(before: Rules, after: Rules) -> list[RuleChange]:
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in Rules.__struct_fields__)
    return [RuleChange(name=name, before=one, after=other) for name, one, other in pairs if one != other]


def _not_yet(names: Iterable[str]) -> list[tuple[str, str]]:
    later = {row.name for row in table() if not row.enforced}
    return [(name, "can't be changed yet: this release doesn't enforce it") for name in names if name in later]


def _faults(rules: Rules) -> list[tuple[str, str]]:
    """What doesn't go together."""
    faults = []
    if rules.credit_minutes % rules.step_minutes:
        # Else a whole day, the longest that hours can be, would be no number of steps.
        faults.append(("step_minutes", f"must divide a credit of {rules.credit_minutes} minutes evenly"))
    if rules.second_above_minutes > rules.daily_cap_minutes:
        faults.append(
            ("second_above_minutes", f"must be at most daily_cap_minutes, which is then {rules.daily_cap_minutes}")
        )
    if rules.expiry_last_notice_days >= rules.expiry_first_notice_days:
        first = rules.expiry_first_notice_days
        faults.append(("expiry_last_notice_days", f"must be less than expiry_first_notice_days, which is then {first}"))
    return faults


# Changes wait for each other under this number; any fixed one will do.
_LOCK: Final = 0x52554C4553
_KEEP = "INSERT INTO scheme.rules (version, changed_at, by, changes) VALUES ($1, $2, $3, $4)"
_HISTORY = """
SELECT r.version, r.changed_at, r.by, r.changes, p.changes AS before
FROM scheme.rules r JOIN scheme.rules p ON p.version = r.version - 1
WHERE $1::int IS NULL OR r.version < $1
ORDER BY r.version DESC LIMIT $2
"""
