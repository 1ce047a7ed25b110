"""The places of the house, as the navigation shows them to whoever is signed in."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from ledger.scheme.roles import Role
from ledger.scheme.sign_ins import Present


class Place(NamedTuple):
    """A link of the navigation."""

    href: str
    label: str
    is_current: bool


def _(message: str) -> str:
    """Mark for the catalogue."""
    return message


_FIND: Final = (("/do", _("Give time")), ("/spend", _("Spend credits")))
_STRANGERS: Final = (("/", _("Home")), *_FIND, ("/how-it-works", _("How it works")), ("/sign-in", _("Sign in")))


def navigation(present: Present | None, path: str, said: Callable[[str], str]) -> list[Place]:
    """Where they can go from here, in their language (a project's or venue's name is in no catalogue and stays).

    A till or a kiosk has one page.
    """
    if present is not None and present.device is not None:
        return []
    places = list(_STRANGERS) if present is None else list(_of(present))
    # The longest that the address begins with is where they are; a link's own before what else belongs to it.
    around = ((within, within == href, href) for href, _label in places for within in (href, *_besides(href)))
    current = max(((len(within), own, href) for within, own, href in around if _is_within(path, within)), default=None)
    return [Place(href, said(label), current is not None and href == current[2]) for href, label in places]


def _besides(href: str) -> tuple[str, ...]:
    """What else belongs to a link: all of an approver's project, and the groups to the office."""
    return ("/groups",) if href == "/staff" else (href.removesuffix("/approvals"),)


def _of(present: Present) -> Iterator[tuple[str, str]]:
    yield f"/people/{present.person}", _("Home")
    yield from _FIND
    yield f"/people/{present.person}/pass", _("Pass")
    for held in present.roles:
        match held.role:
            case Role.COORDINATOR:
                yield f"/projects/{held.project}", held.place or ""
            case Role.APPROVER:
                yield f"/projects/{held.project}/approvals", held.place or ""
            case Role.MANAGER:
                yield f"/venues/{held.venue}", held.place or ""
            case Role.STAFF:
                yield "/staff", _("The office")
            case Role.AUDITOR:
                yield "/audit", _("Who did what")


def _is_within(path: str, href: str) -> bool:
    return path == href or (href != "/" and path.startswith(href + "/"))
