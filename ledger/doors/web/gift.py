"""Gifts: those that wait for somebody's answer, those that they gave, and giving: to a person, or into a pot.

    whom, how much -> what it means (nothing is written) -> given

Nobody is looked up: there is who they know here already, and whose card they were shown (`acquaintance`). A card's code
stands on no page again: from it on the person is meant. What may be given this month is said before anything is typed.
"""

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _ as marked
from ledger.doors.web.pages import gettext, go, page, said_in
from ledger.scheme.acquaintance import Acquaintances, Giving
from ledger.scheme.gifts import Gifts, NewGift, Side, State, ToPot
from ledger.scheme.people import first_name
from ledger.scheme.refusals import Declined, Refusal

# What a phone shows in three screens; of older ones the statement tells.
GIFTS: Final = 20
STEP: Final = 30

_CARD: Final = "card"
_COMMUNITY: Final = "community"
_POT: Final = "pot:"

_SHORT: Final = {
    Refusal.INSUFFICIENT_CREDITS: marked("This is more than there is to spend just now. Nothing was taken."),
    Refusal.CONSENT_NEEDED: marked("A parent or guardian has to agree first. Then this will work."),
    Refusal.TRY_AGAIN: marked("Several codes were not found. Please try again in an hour."),
}


class Chosen(Struct, frozen=True):
    """To whom: a person's id, a pot, or `card` with the code on it; and how much."""

    to: Annotated[str, Meta(pattern=r"^(card|community|(pot:)?[0-9a-f-]{36})$")]
    minutes: Annotated[int, Meta(ge=1, le=6000)]
    code: Annotated[str, Meta(max_length=40)] = ""
    words: Annotated[str, Meta(max_length=200)] = ""


class Answered(Struct, frozen=True):
    """Which gift, and what becomes of it."""

    gift: UUID
    answer: Annotated[str, Meta(pattern=r"^(accept|decline|take_back)$")]


def routes(access: Access, gifts: Gifts, acquaintances: Acquaintances) -> list[HTTPRouteHandler]:
    """Return the routes of gifts."""
    return [*_answering(access, gifts), *_giving(access, gifts, acquaintances)]


def _answering(access: Access, gifts: Gifts) -> list[HTTPRouteHandler]:
    @get("/people/{person:uuid}/gifts", before_request=access.only(Who.PERSON))
    async def listed(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return await shown(request, person, Form.blank())

    @post("/people/{person:uuid}/gifts", before_request=access.only(Who.PERSON), status_code=303)
    async def answer(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        answered = form.take(Answered)
        if answered is not None:
            verb, done = {
                "accept": (gifts.accept, "accepted"),
                "decline": (gifts.decline, "gift_declined"),
                "take_back": (gifts.take_back, "taken_back"),
            }[answered.answer]
            try:
                await verb(request.user.caller, form.key, answered.gift)
                return go(f"/people/{person}/gifts", done)
            except Declined as declined:
                _kindly(request, form, declined)
        return await shown(request, person, form)

    async def shown(request: PageRequest, person: UUID, form: Form) -> Response[Any]:
        received = await gifts.of(request.user.caller, person, Side.RECEIVED, before=None, limit=GIFTS)
        given = await gifts.of(request.user.caller, person, Side.GIVEN, before=None, limit=GIFTS)
        return page(
            request,
            "gift/list.html",
            status=form.status,
            form=form,
            person=person,
            offered=[gift for gift in received if gift.state is State.OFFERED],
            waiting=[gift for gift in given if gift.state is State.OFFERED],
            received=[gift for gift in received if gift.state is not State.OFFERED],
            given=[gift for gift in given if gift.state is not State.OFFERED],
            first=first_name,
        )

    return [listed, answer]


def _giving(access: Access, gifts: Gifts, acquaintances: Acquaintances) -> list[HTTPRouteHandler]:
    @get("/people/{person:uuid}/gifts/new", before_request=access.only(Who.PERSON))
    async def new(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return chosen_from(request, person, Form.blank(), await acquaintances.giving(request.user.caller, person))

    @post("/people/{person:uuid}/gifts/new", before_request=access.only(Who.PERSON), status_code=303)
    async def give(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        chosen = None if form.value("again") else form.take(Chosen)
        if chosen is not None:
            try:
                if form.value("sure"):
                    return await given(request, person, form.key, chosen)
                to = chosen.to
                if to == _CARD:
                    to = str(await acquaintances.by_card(request.user.caller, chosen.code, "code"))
                giving = await acquaintances.giving(request.user.caller, person)
                kept = {"to": to, "minutes": str(chosen.minutes), "words": chosen.words}
                return page(
                    request,
                    "gift/check.html",
                    form=form.to_confirm(),
                    person=person,
                    chosen=chosen,
                    kept=kept,
                    name=_named(to, giving),
                    is_pot=to.startswith(_POT) or to == _COMMUNITY,
                )
            except Declined as declined:
                _kindly(request, form, declined)
        return chosen_from(request, person, form, await acquaintances.giving(request.user.caller, person))

    async def given(request: PageRequest, person: UUID, key: str, chosen: Chosen) -> Response[Any]:
        if chosen.to == _COMMUNITY or chosen.to.startswith(_POT):
            group = None if chosen.to == _COMMUNITY else UUID(chosen.to.removeprefix(_POT))
            await gifts.give_to_pot(request.user.caller, key, ToPot(giver=person, group=group, minutes=chosen.minutes))
            return go(f"/people/{person}/gifts", "in_the_pot")
        gift = NewGift(giver=person, receiver=UUID(chosen.to), minutes=chosen.minutes, words=chosen.words or None)
        await gifts.offer(request.user.caller, key, gift)
        return go(f"/people/{person}/gifts", "given")

    def chosen_from(request: PageRequest, person: UUID, form: Form, giving: Giving) -> Response[Any]:
        most = min(giving.left, giving.available)
        return page(
            request,
            "gift/new.html",
            status=form.status,
            form=form,
            person=person,
            giving=giving,
            amounts=[15, *range(STEP, most + 1, STEP)] if most >= STEP // 2 else [],
        )

    return [new, give]


def _named(to: str, giving: Giving) -> str | None:
    """Whom that means, by name; None is whoever's card was shown, or everybody."""
    names = {str(each.person): each.name for each in giving.people}
    return names.get(to) or {f"{_POT}{pot.group}": pot.name for pot in giving.pots}.get(to)


def _kindly(request: PageRequest, form: Form, declined: Declined) -> None:
    """Say what stood in the way to whoever gives or receives, and from when it would work."""
    form.heed(declined)
    if declined.reason is Refusal.WRONG_VALUES:
        return
    said = gettext(request)
    if declined.reason is Refusal.GIFT_LIMIT and declined.works_at is not None:
        words = said("This is more than can be given in one month. It will work from %(day)s on.") % {
            "day": said_in(request).day(declined.works_at)
        }
    else:
        plain = _SHORT.get(declined.reason)
        words = said(plain) if plain else form.said
    form.refuse(words, form.status)
