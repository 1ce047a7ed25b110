"""Routes of preferences: how somebody would like the service to be."""

from typing import Annotated, Final

from litestar import get, patch
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Meta, UnsetType

from ledger.doors.api.access import Access, CallerRequest
from ledger.doors.api.answers import refused
from ledger.doors.api.inputs import Input
from ledger.doors.fields import Identifier
from ledger.scheme.callers import Scope
from ledger.scheme.preferences import (
    HOURS_MAX,
    MILESTONES_MAX,
    Language,
    Preference,
    PreferenceChanges,
    Preferences,
)

_TAG: Final = ["people"]

Milestone = Annotated[int, Meta(ge=1, le=HOURS_MAX)]


class PreferenceChange(Input, frozen=True, kw_only=True):
    """What is to be another from now on: what isn't there stays."""

    language: Language | UnsetType = UNSET
    large_print: bool | UnsetType = UNSET
    quiet: Annotated[bool | UnsetType, Meta(description="To be written to only about what they must know.")] = UNSET
    paused: Annotated[
        bool | UnsetType,
        Meta(description="To take a break: not written to, but to sign in and for their safety."),
    ] = UNSET
    named: Annotated[
        bool | UnsetType,
        Meta(description="Whether others of their groups may choose them by first name, to give or to ask for help."),
    ] = UNSET
    milestones: (
        Annotated[
            list[Milestone],
            Meta(max_length=MILESTONES_MAX, description="Hours at which they would like a certificate."),
        ]
        | UnsetType
    ) = UNSET


def routes(access: Access, preferences: Preferences) -> list[HTTPRouteHandler]:
    """Return the routes of preferences."""

    @get(
        "/v1/people/{person:uuid}/preferences",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Read somebody's preferences",
        description="One's own, or staff anybody's. Who never said anything has the defaults.",
        responses=refused(401, 403, 404),
        tags=_TAG,
    )
    async def read(request: CallerRequest, person: FromPath[Identifier]) -> Preference:
        return await preferences.read(request.user, person)

    @patch(
        "/v1/people/{person:uuid}/preferences",
        before_request=access.only(Scope.PERSON, Scope.SCHEME),
        summary="Change somebody's preferences",
        description="Only what is given changes. Where staff do it, it stands in the person's acts.",
        responses=refused(400, 401, 403, 404, 413, 422, 503),
        tags=_TAG,
    )
    async def change(
        request: CallerRequest, person: FromPath[Identifier], data: JSONBody[PreferenceChange]
    ) -> Preference:
        changes = PreferenceChanges(
            language=data.language,
            large_print=data.large_print,
            quiet=data.quiet,
            paused=data.paused,
            named=data.named,
            milestones=data.milestones,
        )
        return await preferences.change(request.user, person, changes)

    return [read, change]
