"""Beside the weeks' round: groups and their pots, vouchers, a correction; and what waits for each role today.

For a coordinator: claims, one that needs a second approver, one that was queried, lines that need a look, a sign-out
that was forgotten. For a volunteer: a gift to accept, a booking tomorrow, sessions to come. For a keyholder: a spend
that the other must agree to. For a guardian: a consent. For a till: who comes today and tomorrow. For a kiosk: who is
expected now. For the office: a project and a venue that applied, a till to be enrolled, a funder's cap that is nearly
used up, and notices in the outbox.
"""

from datetime import date, datetime, timedelta
from typing import Final

from ledger.scheme.demo.county import PROJECTS
from ledger.scheme.demo.plan import (
    ANN,
    BILAL,
    CHILDREN,
    GROUPS,
    INDUCTED,
    Plan,
    coordinator_of,
    deputy_of,
    moment,
)
from ledger.scheme.opportunities import Details
from ledger.scheme.paper import Printing
from ledger.scheme.terms import Party

_OPEN_DAY: Final = "demo vouchers of the open day"


def begin(plan: Plan) -> None:
    """Plan what was brought along from before, and lay by what is spent at the end."""
    _beginnings(plan)
    for who, minutes in ((ANN, 60), (BILAL, 180), (6, 60), (18, 180), (27, 60), (33, 60), (41, 60)):
        plan.purses[who] -= minutes


def add(plan: Plan) -> None:
    """Plan the rest, when the weeks' round is known."""
    _pots(plan)
    _hours_waiting(plan)
    _lists_to_come(plan)
    _bookings_to_come(plan)
    _today(plan)


def _beginnings(plan: Plan) -> None:
    """What was brought along from before, and what is said once."""
    making, at = plan.making, plan.began + timedelta(hours=2)
    brought = [(who, 60 + 15 * (who * 7 % 12)) for who in (ANN, BILAL, *range(2, CHILDREN.start, 6))]
    plan.add(at, making.opened, "the_scheme_before", brought)
    for who, minutes in brought:
        plan.purses[who] += minutes
    for who in INDUCTED:
        plan.add(at, making.eligible, who, "gym_induction")
    for helped, helper in ((30, 31), (114, 8), (177, 64), (51, 50)):
        plan.add(at, making.helper, helped, helper)
    for number, who in enumerate((35, 88, 151)):
        serials = [f"SP{1000 + 17 * number + note}" for note in range(3 + number)]
        plan.add(plan.began + timedelta(days=9, hours=number), making.notes, who, serials)
    for project, giving in enumerate(PROJECTS):
        details = Details(
            title=giving.title,
            description=giving.description,
            kind=giving.kind,
            minutes=giving.minutes,
            place=giving.place,
            district=giving.district,
            tags=giving.tags,
            prerequisites=giving.prerequisites,
            joining_pence=giving.joining_pence,
            donation_note=giving.donation_note,
            referral=giving.referral,
            places=20,
        )
        plan.add(at, making.opportunity, project, details)
    for number, who in enumerate((26, 90, 141)):
        plan.add(moment(plan.today - timedelta(days=50 - 11 * number), 300), making.new_card, who)
    register = f"demo register 1 {_last(plan, PROJECTS[1].day, weeks=5)}"
    reason = "She left at noon: the sheet was read wrongly."
    plan.add(plan.now - timedelta(days=23), making.correct, register, 120, reason)


def _last(plan: Plan, weekday: int, *, weeks: int = 0) -> date:
    """The newest such day before today, or so many weeks before it."""
    back = (plan.today.weekday() - weekday - 1) % 7 + 1
    return plan.today - timedelta(days=back, weeks=weeks)


def _pots(plan: Plan) -> None:
    making = plan.making
    for number, (name, members) in enumerate(GROUPS):
        # Ann keeps the gardeners' pot with them, so there is something for her to agree to.
        keyholders = (*members[:2], ANN) if number == 0 else members[:2]
        plan.add(plan.began + timedelta(days=15 + number), making.group, name, keyholders, members[2:])
    printed = plan.now - timedelta(days=17)
    last_day = plan.today + timedelta(days=60)
    printing = Printing(group=None, label="Open day at the Saturday menders", minutes=60, count=10, last_day=last_day)
    plan.add(printed, making.printed, _OPEN_DAY, printing)
    plan.add(plan.now - timedelta(days=15), making.claim_vouchers, _OPEN_DAY, (39, 52, 65, 78))
    plan.add(plan.now - timedelta(days=11), making.pass_on, 117, 120, "For the days after the hospital.")
    course = plan.named("Watercolours, six evenings").number
    plan.add(
        plan.now - timedelta(days=1, hours=4), making.propose, "demo pot spend", GROUPS[0][0], GROUPS[0][1][0], course,
        Party(adults=4),
    )  # fmt: skip


def _evening(plan: Plan, days_ago: int, begins: int, minutes: int) -> tuple[datetime, datetime]:
    day = plan.today - timedelta(days=days_ago)
    return moment(day, begins), moment(day, begins + minutes)


def _hours_waiting(plan: Plan) -> None:
    """Claims at the first project, whose coordinator's key is shown; and a long day elsewhere."""
    making, chair = plan.making, coordinator_of(0)
    waiting = (
        (13, 5, 1020, 60, "Sharpened the big scissors for Jola."),
        (26, 4, 1050, 75, "Collected the donated bicycles from Histon."),
        (39, 3, 1080, 90, None),
        (52, 2, 990, 60, "Sorted the screws. All of them."),
    )
    for who, days_ago, begins, minutes, note in waiting:
        at = moment(plan.today - timedelta(days=days_ago), 1230)
        plan.add(at, making.claim, f"demo waiting {who}", 0, who, _evening(plan, days_ago, begins, minutes), note)
    long = "Drove the van to Peterborough and back for the workbenches."
    plan.add(moment(plan.today - timedelta(days=3), 1260), making.claim, "demo long day", 0, 65,
             _evening(plan, 3, 600, 420), long)  # fmt: skip
    plan.add(moment(plan.today - timedelta(days=2), 550), making.approve, "demo long day", 0, chair)
    plan.add(moment(plan.today - timedelta(days=6), 1240), making.claim, "demo queried", 0, 78,
             _evening(plan, 6, 1110, 120), "Mended at home.")  # fmt: skip
    text = "Lovely - was this the toaster, or the radio as well? Then we have the time right."
    plan.add(moment(plan.today - timedelta(days=5), 560), making.query, "demo queried", 0, chair, text)
    plan.add(moment(plan.today - timedelta(days=1), 1200), making.claim, "demo draft", 0, ANN,
             _evening(plan, 13, 1080, 45), draft=True)  # fmt: skip
    for who in (52, 104):
        plan.add(plan.now - timedelta(hours=2), making.project_card, 0, chair, who)
    # A stocktake that two lists tell of: one line is queried, one is long, one is the coordinator's own.
    stocktake, told_at = _evening(plan, 2, 600, 435), moment(plan.today - timedelta(days=2), 1140)
    lines = [(11, 435), (24, 240), (37, 180), (coordinator_of(8), 240)]
    plan.add(told_at, making.register, "demo stocktake", 8, coordinator_of(8), stocktake, lines)
    late = moment(plan.today - timedelta(days=1), 500)
    plan.add(
        late, making.register, "demo evening round", 8, deputy_of(8), _evening(plan, 2, 960, 120), [(11, 60), (50, 120)]
    )


def _lists_to_come(plan: Plan) -> None:
    """Sessions of the next weeks with who is expected, and yesterday's, of which one sign-out was forgotten."""
    making = plan.making
    for project, giving in enumerate(PROJECTS):
        day = plan.today + timedelta(days=(giving.day - plan.today.weekday() - 1) % 7 + 1)
        period = (moment(day, giving.begins), moment(day, giving.begins + giving.minutes))
        expected = [who for who in range(project, CHILDREN.start, 26) if who != coordinator_of(project)]
        plan.add(
            plan.now - timedelta(hours=3), making.sessions, f"demo sessions {project}", project, period, 4, expected
        )
    yesterday = _evening(plan, 1, 960, 120)
    plan.add(plan.now - timedelta(days=2), making.sessions, "demo open bench", 0, yesterday, 1, [104, 117, 130])
    for who in (104, 117):
        plan.add(yesterday[0] + timedelta(minutes=2 + who % 3), making.came, "demo open bench", who)
    plan.add(yesterday[1], making.left, "demo open bench", 104)


def _today(plan: Plan) -> None:
    """What goes on at a kiosk and at a till, at whatever time of day the county is loaded."""
    making, now, swim = plan.making, plan.now.replace(second=0, microsecond=0), plan.named("A swim")
    open_door = (now - timedelta(minutes=45), now + timedelta(hours=2))
    plan.add(plan.now - timedelta(days=2), making.sessions, "demo open door", 0, open_door, 1, [ANN, BILAL, 26])
    plan.add(plan.now - timedelta(days=1), making.book, "demo swim today", swim.number, 33, Party(), visit_at=now)
    plan.add(plan.now, making.visit, "demo visit today", swim.venue, swim.number, 41, Party(), by_pass=False)


def _bookings_to_come(plan: Plan) -> None:
    making, at = plan.making, plan.now - timedelta(days=2, hours=5)
    tomorrow = plan.today + timedelta(days=1)
    swim, rivers = plan.named("A swim"), plan.named("A day ticket with the special exhibition")
    for number, who in enumerate((ANN, 6, 18, 27)):
        visit_at = moment(tomorrow, 630 + 45 * number)
        plan.add(at, making.book, f"demo swim {number}", swim.number, who, Party(), visit_at=visit_at)
    plan.add(
        at,
        making.book,
        "demo rivers",
        rivers.number,
        BILAL,
        Party(),
        visit_at=moment(plan.today + timedelta(days=9), 690),
    )
    plan.add(plan.now - timedelta(days=20), making.gift, "demo gift to Ann", BILAL, ANN, 60, "For the lamp. It shines!")
    plan.add(plan.now - timedelta(days=19), making.accept, "demo gift to Ann", ANN)
    plan.add(plan.now - timedelta(days=1, hours=2), making.gift, "demo gift for Ann", 18, ANN, 120,
             "Take somebody to the pictures.")  # fmt: skip
