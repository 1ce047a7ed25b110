"""What is known of a person, and who is around them: kept by staff, for whoever can't or won't do it themselves.

How somebody may be reached and what they are cleared for are pages of their own, for each look at them is written down.
Whom to link somebody with is found by name first and chosen then, so no id is ever typed.
"""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors.fields import ADDRESS_PATTERN, EMAIL_PATTERN, PHONE_PATTERN, WORD_PATTERN, Name
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import _, go, page
from ledger.doors.web.staff import clearances
from ledger.doors.web.staff.desk import AGES
from ledger.scheme.clock import end_of
from ledger.scheme.desk import Desk
from ledger.scheme.eligibility import Eligibility
from ledger.scheme.erasure import Erasure, GiveTo
from ledger.scheme.guardians import Guardians
from ledger.scheme.helping import Grant, Helpers, May
from ledger.scheme.people import AgeBand, Changes, Channel, Contact, People, Person
from ledger.scheme.refusals import Declined

# As many as one chooses from without reading for long.
CHOICES: Final = 10

_CHANNELS: Final = (
    ("", _("They did not say")),
    (Channel.EMAIL.value, _("By email")),
    (Channel.TEXT.value, _("By text message")),
    (Channel.PHONE.value, _("By phone")),
    (Channel.POST.value, _("By post")),
    (Channel.IN_PERSON.value, _("In person only")),
)
_NO_CHILD: Final = _("Only people under 18 have a guardian here. Write down their age first, if they are.")
_SAFE: Final = {"yes": True, "no": False, "": None}


class DetailsForm(Struct, frozen=True):
    """What somebody is called, and how old they are."""

    name: Name
    age_band: AgeBand | None = None


class ContactForm(Struct, frozen=True):
    """How somebody may be reached: nothing of it need be given."""

    email: Annotated[str, Meta(min_length=3, max_length=254, pattern=EMAIL_PATTERN)] | None = None
    phone: Annotated[str, Meta(min_length=3, max_length=40, pattern=PHONE_PATTERN)] | None = None
    address: Annotated[str, Meta(min_length=1, max_length=500, pattern=ADDRESS_PATTERN)] | None = None
    channel: Channel | None = None
    safe: Annotated[str, Meta(pattern="^(yes|no)?$")] = ""


class WordForm(Struct, frozen=True):
    """What somebody is cleared for, and until when."""

    word: Annotated[str, Meta(min_length=1, max_length=48, pattern=WORD_PATTERN)]
    last_day: date | None = None


class WithdrawForm(Struct, frozen=True):
    """What they are cleared for no more."""

    word: Annotated[str, Meta(min_length=1, max_length=48, pattern=WORD_PATTERN)]


class HelperForm(Struct, frozen=True):
    """Who helps, and in what."""

    helper: UUID
    may: tuple[May, ...]


class GuardianForm(Struct, frozen=True):
    """Who answers for a child."""

    guardian: UUID


class EraseForm(Struct, frozen=True):
    """Where their credits go, and that it is meant."""

    give_to: GiveTo
    sure: bool = False


def routes(  # noqa: PLR0917  # one for each page; each argument has its own type
    access: Access,
    desk: Desk,
    people: People,
    eligibility: Eligibility,
    helpers: Helpers,
    guardians: Guardians,
    erasure: Erasure,
) -> list[HTTPRouteHandler]:
    """Return the routes of what is known of people."""
    staff, freshly = access.only(Who.STAFF), access.only(Who.STAFF, freshly=True)

    # --- name, age, contact ------------------------------------------------------------------------------

    @get("/staff/people/{person:uuid}/details", before_request=staff)
    async def details(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        found = await desk.of(request.user.caller, person)
        form = Form.blank(name=found.name, age_band=found.age_band.value if found.age_band else "")
        return page(request, "staff/details.html", form=form, person=person, name=found.name, ages=AGES)

    @post("/staff/people/{person:uuid}/details", before_request=staff, status_code=303)
    async def rename(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(DetailsForm)
        if typed is not None:
            with form.heeding():
                await people.change(request.user.caller, person, Changes(name=typed.name, age_band=typed.age_band))
                return go(f"/staff/people/{person}", "saved")
        name = (await desk.of(request.user.caller, person)).name
        return page(request, "staff/details.html", status=form.status, form=form, person=person, name=name, ages=AGES)

    def contact_page(request: PageRequest, found: Person, form: Form) -> Response[Any]:
        contact = found.contact if isinstance(found.contact, Contact) else None
        return page(
            request,
            "staff/contact.html",
            status=form.status,
            form=form,
            person=found.id,
            name=found.name,
            contact=contact,
            channels=_CHANNELS,
        )

    @get("/staff/people/{person:uuid}/contact", before_request=staff)
    async def contact(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        found = await people.read(request.user.caller, person)
        reach = found.contact if isinstance(found.contact, Contact) else None
        form = Form.blank()
        if reach is not None:
            form = Form.blank(
                email=reach.email,
                phone=reach.phone,
                address=reach.address,
                channel=reach.channel.value if reach.channel else "",
                safe={True: "yes", False: "no", None: ""}[reach.safe],
            )
        return contact_page(request, found, form)

    @post("/staff/people/{person:uuid}/contact", before_request=freshly, status_code=303)
    async def change_contact(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(ContactForm)
        if typed is not None:
            reach = {
                "email": typed.email,
                "phone": typed.phone,
                "address": typed.address,
                "channel": typed.channel,
                "safe": _SAFE[typed.safe],
            }
            with form.heeding():
                await people.change(request.user.caller, person, Changes(contact=reach))
                return go(f"/staff/people/{person}", "saved")
        return contact_page(request, await people.read(request.user.caller, person), form)

    # --- what they are cleared for -----------------------------------------------------------------------

    async def words_page(request: PageRequest, person: UUID, form: Form) -> Response[Any]:
        words = await eligibility.of(request.user.caller, person)
        asked_for = await eligibility.asked_for(request.user.caller)
        name = (await desk.names(request.user.caller, [person]))[person]
        return page(
            request,
            "staff/eligibility.html",
            status=form.status,
            form=form,
            person=person,
            name=name,
            words=[(clearances.plain(each.word), each) for each in words],
            choices=[(word, clearances.plain(word)) for word in asked_for],
        )

    @get("/staff/people/{person:uuid}/eligibility", before_request=staff)
    async def cleared(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return await words_page(request, person, Form.blank())

    @post("/staff/people/{person:uuid}/eligibility", before_request=staff, status_code=303)
    async def clear(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(WordForm)
        if typed is not None:
            with form.heeding():
                ends_at = end_of(typed.last_day) if typed.last_day is not None else None
                await eligibility.give(request.user.caller, person, typed.word, ends_at)
                return go(f"/staff/people/{person}/eligibility", "saved")
        return await words_page(request, person, form)

    @post("/staff/people/{person:uuid}/eligibility/withdraw", before_request=staff, status_code=303)
    async def withdraw_word(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(WithdrawForm)
        if typed is not None:
            with form.heeding():
                await eligibility.withdraw(request.user.caller, person, typed.word)
                return go(f"/staff/people/{person}/eligibility", "saved")
        return await words_page(request, person, form)

    # --- who is around them ------------------------------------------------------------------------------

    async def candidates(wanted: str, besides: UUID) -> Sequence[Person]:
        """Whom somebody may be linked with: people of that name, and not themselves."""
        found = await people.named(wanted, after=None, limit=CHOICES + 1) if wanted else []
        return [each for each in found if each.id != besides][:CHOICES]

    async def linked(request: PageRequest, who: str, person: UUID, form: Form, wanted: str) -> Response[Any]:
        """The page of somebody's helpers, or guardians."""
        found = await desk.of(request.user.caller, person)
        return page(
            request,
            f"staff/{who}.html",
            status=form.status,
            form=form,
            search=Form.blank(name=wanted),
            person=found,
            wanted=wanted,
            found=await candidates(wanted, person),
            ages=dict(AGES),
        )

    @get("/staff/people/{person:uuid}/helpers", before_request=staff)
    async def helped(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return await linked(request, "helpers", person, Form.blank(), _searched(request))

    @post("/staff/people/{person:uuid}/helpers", before_request=freshly, status_code=303)
    async def let_help(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(HelperForm)
        if typed is not None and not typed.may:
            form.fault("may", _("Choose at least one"))
        elif typed is not None:
            with form.heeding():
                asked = Grant(helped=person, helper=typed.helper, may=sorted(set(typed.may)))
                await helpers.grant(request.user.caller, form.key, asked)
                return go(f"/staff/people/{person}/helpers", "saved")
        return await linked(request, "helpers", person, form, form.value("wanted"))

    @post("/staff/people/{person:uuid}/helpers/{link:uuid}/end", before_request=staff, status_code=303)
    async def end_help(request: PageRequest, person: FromPath[UUID], link: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await helpers.end(request.user.caller, form.key_for("end", link.hex), link)
            return go(f"/staff/people/{person}/helpers", "saved")
        return await linked(request, "helpers", person, form, "")

    @get("/staff/people/{person:uuid}/guardians", before_request=staff)
    async def guarded(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        return await linked(request, "guardians", person, Form.blank(), _searched(request))

    @post("/staff/people/{person:uuid}/guardians", before_request=freshly, status_code=303)
    async def add_guardian(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(GuardianForm)
        if typed is not None:
            try:
                await guardians.add(request.user.caller, person, typed.guardian)
                return go(f"/staff/people/{person}/guardians", "saved")
            except Declined as declined:
                # There is no field of the child here.
                own = tuple(fault for fault in declined.fields if fault[0] != "child")
                grown_up = len(own) < len(declined.fields)
                form.heed(Declined(declined.reason, _NO_CHILD if grown_up else declined.detail, fields=own))
        return await linked(request, "guardians", person, form, form.value("wanted"))

    @post("/staff/people/{person:uuid}/guardians/{guardian:uuid}/consent", before_request=freshly, status_code=303)
    async def consent(request: PageRequest, person: FromPath[UUID], guardian: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await guardians.consent(request.user.caller, form.key_for("consent", guardian.hex), person, guardian)
            return go(f"/staff/people/{person}/guardians", "saved")
        return await linked(request, "guardians", person, form, "")

    @post("/staff/people/{person:uuid}/guardians/{guardian:uuid}/end", before_request=staff, status_code=303)
    async def end_guardian(request: PageRequest, person: FromPath[UUID], guardian: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        with form.heeding():
            await guardians.end(request.user.caller, person, guardian)
            return go(f"/staff/people/{person}/guardians", "saved")
        return await linked(request, "guardians", person, form, "")

    # --- the end -----------------------------------------------------------------------------------------

    @get("/staff/people/{person:uuid}/erase", before_request=staff)
    async def before_erasing(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        found = await desk.of(request.user.caller, person)
        form = Form.blank(give_to=GiveTo.COMMUNITY.value)
        return page(request, "staff/erase.html", form=form, person=found)

    @post("/staff/people/{person:uuid}/erase", before_request=freshly, status_code=303)
    async def erase(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        form = await Form.sent(request)
        typed = form.take(EraseForm)
        if typed is not None and not typed.sure:
            form.fault("sure", _("Tick this if they know what it means"))
        elif typed is not None:
            with form.heeding():
                await erasure.erase(request.user.caller, form.key, person, typed.give_to)
                return go("/staff", "erased")
        found = await desk.of(request.user.caller, person)
        return page(request, "staff/erase.html", status=form.status, form=form, person=found)

    return [
        *(details, rename, contact, change_contact),
        *(cleared, clear, withdraw_word),
        *(helped, let_help, end_help, guarded, add_guardian, consent, end_guardian),
        *(before_erasing, erase),
    ]


def _searched(request: PageRequest) -> str:
    """What was searched for: a name has 200 characters at most."""
    return str(request.query_params.get("name", "")).strip()[:200]
