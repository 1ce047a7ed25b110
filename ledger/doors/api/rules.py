"""Routes of the scheme's rules: read them, change them, and see who changed what and when."""

from typing import TYPE_CHECKING, Final

import msgspec
from litestar import get, patch
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from msgspec import UNSET, UnsetType

from ledger.doors import cursors
from ledger.doors.api.access import TAKING_PART, Access, CallerRequest
from ledger.doors.api.answers import refused
from ledger.doors.api.inputs import Cursor, Input, page_size
from ledger.scheme.callers import Scope
from ledger.scheme.rules import InForce, Rulebook, Rules, RulesVersion, Setting

_TAG: Final = ["rules"]

if TYPE_CHECKING:

    class RulesInput(Input, frozen=True, kw_only=True):
        """Those rules that are to change."""

else:
    # Every rule with its own type and bounds, and none of them required: written down once, in `Rules`.
    RulesInput = msgspec.defstruct(
        "RulesInput",
        [(field.name, field.type | UnsetType, UNSET) for field in msgspec.structs.fields(Rules)],
        bases=(Input,),
        module=__name__,
        namespace={"__doc__": "Those rules that are to change."},
        frozen=True,
        kw_only=True,
    )


class RulesShown(msgspec.Struct, frozen=True, kw_only=True):
    """The rules as they stand, and the number of their version."""

    version: int
    rules: list[Setting]


class RulesHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the changes, newest first, and the cursor of the page before it in time."""

    versions: list[RulesVersion]
    next: str | None


def routes(access: Access, rulebook: Rulebook, cursor_secret: bytes) -> list[HTTPRouteHandler]:
    """Return the routes of the rules."""

    @get(
        "/v1/rules",
        before_request=access.only(*TAKING_PART),
        summary="Read the rules",
        description=(
            "Each with its value, default, unit, bounds and meaning. What isn't `enforced` is of a later release, and"
            " does nothing yet."
        ),
        responses=refused(401, 403),
        tags=_TAG,
    )
    async def read() -> RulesShown:
        return _shown(await rulebook.in_force())

    @patch(
        "/v1/rules",
        before_request=access.only(Scope.SCHEME),
        summary="Change rules",
        description=(
            "Those that are named, from now on: what was decided before stays as it is. The same values again change"
            " nothing. One that isn't `enforced` can't be changed."
        ),
        responses=refused(400, 401, 403, 413, 422, 503),
        tags=_TAG,
    )
    async def change(request: CallerRequest, data: JSONBody[RulesInput]) -> RulesShown:
        given = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not UNSET}
        return _shown(await rulebook.change(request.user, given))

    @get(
        "/v1/rules/changes",
        before_request=access.only(Scope.SCHEME),
        summary="Read the changes of the rules",
        description="Newest first: who changed what, from what to what. Give `next` as `cursor` to go on.",
        responses=refused(400, 401, 403),
        dependencies={"page_size": Provide(page_size, sync_to_thread=False)},
        tags=_TAG,
    )
    async def changes(page_size: NamedDependency[int], cursor: Cursor = None) -> RulesHistory:
        before = None if cursor is None else cursors.read(cursor_secret, "rules", cursor)
        versions = await rulebook.history(before=before, limit=page_size)
        # The first change made version 2 of version 1, which nobody made.
        more = len(versions) == page_size and versions[-1].version > 2  # noqa: PLR2004
        return RulesHistory(
            versions=list(versions),
            next=cursors.sign(cursor_secret, "rules", versions[-1].version) if more else None,
        )

    return [read, change, changes]


def _shown(found: InForce) -> RulesShown:
    return RulesShown(version=found.version, rules=list(found.settings))
