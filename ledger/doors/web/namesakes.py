"""Who is it? Asked wherever a typed name is that of somebody known: in a register's row, and where somebody is added.

Whoever is called so stands there, and somebody new of that name: it is one of them, by one press.
"""

from collections.abc import Sequence
from typing import Any

from litestar import Response

from ledger.doors.web.access import PageRequest
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _, gettext, page, said_in
from ledger.scheme.namesakes import NameKnown, Namesake


def choices(request: PageRequest, name: str, people: Sequence[Namesake]) -> Sequence[tuple[str, str]]:
    """Each of these people by their id, in words that tell them apart, and somebody new of that name."""
    somebody_new = gettext(request)(_("Somebody new of that name"))
    return (*((str(each.person), _in_words(request, each)) for each in people), (new(name), somebody_new))


def new(name: str) -> str:
    """The choice of somebody new of that name; by the name, so that it isn't kept where another is typed."""
    return f"new {name}"


def asked(
    request: PageRequest,
    form: Form,
    known: NameKnown,
    action: str,
    **context: Any,  # noqa: ANN401  # as `page` takes it
) -> Response[bytes]:
    """Return the page that asks, with all that was typed; each answer is sent as `who`, under the form's own key."""
    return page(
        request,
        "namesakes.html",
        form=form,
        action=action,
        name=known.people[0].name,
        kept=[(name, form.value(name)) for name in form.names() if name not in {"who", "step"}],
        choices=choices(request, form.value("name"), known.people),
        **context,
    )


def _in_words(request: PageRequest, each: Namesake) -> str:
    said, days = gettext(request), said_in(request)
    if each.since is not None:
        says = _("%(name)s, known since %(day)s, has a card") if each.has_card else _("%(name)s, known since %(day)s")
        return said(says) % {"name": each.name, "day": days.dated(each.since)}
    if each.last_at is None:
        return said(_("%(name)s, not here yet")) % {"name": each.name}
    return said(_("%(name)s, last here on %(day)s")) % {"name": each.name, "day": days.dated(each.last_at)}
