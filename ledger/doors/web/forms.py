"""Forms: what somebody typed, field by field; what is wrong with it; and the key under which it is done once.

    typed text -> `take` -> a Struct with every field of its own type, or None and a sentence at each wrong field
                             the verb is called in `with form.heeding():` -> its refusal becomes sentences, too

Promises: nothing typed is lost: a form that can't be taken is shown again as it was, with all that is wrong at once and
not one thing after the other. Text is trimmed, its line breaks are plain, and it holds no control character.

The key is made when a form is first shown and travels in it, so that a second click, Back and send again, or a second
tab with the same form do what was asked once (where Back fetches a page anew, `site.js` remembers the key). A refusal
that stands is kept under the key, so the form is shown again under the next one (`Form.heed`) and can be mended. The
next key follows from the one before, and is given out only where that one can't do anything any more: of all the keys
of a form, whichever copies of it are sent, one does something at most.

A refusal is said in the words that are meant for whoever reads: to volunteers the visitor's, to whoever is at work here
(coordinators, venues and their tills, the office) the staff's. A page that asks whether it is right has a key that
follows from what it shows (`Form.to_confirm`): the same choice, sent twice, is one.

Bounds: `FIELDS_MAX` fields of a body that the guard has bounded (64 KiB). What isn't a form at all (broken UTF-8, a
form without its key) raises a 400: no page of ours sends it.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from functools import cache
from typing import Any, Final, TypeVar, get_args, get_origin
from urllib.parse import parse_qsl, urlencode

import msgspec
from litestar import Request
from litestar.exceptions import ClientException
from msgspec import UNSET, Struct, UnsetType

from ledger.doors.fields import KEY_PATTERN, in_plain_words
from ledger.doors.web.pages import _ as marked
from ledger.doors.web.pages import is_at_work
from ledger.journal.entries import new_key
from ledger.scheme.clock import LONDON
from ledger.scheme.hours import in_words as as_length
from ledger.scheme.refusals import TABLE, Declined, Refusal

# A register of 100 people has 500; a page of preferences 20.
FIELDS_MAX: Final = 2_000
_KEY_MAX: Final = 255
_KEY_SHARED_MAX: Final = 100  # leaves room for two ids and a word
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# The end of a key that isn't a form's first. A dot, for a kiosk's turn is what stands before the first one.
_FOLLOWS: Final = re.compile(r"\.(\d{1,3})$")
_BOUND: Final = re.compile(r"must be at (least|most) (\d+)")
_MISSING: Final = marked("is needed")
_SENT_BEFORE: Final = marked(
    "You sent this before, and that counts. Nothing is done twice. To send something else, open the page anew."
)
_NOT_DONE: Final = marked("What you sent first could not be done. Please look at this once more, and send it again.")
_Taken = TypeVar("_Taken", bound=Struct)


class Form:
    """One form: as it is first shown (`Form.blank`) or as it came back (`Form.sent`)."""

    def __init__(self, key: str, typed: Mapping[str, list[str]], *, at_work: bool = False) -> None:
        self.key = key
        """Travels in the form as `key`, and is the Idempotency-Key of what it asks."""
        self.faults: dict[str, str] = {}
        """What is wrong, by field, as a sentence without its subject: "must be at least 1"."""
        self.said = ""
        """What is wrong with the whole."""
        self.drawn: dict[str, tuple[str, str]] = {}
        """What each field is called on the page, and its id there: told by `parts.html` as it draws it."""
        self.status = 200
        self._typed = typed
        self._sent = key
        self._at_work = at_work

    @classmethod
    def blank(cls, **values: str | list[str] | bool | None) -> "Form":
        """A form that nobody filled in yet, but for these values."""
        typed = {}
        for name, value in values.items():
            if isinstance(value, list):
                typed[name] = value
            elif isinstance(value, bool):
                typed[name] = ["yes"] if value else []
            elif value is not None:
                typed[name] = [value]
        return cls(new_key(), typed)

    @classmethod
    async def sent(cls, request: Request[Any, Any, Any], *, keyed: bool = True) -> "Form":
        """The form that was sent; not `keyed`, where doing it twice is doing it once (signing out)."""
        try:
            pairs = parse_qsl(
                (await request.body()).decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=FIELDS_MAX,
            )
        except ValueError:
            raise ClientException(marked("This form can't be read.")) from None
        typed: dict[str, list[str]] = {}
        for name, value in pairs:
            typed.setdefault(name, []).append(_plain(value))
        key = typed.pop("key", [""])[0]
        if len(key) > _KEY_MAX or not re.match(KEY_PATTERN, key):
            if keyed:
                raise ClientException(marked("This form came without its key."))
            key = new_key()
        form = cls(key, typed, at_work=is_at_work(request))
        for name, values in typed.items():
            if any(map(_CONTROL.search, values)):
                form.fault(name, marked("holds a character that can't be shown"))
                typed[name] = [_CONTROL.sub("", value) for value in values]
        return form

    @classmethod
    def asked(cls, request: Request[Any, Any, Any]) -> "Form":
        """What a search was asked for, in its address."""
        typed: dict[str, list[str]] = {}
        for name, value in request.query_params.multi_items():
            typed.setdefault(name, []).append(_plain(_CONTROL.sub("", value)))
        return cls(new_key(), typed)

    def query(self, search: type[Struct], **more: str) -> str:
        """The fields of that search that are set, and these, as the end of an address: to go on, and to come back."""
        asked = {name: self.value(name) for name in search.__struct_fields__ if self.value(name)}
        return f"?{urlencode(asked | more)}" if asked or more else ""

    @property
    def failed(self) -> bool:
        """Whether something is wrong."""
        return bool(self.faults or self.said)

    def value(self, name: str) -> str:
        """What stands in a field; nothing if it is empty."""
        return next(iter(self._typed.get(name, ())), "")

    def values(self, name: str) -> list[str]:
        """All that was chosen in a group of boxes."""
        return [value for value in self._typed.get(name, ()) if value]

    def key_for(self, *what: object) -> str:
        """The key of one of the things that a page of many buttons asks: they share the page's, each is done once."""
        return ":".join([self.key[:_KEY_SHARED_MAX], *map(str, what)])

    def to_confirm(self) -> "Form":
        """The form of the page that asks whether this is right: another choice has another key, the same the same."""
        said = repr(sorted((name, values) for name, values in self._typed.items()))
        return Form(hashlib.sha256(f"{self.key} {said}".encode()).hexdigest(), {}, at_work=self._at_work)

    def draw(self, parts: Sequence[str], key: str, label: str, target: str) -> str:
        """Note that a template draws these fields as one row, and return its first fault; each leads to ``target``."""
        fields = [part + key for part in parts]
        self.drawn.update(dict.fromkeys(fields, (label, target + key)))
        return next((self.faults[field] for field in fields if field in self.faults), "")

    def names(self) -> Iterator[str]:
        """The fields that came."""
        return iter(self._typed)

    def fault(self, name: str, says: str) -> None:
        """Say what is wrong with a field; the first word stands."""
        self.faults.setdefault(name, says)
        self.status = 422

    def refuse(self, said: str, status: int = 409) -> None:
        """Say what is wrong with the whole."""
        self.said, self.status = said, status

    def heeding(self) -> "_Heeding":
        """Turn a refusal of the verb within into words on this form."""
        return _Heeding(self)

    def heed(self, declined: Declined, *, fields: tuple[tuple[str, str], ...] | None = None) -> None:
        """Say what was refused: at the fields that it names (``fields``, if this form calls them otherwise), and above.

        Where the key is used up by it, the form goes on under the next one.
        """
        fields = declined.fields if fields is None else fields
        for name, says in fields:
            self.fault(name, says)
        placed = {name.removesuffix(part) for name in self._typed for part in ("", "_hours", "_day")}
        unplaced = "; ".join(f"{name}: {says}" for name, says in fields if name not in placed)
        says = declined.detail or unplaced or ("" if fields else in_words(declined, at_work=self._at_work))
        self.refuse(says, TABLE[declined.reason].status)
        self.go_on(declined)

    def say_at(self, fields: Mapping[str, str]) -> None:
        """Say what is wrong with what a verb takes at the fields from which it was made, by their names."""
        for name, field in fields.items():
            if fault := self.faults.pop(name, ""):
                self.fault(field, fault)
                self.said = ""

    def go_on(self, declined: Declined) -> None:
        """Take the next key, if nothing was done under this one and nothing ever will be."""
        if declined.used_up:
            found = _FOLLOWS.search(self._sent)
            self.key = f"{self._sent[: found.start()]}.{int(found[1]) + 1}" if found else f"{self._sent}.2"

    def take(self, wanted: type[_Taken]) -> _Taken | None:
        """The fields as the Struct that the verb takes; None, with a sentence at each, if any is wrong.

        An empty field is its default; a box that isn't ticked is False. `x_hours` and `x_minutes` make minutes `x`,
        `x_day` and `x_time` a moment `x` in London.
        """
        found: dict[str, Any] = {}
        for field, kinds in _fields(wanted):
            value = self._taken(field, kinds)
            if value is not UNSET:
                found[field.name] = value
        if self.faults:
            return None
        try:
            return wanted(**found)
        except (ValueError, TypeError) as error:  # from a Struct's own `__post_init__`
            fault = in_plain_words(str(error))[1]
            self.fault(fault.field, fault.message)
            return None

    def minutes(self, name: str) -> int | None:
        """Hours and minutes from two fields, in minutes; None, with a sentence, if they are no such time."""
        hours, minutes = self.value(f"{name}_hours"), self.value(f"{name}_minutes")
        if not hours and not minutes:
            self.fault(name, _MISSING)
            return None
        if not all(part.isascii() and (part.isdigit() or not part) and len(part) <= 4 for part in (hours, minutes)):  # noqa: PLR2004
            self.fault(name, marked("must be whole hours and minutes, such as 2 and 30"))
            return None
        return int(hours or 0) * 60 + int(minutes or 0)

    def moment(self, name: str) -> datetime | None:
        """A day and a time of day in London from two fields."""
        try:
            day = date.fromisoformat(self.value(f"{name}_day"))
            at = time.fromisoformat(self.value(f"{name}_time"))
        except ValueError:
            self.fault(name, marked("must be a day, and a time such as 14:30"))
            return None
        return datetime.combine(day, at.replace(tzinfo=None), LONDON)

    def _taken(self, field: msgspec.structs.FieldInfo, kinds: set[Any]) -> Any:  # noqa: ANN401  # of the field's own type
        name = field.name
        if f"{name}_hours" in self._typed:
            is_empty = not (self.value(f"{name}_hours") or self.value(f"{name}_minutes"))
            if is_empty and not field.required:
                return UNSET
            minutes = self.minutes(name)
            return None if minutes is None else self._typed_as(field, minutes, says=_of_minutes)
        if f"{name}_time" in self._typed:
            return self.moment(name)
        if bool in kinds:
            return bool(self.value(name))
        value: str | list[str] = self.values(name) if kinds & {list, tuple} else self.value(name)
        if not value and (not field.required or type(None) in kinds):
            return UNSET if not field.required else None
        return self._typed_as(field, value)

    def _typed_as(
        self,
        field: msgspec.structs.FieldInfo,
        value: str | list[str] | int,
        says: Callable[[str], str] = str,
    ) -> Any:  # noqa: ANN401  # its own
        """The value as the field's type takes it, or a fault at the field; ``says`` it in the field's own words."""
        try:
            return msgspec.convert(value, field.type, strict=False)
        except msgspec.ValidationError as error:
            is_missing = value in ("", [])
            self.fault(field.name, _MISSING if is_missing else says(_for_people(in_plain_words(str(error))[1].message)))
            return UNSET


class _Heeding:
    """See `Form.heeding`."""

    def __init__(self, form: Form) -> None:
        self._form = form

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, exc: BaseException | None, __: object) -> bool:
        if not isinstance(exc, Declined):
            return False
        self._form.heed(exc)
        return True


def in_words(declined: Declined, *, at_work: bool) -> str:
    """What a page says of a refusal that names no field; the table's words for a key are for programs."""
    if declined.detail:
        return declined.detail
    if declined.reason is Refusal.KEY_REUSED:
        return _NOT_DONE if declined.used_up else _SENT_BEFORE
    row = TABLE[declined.reason]
    return f"{row.staff}." if at_work else row.visitor


def _for_people(message: str) -> str:
    """Without what only programs send: "must be a whole number or null, not text"."""
    return message.partition(", not ")[0].replace(" or null", "")


def _of_minutes(message: str) -> str:
    """The bound of a length, or of credits, as one: a number alone says nothing to who typed hours and minutes."""
    found = _BOUND.fullmatch(message)
    if found is None:
        return message
    length = as_length(int(found[2]))
    return f"must be at least {length}" if found[1] == "least" else f"must be at most {length}"


def _plain(value: str) -> str:
    return unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n").strip())


@cache
def _fields(wanted: type[Struct]) -> Sequence[tuple[msgspec.structs.FieldInfo, set[Any]]]:
    """The fields of a Struct, with the plain types that each is made of."""
    return [(field, _kinds(field.type)) for field in msgspec.structs.fields(wanted)]


def _kinds(annotation: Any) -> set[Any]:  # noqa: ANN401  # any type at all
    """The plain types that an annotation is made of."""
    origin = get_origin(annotation)
    if origin is None:
        return {annotation}
    if origin in {list, tuple}:
        return {origin}
    return {
        kind for part in get_args(annotation) if isinstance(part, type) or get_origin(part) for kind in _kinds(part)
    } - {UnsetType}
