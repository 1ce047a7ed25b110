"""The register: who came to a session and for how long, typed in at once.

    the grid -> the check: what it comes to, rounded, and what would wait -> send, once under the form's key
             -> what is recorded, and slips for those without an account

The grid lists who is likely (see ``sheets``) and has empty rows for others: a name that the project knows is that
person, another is somebody new. Where it is known more than once, or meant somebody else, the row asks who it is.

One address takes the grid, the check and the sending, told apart by the button (`step`), as are "Everybody came" and
"Change the day or time"; each form carries all that was typed, so nothing is lost by going back, by an error, or by a
sign-in that ran out. Where the time is changed, who was there for the `whole` of it still is. What is sent is what the
check showed: a name that was looked up is sent with whom it was found to be, so that sending again says the same.

At most `ROWS_MAX` people a page: a register of more is posted by the API.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from ledger.doors.web import namesakes
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _, gettext, go, page, pdf, said_in, sentence_in
from ledger.doors.web.paper import Press, RegisterSheet, RegisterWords, SlipWords, Voucher, Vouchers, translated
from ledger.scheme.clock import LONDON, Clock, day_of
from ledger.scheme.hours import rounded
from ledger.scheme.namesakes import Namesake
from ledger.scheme.refusals import Declined, Refusal
from ledger.scheme.registers import Line, Register, Registers
from ledger.scheme.sheets import Known, Listed, Recorded, Sheet, Sheets, Told

# Three times what a hall holds, and well below what a form may have.
ROWS_MAX: Final = 150
_EMPTY_ROWS: Final = 4
_NAME_MAX: Final = 200
# A night at a shelter ends on the next day; 14:00 to 13:00 is a slip of the pen.
_NIGHT_MAX: Final = timedelta(hours=14)
# Of the choices of a name: one person, and somebody new.
_ONE_KNOWN: Final = 2

_ROW: Final = re.compile(r"(?:person|name)_([0-9]{1,3})")
_STAY: Final = re.compile(r"hours_([0-9]{1,3})")
_LINE: Final = re.compile(r"lines\[([0-9]+)\](?:\.\w+)?")
_NUMBER: Final = re.compile(r"[0-9]{0,4}")
# How long the session was as the form was shown, in minutes.
_WHOLE_TIME: Final = "whole"

# What is wrong with a row, after the name that stands in it.
_TIME_NEEDED: Final = _("needs a time, or Just tea")
_WHOLE: Final = _("needs whole hours and minutes, such as 2 and 30")
_TWICE: Final = _("stands here twice")
_WHICH: Final = _("is a name that more than one person has: say who it is")
_LONG: Final = _("is too long a name")
_NO_SLIP: Final = _("gave no time, so there is no slip to print")
_HAS_SLIP: Final = _("has a slip for this session already")
_NOBODY: Final = _("is nobody whom this project knows")
_AT_MOST: Final = _("can have at most %(time)s here: the session was no longer")
_NOBODY_CAME: Final = _("Nobody is on the register yet. Choose Came for who was here.")
_NOT_OVER: Final = _("You can send the register when the session is over: %(end)s. What you typed stays here.")
_TOO_LONG_AGO: Final = _("The session was too long ago for a register. Ask the office to add these hours.")
_SENT_BEFORE: Final = _("This register was sent before, in other words. Nothing was counted twice.")


class Entry(Struct):
    """A row as it was typed, whose name is looked up as far as it must be; without a line it says nothing."""

    key: str
    name: str
    person: UUID | None
    line: Line | None = None
    says: str = ""
    """What is to be seen of it before it is sent."""
    choices: Sequence[tuple[str, str]] = ()


class Shown(Struct, frozen=True):
    """A line of the check: whose, what about it, and the minutes as they will be recorded."""

    name: str
    says: str
    minutes: int


class When(Struct, frozen=True):
    """A session that wasn't planned: its day and times as they were typed, and as moments."""

    day: str
    begins: str
    ends: str
    started_at: datetime
    ended_at: datetime

    @property
    def fields(self) -> Sequence[tuple[str, str]]:
        """As they travel in the form."""
        return (("day", self.day), ("begins", self.begins), ("ends", self.ends))


def routes(access: Access, registers: Registers, sheets: Sheets, press: Press, clock: Clock) -> list[HTTPRouteHandler]:
    """Return the routes of registers."""
    desk = _Desk(registers, sheets)
    only = access.only(Who.COORDINATOR)

    @get("/projects/{project:uuid}/sessions/{session:uuid}/register", before_request=only)
    async def grid(request: PageRequest, project: FromPath[UUID], session: FromPath[UUID]) -> Response[Any]:
        sheet = await sheets.of_session(request.user.caller, project, session)
        return desk.blank(request, sheet, None)

    @post("/projects/{project:uuid}/sessions/{session:uuid}/register", before_request=only, status_code=303)
    async def send(request: PageRequest, project: FromPath[UUID], session: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        return await desk.take(request, form, await sheets.of_session(request.user.caller, project, session), None)

    @get("/projects/{project:uuid}/register/new", before_request=only)
    async def new(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        query = request.query_params
        typed = {name: query.get(name, "") for name in ("day", "begins", "ends")}
        form = Form.blank(**(typed if any(typed.values()) else {"day": day_of(clock()).isoformat()}))
        if any(typed.values()) and (when := _when(form)) is not None:
            with form.heeding():
                sheet = await sheets.of_time(request.user.caller, project, when.started_at, when.ended_at)
                return desk.blank(request, sheet, when)
        return _asked_when(request, project, form)

    @post("/projects/{project:uuid}/register/new", before_request=only, status_code=303)
    async def send_new(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        if form.value("step") != "when" and (when := _when(form)) is not None:
            with form.heeding():
                sheet = await sheets.of_time(request.user.caller, project, when.started_at, when.ended_at)
                return await desk.take(request, form, sheet, when)
        return _asked_when(request, project, form)

    @get("/projects/{project:uuid}/sessions/{session:uuid}/recorded", before_request=only)
    async def recorded(request: PageRequest, project: FromPath[UUID], session: FromPath[UUID]) -> Response[Any]:
        found = await sheets.recorded(request.user.caller, project, session)
        return _recorded(request, found)

    @get("/projects/{project:uuid}/sessions/{session:uuid}/slips", before_request=only)
    async def slips(request: PageRequest, project: FromPath[UUID], session: FromPath[UUID]) -> Response[Any]:
        found = await sheets.recorded(request.user.caller, project, session)
        said = said_in(request)
        note = f"{found.alias}, {said.dated(found.started_at)}"
        vouchers = [
            Voucher(code=each.code, worth=said.credits(each.minutes), note=f"{each.name or ''} \u2013 {note}")
            for each in found.lines
            if each.code is not None
        ]
        if not vouchers:
            raise Declined(Refusal.NOT_FOUND, "There is no slip to print.")
        words = translated(SlipWords, gettext(request))
        return pdf(await press.pdf(Vouchers(vouchers=vouchers, words=words)), "slips")

    async def sheet_of_paper(request: PageRequest, alias: str, day: str, names: Sequence[str]) -> Response[Any]:
        words = translated(RegisterWords, gettext(request))
        document = RegisterSheet(alias=alias, day=day, expected=names, words=words)
        return pdf(await press.pdf(document), "register")

    @get("/projects/{project:uuid}/sessions/{session:uuid}/sheet", before_request=only)
    async def paper(request: PageRequest, project: FromPath[UUID], session: FromPath[UUID]) -> Response[Any]:
        sheet = await sheets.of_session(request.user.caller, project, session)
        day = said_in(request).period(sheet.started_at, sheet.ended_at)
        return await sheet_of_paper(request, sheet.alias, day, [each.name for each in _likely(sheet)])

    @get("/projects/{project:uuid}/sheet", before_request=only)
    async def paper_of_any_day(request: PageRequest, project: FromPath[UUID]) -> Response[Any]:
        found = await sheets.regulars(request.user.caller, project)
        return await sheet_of_paper(request, found.alias, "", found.names)

    return [grid, send, new, send_new, recorded, slips, paper, paper_of_any_day]


class _Desk:
    """Where a register is filled in, looked at and sent."""

    def __init__(self, registers: Registers, sheets: Sheets) -> None:
        self._registers = registers
        self._sheets = sheets

    def blank(self, request: PageRequest, sheet: Sheet, when: When | None) -> Response[Any]:
        """The grid as it is first shown: who is signed in came."""
        likely = _likely(sheet)[:ROWS_MAX]
        values: dict[str, str] = {}
        for number, each in enumerate(likely):
            values |= _stay(str(number), each.usual, "absent" if each.came_at is None else "came")
        for key in _others(len(likely), _EMPTY_ROWS):
            values |= _stay(key, sheet.minutes, "came")
        rows = [Entry(str(number), each.name, each.person) for number, each in enumerate(likely)]
        return self._grid(request, Form.blank(**values), sheet, when, rows)

    async def take(self, request: PageRequest, form: Form, sheet: Sheet, when: When | None) -> Response[Any]:
        """The check, or what was recorded; the grid again if something is wrong or to be changed."""
        step = form.value("step")
        rows = await self._read(request, form, sheet, sends=step == "send")
        register = Register(
            project=sheet.project,
            session=sheet.session,
            started_at=None if when is None else when.started_at,
            ended_at=None if when is None else when.ended_at,
            lines=[row.line for row in rows if row.line is not None],
        )
        if step in {"change", "all"}:
            form.faults.clear()
            form.status = 200
            form = _stretched(form, sheet.minutes)
            if step == "all":
                came = {f"state_{row.key}": ["came"] for row in rows if row.person is not None}
                form = _with(Form(form.key, came), {name: form.value(name) for name in form.names()})
        elif not register.lines and not form.failed:
            form.refuse(_NOBODY_CAME, 422)
        elif not form.failed:
            try:
                if step == "send":
                    done, _replayed = await self._registers.record(request.user.caller, form.key, register)
                    return go(f"/projects/{sheet.project}/sessions/{done.id}/recorded", "recorded")
                return await self._checked(request, form, sheet, rows, register)
            except Declined as declined:
                if declined.reason is Refusal.SENT_BEFORE:
                    return await self._sent_before(request, sheet)
                _heed(request, form, declined, sheet, [row for row in rows if row.line is not None])
        return self._grid(request, form, sheet, when, rows)

    async def _sent_before(self, request: PageRequest, sheet: Sheet) -> Response[Any]:
        """To what stands recorded of it; where it was no session yet, to the one that was made meanwhile."""
        session = sheet.session
        if session is None:
            found = await self._sheets.of_time(request.user.caller, sheet.project, sheet.started_at, sheet.ended_at)
            session = found.beside
        return go(f"/projects/{sheet.project}/sessions/{session}/recorded", "sent_before")

    async def _checked(
        self,
        request: PageRequest,
        form: Form,
        sheet: Sheet,
        rows: Sequence[Entry],
        register: Register,
    ) -> Response[Any]:
        checked = await self._registers.check(request.user.caller, register)
        lines = [row for row in rows if row.line is not None]
        said = gettext(request)
        shown, fixed = [], {"step": ""}
        for row, minutes in zip(lines, checked.minutes, strict=True):
            assert row.line is not None
            says = [row.says] if row.says else []
            if minutes != row.line.minutes:
                length = said_in(request).duration
                becomes = said("%(before)s becomes %(after)s")
                says.insert(0, becomes % {"before": length(row.line.minutes), "after": length(minutes)})
            shown.append(Shown(row.name, "; ".join(says), minutes))
            if minutes:
                fixed |= _stay(row.key, minutes, "came")
            if row.person is None:
                fixed[f"who_{row.key}"] = str(row.line.person or namesakes.new(row.name))
                fixed[f"another_{row.key}"] = "yes" if row.line.another else ""
        kept = [(name, fixed.get(name, form.value(name))) for name in form.names() if name not in fixed]
        kept += [(name, value) for name, value in fixed.items() if name != "step"]
        return page(
            request,
            "project/register_check.html",
            form=form,
            sheet=sheet,
            when=said_in(request).period(sheet.started_at, sheet.ended_at),
            checked=checked,
            lines=shown,
            existing=sheet.beside,
            kept=kept,
            action=_action(sheet),
        )

    async def _read(self, request: PageRequest, form: Form, sheet: Sheet, *, sends: bool) -> list[Entry]:
        """The rows of a form with their lines, and what is wrong with them told to the form.

        What is sent was looked up before it was shown, and is taken as it stands.
        """
        rows = list(_rows(form))
        here = {each.person: each.name for each in (*sheet.listed, *sheet.regulars)}
        unnamed = [row.person for row in rows if row.person is not None and row.person not in here]
        strangers = [row for row in rows if row.person is None and row.name]
        known, people = await self._sheets.find(
            request.user.caller, sheet.project, [row.name for row in strangers], unnamed
        )
        names = here | {id_: each.name for id_, each in people.items()}
        for row, found in zip(strangers, known, strict=True):
            row.choices = _choices(request, row.name, found)
        seen: set[UUID | str] = set()
        for row in rows:
            if row.person is not None:
                row.name = names.get(row.person, "")
                if not row.name:
                    form.fault(f"state_{row.key}", _NOBODY)
                    row.name = "?"
            state = form.value(f"state_{row.key}")
            if state in {"came", "tea"}:
                minutes = _minutes(request, form, row.key, sheet) if state == "came" else 0
                row.line = _line(request, form, row, sheet, minutes, sends=sends)
                who = row.name.casefold() if row.line is None or row.line.person is None else row.line.person
                if who in seen and not (sends and row.person is None):
                    form.fault(_place(row), _TWICE)
                seen.add(who)
        return rows

    def _grid(
        self, request: PageRequest, form: Form, sheet: Sheet, when: When | None, rows: Sequence[Entry]
    ) -> Response[Any]:
        notes = {each.person: _note(request, each) for each in sheet.listed}
        others = [(row.key, row.choices) for row in rows if row.person is None]
        empty = _others(max((int(row.key) + 1 for row in rows), default=0), _EMPTY_ROWS)
        form = _with(form, {name: value for key in empty for name, value in _stay(key, sheet.minutes, "came").items()})
        return page(
            request,
            "project/register.html",
            status=form.status,
            form=form,
            sheet=sheet,
            when=said_in(request).period(sheet.started_at, sheet.ended_at),
            times=() if when is None else (*when.fields, (_WHOLE_TIME, str(sheet.minutes))),
            told=[each for each in sheet.listed if each.is_told],
            sent_before=form.said == _SENT_BEFORE,
            people=[
                (row.key, row.name, notes.get(row.person, ""), row.person) for row in rows if row.person is not None
            ],
            rows=[*others, *((key, ()) for key in empty)],
            names=_suggested(sheet),
            action=_action(sheet),
        )


# --- reading what was typed ---------------------------------------------------------------------------------


def _rows(form: Form) -> Iterator[Entry]:
    """The rows that say anything, in their order."""
    numbers = sorted({int(found[1]) for name in form.names() if (found := _ROW.fullmatch(name))})
    for key in map(str, numbers[: ROWS_MAX * 2]):
        name, person = " ".join(form.value(f"name_{key}").split()), form.value(f"person_{key}")
        if _is_id(person):
            yield Entry(key, name, UUID(person))
        elif name:
            yield Entry(key, name, None)


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _minutes(request: PageRequest, form: Form, key: str, sheet: Sheet) -> int:
    """The minutes of a row as they were typed; 0, with a sentence, if they are no time of this session."""
    hours, minutes = form.value(f"hours_{key}"), form.value(f"minutes_{key}")
    if not _NUMBER.fullmatch(hours) or not _NUMBER.fullmatch(minutes):
        form.fault(f"hours_{key}", _WHOLE)
        return 0
    typed = int(hours or 0) * 60 + int(minutes or 0)
    if not typed:
        form.fault(f"hours_{key}", _TIME_NEEDED)
    elif rounded(typed, sheet.step) > sheet.minutes:
        form.fault(f"hours_{key}", gettext(request)(_AT_MOST) % {"time": said_in(request).duration(sheet.minutes)})
    return typed


def _line(request: PageRequest, form: Form, row: Entry, sheet: Sheet, minutes: int, *, sends: bool) -> Line | None:
    """A row's line; what is to be seen of it is told to the row."""
    said = gettext(request)
    if row.person is not None:
        return Line(minutes=minutes, person=row.person)
    if len(row.name) > _NAME_MAX:
        form.fault(f"name_{row.key}", _LONG)
        return None
    if form.value(f"slip_{row.key}"):
        if not minutes:
            form.fault(f"hours_{row.key}", _NO_SLIP)
        if not sends and row.name.casefold() in {label.casefold() for label in sheet.slips}:
            form.fault(f"name_{row.key}", _HAS_SLIP)
        row.says = said(_("gets a slip with a code"))
        return Line(minutes=minutes, voucher=row.name)
    # Said of another name, which was typed over, it says nothing of this one.
    possible = {*(value for value, _says in row.choices), namesakes.new(row.name)}
    who = form.value(f"who_{row.key}")
    who = who if who in possible else ""
    if not who and len(row.choices) == _ONE_KNOWN:
        who = row.choices[0][0]
    if not who and row.choices:
        form.fault(f"who_{row.key}", _WHICH)
        return None
    if not _is_id(who):
        row.says = said(_("new here: gets an account"))
        # They were shown who has that name, and said that it is somebody else.
        another = bool(form.value(f"another_{row.key}") if sends else row.choices)
        return Line(minutes=minutes, name=row.name, another=another)
    row.says = next(says for value, says in row.choices if value == who)
    return Line(minutes=minutes, person=UUID(who))


def _place(row: Entry) -> str:
    """The field at which something is said of a whole row."""
    return f"name_{row.key}" if row.person is None else f"state_{row.key}"


def _when(form: Form) -> When | None:
    """The day and times of a session that wasn't planned; None, with a sentence at each that is wrong."""
    typed = {name: form.value(name) for name in ("day", "begins", "ends")}
    day, times = date.min, {}
    try:
        day = date.fromisoformat(typed["day"])
    except ValueError:
        form.fault("day", _("must be a day, such as 22 November 2026"))
    for name in ("begins", "ends"):
        try:
            times[name] = time.fromisoformat(typed[name]).replace(tzinfo=None)
        except ValueError:
            form.fault(name, _("must be a time of day, such as 14:30"))
    if form.faults:
        return None
    began, ended = (datetime.combine(day, times[name], LONDON) for name in ("begins", "ends"))
    if ended <= began and (next_day := ended + timedelta(days=1)) - began <= _NIGHT_MAX:
        ended = next_day
    if ended <= began:
        form.fault("ends", _("must be after the beginning"))
        return None
    return When(**typed, started_at=began.astimezone(UTC), ended_at=ended.astimezone(UTC))


# The moments that a verb takes, and the fields that they are typed in.
_OF_TIMES: Final = {"started_at": "day", "ended_at": "ends"}


def _heed(request: PageRequest, form: Form, declined: Declined, sheet: Sheet, lines: Sequence[Entry]) -> None:
    """Say what was refused at the rows that it is about, or above them."""
    said = gettext(request)
    rest = []
    for name, says in declined.fields:
        found = _LINE.fullmatch(name)
        if found and int(found[1]) < len(lines):
            row = lines[int(found[1])]
            form.fault(_place(row), says)
        else:
            rest.append((name, says))
    form.go_on(declined)
    if declined.reason is Refusal.KEY_REUSED and not declined.used_up:
        form.refuse(_SENT_BEFORE, 409)
    elif rest and not sheet.is_over:
        form.refuse(said(_NOT_OVER) % {"end": said_in(request).moment(sheet.ended_at)}, 422)
    elif rest:
        form.refuse(_TOO_LONG_AGO, 422)
    elif not declined.fields:
        form.heed(declined)


# --- showing it ---------------------------------------------------------------------------------------------


def _likely(sheet: Sheet) -> list[Listed]:
    """Who may be on the register, by name."""
    open_ = [each for each in sheet.listed if not each.is_told]
    return sorted((*open_, *sheet.regulars), key=lambda each: (each.name.casefold(), each.person))


def _stay(key: str, minutes: int, state: str) -> dict[str, str]:
    """The fields of a row for so many minutes."""
    hours, rest = divmod(minutes, 60)
    return {f"state_{key}": state, f"hours_{key}": str(hours), f"minutes_{key}": str(rest)}


def _others(first: int, count: int) -> list[str]:
    return [str(number) for number in range(first, first + count)]


def _with(form: Form, values: Mapping[str, str]) -> Form:
    """The same form, with these in fields that it doesn't have."""
    typed = {name: [value] for name, value in values.items()} | {name: [form.value(name)] for name in form.names()}
    fuller = Form(form.key, typed)
    fuller.faults, fuller.said, fuller.status = form.faults, form.said, form.status
    return fuller


def _stretched(form: Form, minutes: int) -> Form:
    """The same form, in which who stayed the whole of the time before stays the whole of this one."""
    before = form.value(_WHOLE_TIME)
    if not before or not _NUMBER.fullmatch(before) or int(before) == minutes:
        return form
    whole: dict[str, list[str]] = {}
    for key in (found[1] for name in form.names() if (found := _STAY.fullmatch(name))):
        typed = [form.value(f"{part}_{key}") for part in ("hours", "minutes")]
        if all(map(_NUMBER.fullmatch, typed)) and int(typed[0] or 0) * 60 + int(typed[1] or 0) == int(before):
            whole |= {name: [value] for name, value in _stay(key, minutes, form.value(f"state_{key}")).items()}
    return _with(Form(form.key, whole), {name: form.value(name) for name in form.names()})


def _asked_when(request: PageRequest, project: UUID, form: Form) -> Response[Any]:
    """Ask when it was; what a register has so far stays in the form."""
    form.say_at(_OF_TIMES)
    of_times = {"day", "begins", "ends", "step"}
    kept = [(name, form.value(name)) for name in form.names() if name not in of_times]
    return page(request, "project/register_when.html", status=form.status, form=form, project=project, kept=kept)


def _note(request: PageRequest, each: Listed) -> str:
    said = gettext(request)
    if each.came_at is not None:
        return said(_("signed in at %(time)s")) % {"time": said_in(request).clock(each.came_at)}
    return said(_("expected")) if each.state is not None else ""


def _choices(request: PageRequest, name: str, found: Sequence[Known]) -> Sequence[tuple[str, str]]:
    """Whom a name may be, if it is that of anybody."""
    if not found:
        return ()
    people = [Namesake(person=each.person, name=each.name, last_at=each.last_at) for each in found]
    nobody = [("", gettext(request)(_("Please choose")))] if len(found) > 1 else []
    return (*nobody, *namesakes.choices(request, name, people))


def _suggested(sheet: Sheet) -> list[str]:
    return sorted({each.name for each in sheet.known}, key=str.casefold)


def _action(sheet: Sheet) -> str:
    where = "register/new" if sheet.session is None else f"sessions/{sheet.session}/register"
    return f"/projects/{sheet.project}/{where}"


def _recorded(request: PageRequest, found: Recorded) -> Response[Any]:
    said = sentence_in(request)
    waits = [(each, _reason(each)) for each in found.lines if not each.is_awarded]
    return page(
        request,
        "project/recorded.html",
        recorded=found,
        when=said_in(request).period(found.started_at, found.ended_at),
        given=sum(each.minutes for each in found.lines if each.is_awarded),
        waiting=sum(each.minutes for each, _reason in waits),
        awarded=[each for each in found.lines if each.is_awarded],
        slips=[each for each in found.lines if each.code is not None],
        waits=[
            {"claim": each.claim, "name": each.name, "minutes": each.minutes, "reason": " ".join(map(said, reasons))}
            for each, reasons in waits
        ],
    )


def _reason(each: Told) -> Sequence[str]:
    if each.consent_needed:
        return [_("A guardian says yes first.")]
    return each.explained or [_("Somebody has a look first.")]
