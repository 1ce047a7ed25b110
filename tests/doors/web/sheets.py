"""Forms as somebody finds them on a page: filled in as it stands, wrongly, or put right as the answer asks."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from tests.daytime import daytime
from tests.doors.web import checks
from tests.doors.web.checks import Html

Values = dict[str, list[str]]

# Longer than any field takes, and a whole page of such fields is still within what the guard lets in.
_TOO_LONG: Final = "far too long " * 300
_UNTYPED: Final = frozenset({"hidden", "checkbox", "radio", "submit", "button"})


class Sheet(NamedTuple):
    """A form with a button that sends it."""

    html: Html
    form: Element
    button: Element

    @property
    def action(self) -> str:
        return self.button.get("formaction", self.form.get("action", ""))

    @property
    def pressed(self) -> str:
        """What the button sends of itself, by which it is told from the form's others."""
        return f"{self.button.get('name', '')}={self.button.get('value', '')}"

    @property
    def fields(self) -> list[Element]:
        """What somebody sees of it and fills in."""
        found = checks.controls(self.html, self.form)
        return [each for each in found if each.tag != "button" and each.get("type") not in {"hidden", "submit"}]

    @property
    def names(self) -> set[str]:
        return {each.get("name", "") for each in self.fields}

    @property
    def values(self) -> Values:
        """As a browser would send it; of what is to be chosen from and isn't yet, the first."""
        values = checks.filled(self.html, self.form)
        for control in self.fields:
            name = control.get("name", "")
            if control.get("type") == "radio":
                values.setdefault(name, [control.get("value", "on")])
            elif control.tag == "select" and values.get(name) == [""]:
                values[name] = [next((each for each in map(checks.option_value, control.iter("option")) if each), "")]
        return self._with_button(values)

    @property
    def spoilt(self) -> Values | None:
        """With something wrong in every field that is typed in, or nothing chosen; None if it has no field."""
        if not self.fields:
            return None
        typed = [each for each in self.fields if each.tag == "textarea" or _is_typed(each)]
        if not typed:
            return self._with_button(
                {name: values for name, values in checks.filled(self.html, self.form).items() if name not in self.names}
            )
        values = self.values
        for each in typed:
            values[each.get("name", "")] = [_spoilt(each)]
        for each in self.fields:  # whether that is kept as well
            if each.get("type") == "checkbox" and each.get("name", "") not in values:
                values[each.get("name", "")] = [each.get("value", "on")]
        return values

    def seen(self, values: Values) -> Values:
        """Of these, what stands in a field that somebody sees."""
        return {name: each for name, each in values.items() if name in self.names}

    def on(self, page: Html) -> "Sheet | None":
        """The same form on the page that answers."""
        found = (each for each in sheets(page) if (each.action, each.pressed) == (self.action, self.pressed))
        return next(found, None)

    def put_right(self, nth: int) -> Values:
        """As it stands, with what somebody would type, for the nth time, where something is missing or wrong."""
        values = self._with_button(checks.filled(self.html, self.form))
        for field in self.fields:
            name = field.get("name", "")
            if field.get("aria-invalid") != "true":
                continue
            if field.get("type") in {"checkbox", "radio"}:
                values.setdefault(name, [field.get("value", "on")])
            elif field.tag == "select":
                values[name] = [[*map(checks.option_value, field.iter("option"))][-1]]
            else:
                says = _usual(name, nth)
                values[name] = [says[nth % len(says)]]
        return values

    def _with_button(self, values: Values) -> Values:
        if "name" in self.button.attrib:
            values.setdefault(self.button.attrib["name"], []).append(self.button.get("value", ""))
        return values


def sheets(page: Html) -> Iterator[Sheet]:
    """The forms that do something, once for each of their buttons."""
    for form in page.all("form"):
        if form.get("method", "get").lower() == "post":
            for button in checks.submitters(page, form):
                yield Sheet(page, form, button)


def _is_typed(field: Element) -> bool:
    return field.tag == "input" and field.get("type") not in _UNTYPED


def _spoilt(field: Element) -> str:
    """What nobody means there."""
    name, kind = field.get("name", ""), field.get("type", "text")
    if kind in {"date", "time"}:
        return {"date": "2026-02-30", "time": "25:61"}[kind]
    if kind == "email":
        return "nobody"
    if field.get("inputmode") == "numeric" and "code" not in field.get("class", ""):
        return "many"
    return "many" if name.endswith(("_hours", "_minutes")) else _TOO_LONG.strip()


def _usual(name: str, nth: int) -> tuple[str, ...]:
    day = daytime() + timedelta(days=(8, -1, 1, 30)[nth % 4])
    known = {
        "day": (day.date().isoformat(),),
        "time": ("10:00", "11:00", "14:00"),
        "begins": ("10:00",),
        "ends": ("12:00",),
        "hours": ("1", "0"),
        "minutes": ("0", "15", "30"),
        "email": ("robin@example.org",),
        "name": ("Robin", "Robin Redbreast"),
    }
    return next((values for ends, values in known.items() if name.endswith(ends)), ("Robin", "5", "60", "2"))
