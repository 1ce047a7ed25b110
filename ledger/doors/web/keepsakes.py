"""What somebody prints for themselves: a certificate of a milestone that they chose, and a slip with what they have.

Both say a project by its alias alone, for paper lies about.
"""

from typing import Any
from uuid import UUID

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ledger.doors.web import printed
from ledger.doors.web.access import Access, PageRequest, Who
from ledger.doors.web.pages import page, pdf
from ledger.doors.web.paper import Press
from ledger.scheme.clock import Clock
from ledger.scheme.home import Homes
from ledger.scheme.milestones import Milestones


def routes(access: Access, milestones: Milestones, homes: Homes, press: Press, clock: Clock) -> list[HTTPRouteHandler]:
    """Return the routes of what is printed for oneself."""

    @get("/people/{person:uuid}/certificates", before_request=access.only(Who.PERSON))
    async def listed(request: PageRequest, person: FromPath[UUID]) -> Response[Any]:
        found = await milestones.of(request.user.caller, person)
        return page(request, "data/certificates.html", person=person, found=found)

    @get("/people/{person:uuid}/certificates/{hours:int}", before_request=access.only(Who.PERSON))
    async def certificate(request: PageRequest, person: FromPath[UUID], hours: FromPath[int]) -> Response[bytes]:
        found = await milestones.of(request.user.caller, person)
        reached = next((each.reached_on for each in found.milestones if each.hours == hours), None)
        if reached is None:
            raise NotFoundException
        document = printed.certificate(request, found, hours=hours, on=reached)
        return pdf(await press.pdf(document), "certificate")

    @get("/people/{person:uuid}/slip", before_request=access.only(Who.PERSON))
    async def slip(request: PageRequest, person: FromPath[UUID]) -> Response[bytes]:
        home = await homes.of(request.user.caller, person)
        document = printed.balance_slip(request, home, at=clock(), lines=home.newest)
        return pdf(await press.pdf(document), "slip")

    return [listed, certificate, slip]
