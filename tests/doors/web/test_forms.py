"""Forms: what was typed is kept and told field by field, and what was meant is taken."""

from datetime import UTC, date, datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from litestar.exceptions import ClientException
from msgspec import Meta, Struct

from ledger.doors.api.inputs import StrictRequest
from ledger.doors.fields import Minutes, Name, Text
from ledger.doors.web.forms import FIELDS_MAX, Form
from ledger.doors.web.pages import Visit
from ledger.scheme.callers import Caller, Scope
from ledger.scheme.refusals import TABLE, Declined, Refusal

KEY = "0191d2f4-7c1e-7000-8000-5b1d2a3c4d5e"
THING = "0191d2f4-7c1e-7000-8000-5b1d2a3c4d5e"


class Everything(Struct, frozen=True, kw_only=True):
    """A field of each kind."""

    name: Name
    minutes: Minutes
    day: date
    began: datetime
    thing: UUID | None = None
    note: Text = ""
    places: Annotated[int, Meta(ge=1, le=20)] | None = None
    tea: bool = False
    tags: list[str] = []


TYPED: dict[str, Any] = {
    "name": "Ann",
    "minutes_hours": "2",
    "minutes_minutes": "30",
    "day": "2026-11-22",
    "began_day": "2026-07-01",
    "began_time": "14:30",
}


def _as(scope: Scope, *, device: UUID | None = None) -> Caller:
    return Caller(key=UUID(int=1), scope=scope, object=None, device=device)


async def sent(*pairs: tuple[str, str], key: str = KEY, caller: Caller | None = None, **fields: str) -> Form:
    """A form as a browser sends it."""
    body = urlencode([*fields.items(), *pairs, *([("key", key)] if key else [])]).encode()
    return await _received(body, caller)


async def _received(body: bytes, caller: Caller | None = None, *, keyed: bool = True) -> Form:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b"", "state": {}}
    scope["user"] = Visit(None, caller)
    return await Form.sent(StrictRequest(scope, receive=receive), keyed=keyed)  # type: ignore[arg-type]  # what is read


async def test_each_field_is_taken_as_what_it_means() -> None:
    form = await sent(
        ("tags", "indoors"), ("tags", "quiet"), **TYPED, thing=THING, note=" two\r\nlines ", places="3", tea="yes"
    )

    assert form.take(Everything) == Everything(
        name="Ann",
        minutes=150,
        day=date(2026, 11, 22),
        began=datetime(2026, 7, 1, 13, 30, tzinfo=UTC),  # summer time in London
        thing=UUID(THING),
        note="two\nlines",
        places=3,
        tea=True,
        tags=["indoors", "quiet"],
    )
    assert not form.failed


async def test_what_was_left_empty_is_its_default() -> None:
    form = await sent(**TYPED, thing="", note="", places="")

    taken = form.take(Everything)
    assert taken is not None
    assert (taken.thing, taken.note, taken.places, taken.tea, taken.tags) == (None, "", None, False, [])


@pytest.mark.parametrize(
    ("field", "typed", "says"),
    [
        ("name", "", "is needed"),
        ("name", "   ", "is needed"),
        ("name", "x" * 201, "must have at most 200 characters"),
        ("name", "a\x00b", "holds a character that can't be shown"),
        ("day", "", "is needed"),
        ("day", "2026-02-30", "must be a date, such as 2026-03-14"),
        ("minutes_hours", "two", "must be whole hours and minutes, such as 2 and 30"),
        ("minutes_hours", "-2", "must be whole hours and minutes, such as 2 and 30"),
        ("minutes_hours", "99999", "must be whole hours and minutes, such as 2 and 30"),
        ("minutes_hours", "\u0662", "must be whole hours and minutes, such as 2 and 30"),
        ("minutes_hours", "101", "must be at most 100 hours"),
        ("began_day", "yesterday", "must be a day, and a time such as 14:30"),
        ("began_time", "", "must be a day, and a time such as 14:30"),
        ("thing", "7", "must be a UUID, such as 0191d2f4-7c1e-7000-8000-5b1d2a3c4d5e"),
        ("places", "0", "must be at least 1"),
        ("places", "many", "must be a whole number"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(field: str, typed: str, says: str) -> None:
    form = await sent(**(TYPED | {field: typed}))

    assert form.take(Everything) is None
    assert form.faults == {field.removesuffix("_hours").removesuffix("_day").removesuffix("_time"): says}
    assert form.value(field) == typed.strip().replace("\x00", "")
    assert (form.status, form.failed, form.key) == (422, True, KEY)


async def test_no_time_at_all_is_said_as_a_time() -> None:
    form = await sent(**(TYPED | {"minutes_hours": "0", "minutes_minutes": "0"}))
    assert form.take(Everything) is None
    assert form.faults == {"minutes": "must be at least 1 minute"}


async def test_all_that_is_wrong_is_said_at_once() -> None:
    form = await sent(**(TYPED | {"name": "", "day": "", "minutes_hours": "", "minutes_minutes": ""}))

    assert form.take(Everything) is None
    assert form.faults == {"name": "is needed", "day": "is needed", "minutes": "is needed"}


async def test_a_refusal_of_the_verb_is_said_at_the_fields_that_it_names() -> None:
    form = await sent(**TYPED)
    with form.heeding():
        raise Declined(Refusal.WRONG_VALUES, fields=(("name", "is taken"),))

    assert (form.faults, form.said, form.status) == ({"name": "is taken"}, "", 422)


async def test_a_refusal_of_the_whole_is_said_above_it_in_the_words_for_whoever_reads() -> None:
    row = TABLE[Refusal.INSUFFICIENT_CREDITS]
    for caller, says in (
        (None, row.visitor),
        (_as(Scope.PERSON), row.visitor),
        (_as(Scope.PROJECT, device=UUID(int=2)), row.visitor),  # at a kiosk nobody else stands
        (_as(Scope.PROJECT), f"{row.staff}."),
        (_as(Scope.VENUE), f"{row.staff}."),
        (_as(Scope.VENUE, device=UUID(int=2)), f"{row.staff}."),
        (_as(Scope.SCHEME), f"{row.staff}."),
    ):
        form = await sent(**TYPED, caller=caller)
        with form.heeding():
            raise Declined(Refusal.INSUFFICIENT_CREDITS)

        assert (form.faults, form.said, form.status) == ({}, says, row.status)


# What a key was used for, and the one that the form goes on with.
@pytest.mark.parametrize(
    ("key", "declined", "next_"),
    [
        (KEY, Declined(Refusal.QUOTA_FULL, used_up=True), f"{KEY}.2"),
        (f"{KEY}.2", Declined(Refusal.QUOTA_FULL, used_up=True), f"{KEY}.3"),
        (f"{KEY}.99", Declined(Refusal.KEY_REUSED, used_up=True), f"{KEY}.100"),
        # Something was done under it, or may still be.
        (KEY, Declined(Refusal.KEY_REUSED), KEY),
        (KEY, Declined(Refusal.QUOTA_FULL), KEY),
        (f"{KEY}.2", Declined(Refusal.WRONG_VALUES, fields=(("name", "is taken"),)), f"{KEY}.2"),
    ],
)
async def test_a_form_goes_on_under_the_next_key_where_its_own_can_do_nothing_any_more(
    key: str, declined: Declined, next_: str
) -> None:
    copies = [await sent(**TYPED, key=key) for _ in range(2)]
    for form in copies:
        for _ in range(2):  # however often it is said
            with form.heeding():
                raise declined

    assert {form.key for form in copies} == {next_}, "each copy of a form goes on under the same one"


async def test_a_key_that_was_used_for_something_else_is_said_in_words_for_people() -> None:
    for used_up, says in ((False, "You sent this before, and that counts."), (True, "could not be done")):
        form = await sent(**TYPED)
        with form.heeding():
            raise Declined(Refusal.KEY_REUSED, used_up=used_up)

        assert says in form.said


async def test_what_is_asked_whether_it_is_right_has_the_same_key_as_often_as_the_same_was_chosen() -> None:
    asked = [(await sent(**typed, key=key)).to_confirm().key for key in (KEY, "k") for typed in (TYPED, TYPED)]
    other = (await sent(**TYPED | {"name": "Bob"})).to_confirm().key

    assert asked[0] == asked[1]
    assert asked[2] == asked[3]
    assert len({*asked, other, KEY, "k"}) == 5


async def test_a_refusal_at_a_field_that_the_form_lacks_is_not_lost() -> None:
    form = await sent(**TYPED)
    with form.heeding():
        raise Declined(Refusal.WRONG_VALUES, fields=(("rules", "must be newer"),))

    assert form.said == "rules: must be newer"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"name=Ann",
        b"key=",
        b"key=a%20b",
        b"key=" + b"x" * 256,
        b"key=a&name=%ff",
        b"\xff",
        b"key=a&" + b"a=1&" * FIELDS_MAX,
    ],
    ids=["empty", "no key", "empty key", "a key with a space", "a long key", "no UTF-8", "no ASCII", "too many fields"],
)
async def test_what_is_no_form_of_ours_is_refused(body: bytes) -> None:
    with pytest.raises(ClientException):
        await _received(body)


async def test_a_form_of_what_is_done_once_anyway_may_come_without_a_key_and_keeps_one_that_came() -> None:
    assert (await _received(b"key=k&name=Ann", keyed=False)).key == "k"
    assert len((await _received(b"name=Ann", keyed=False)).key) == len(KEY)


def test_a_form_that_nobody_filled_in_has_a_key_of_its_own_and_the_values_it_was_given() -> None:
    one, other = Form.blank(name="Ann", tea=True, tags=["quiet"], note=None), Form.blank()

    assert (one.value("name"), one.value("tea"), one.values("tags"), one.value("note")) == ("Ann", "yes", ["quiet"], "")
    assert one.key != other.key
    assert not one.failed
