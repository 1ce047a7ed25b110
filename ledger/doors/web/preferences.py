"""Preferences: how somebody would like the service to be, what others may see, and a break whenever they want one.

One form, one button, and two verbs, for how to be reached stands with the contact. What was saved shows at once: the
language by its cookie too, which otherwise stays as it was chosen on this device; large print with the next page.
"""

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Meta, Struct

from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.forms import Form
from ledger.doors.web.pages import LANGUAGES, _, go, page
from ledger.scheme.people import Changes, Channel, Contact, People
from ledger.scheme.preferences import MILESTONES_MAX, Language, Preference, PreferenceChanges, Preferences

# Hours that people like to celebrate: the first afternoon, a season, a working year.
MILESTONES: Final = (5, 10, 25, 50, 100, 250, 500, 1_000)
# By email is how the service writes by itself; the others are for people, and are offered to who has told one of them.
_CHANNELS: Final = ((Channel.EMAIL, _("Yes, by email")), (Channel.IN_PERSON, _("No, I look at my own page")))
_TOLD: Final = {
    Channel.TEXT: _("No, rather by text message"),
    Channel.PHONE: _("No, rather by phone"),
    Channel.POST: _("No, rather by post"),
}
_Milestone = Annotated[int, Meta(ge=1, le=100_000)]


class Wished(Struct, frozen=True, kw_only=True):
    """The whole form."""

    language: Language
    channel: Channel | None = None
    large_print: bool = False
    quiet: bool = False
    paused: bool = False
    named: bool = False
    milestones: Annotated[list[_Milestone], Meta(max_length=MILESTONES_MAX)] = []


def routes(access: Access, preferences: Preferences, people: People) -> list[HTTPRouteHandler]:
    """Return the routes of preferences."""

    async def shown(request: PageRequest, person: UUID, form: Form, had: Preference) -> Response[Any]:
        told = await channel_of(request, person)
        return page(
            request,
            "preferences/preferences.html",
            status=form.status,
            form=form,
            person=person,
            paused_at=had.paused_at,
            tongues=list(LANGUAGES.items()),
            channels=[*_CHANNELS, *((each, says) for each, says in _TOLD.items() if each is told)],
            milestones=sorted({*MILESTONES, *had.milestones}),
        )

    async def channel_of(request: PageRequest, person: UUID) -> Channel | None:
        contact = (await people.read(request.user.caller, person)).contact
        return contact.channel if isinstance(contact, Contact) else None

    @get("/people/{person:uuid}/preferences", before_request=access.only(Who.PERSON))
    async def read(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        had = await preferences.read(request.user.caller, person)
        form = Form.blank(
            language=had.language.value,
            channel=await channel_of(request, person),
            large_print=had.large_print,
            quiet=had.quiet,
            paused=had.paused_at is not None,
            named=had.named,
            milestones=[str(hours) for hours in had.milestones],
        )
        return await shown(request, person, form, had)

    @post("/people/{person:uuid}/preferences", before_request=access.only(Who.PERSON), status_code=303)
    async def save(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        # Without the form's key: the same again changes nothing.
        form = await Form.sent(request)
        wished = form.take(Wished)
        if wished is not None:
            with form.heeding():
                await preferences.change(
                    request.user.caller,
                    person,
                    PreferenceChanges(
                        language=wished.language,
                        large_print=wished.large_print,
                        quiet=wished.quiet,
                        paused=wished.paused,
                        named=wished.named,
                        milestones=wished.milestones,
                    ),
                )
                if wished.channel is not None and wished.channel is not await channel_of(request, person):
                    await people.change(request.user.caller, person, Changes(contact={"channel": wished.channel}))
                answer = go(f"/people/{person}/preferences", "saved")
                answer.set_cookie(access.language(wished.language.value))
                return answer
        return await shown(request, person, form, await preferences.read(request.user.caller, person))

    return [read, save]
