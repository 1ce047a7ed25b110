"""Who asks: a key or a sign-in, what it speaks for, and the person behind it, if anybody.

The rights themselves are read anew for every request, by ``directory`` and by the verbs; a ``Caller`` only carries what
was found. Nothing here touches the database, so every verb and what records them can know it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

# The scheme's own keys have no object; idempotency keys are scoped to this instead. Any fixed number will do.
SCHEME: Final = UUID("5c4e3e00-0000-8000-8000-000000000001")


class Scope(StrEnum):
    """What a key speaks for."""

    PERSON = "person"
    PROJECT = "project"
    VENUE = "venue"
    SCHEME = "scheme"
    AUDITOR = "auditor"


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks: the key, its scope, the project or venue it is for, and the holder behind it, if anybody.

    A venue's key is that of a ``device``, which may stand at one ``site``. ``locked_until`` is set where too many codes
    were wrong, at it or at its venue.

    A till or kiosk that is signed in in a browser asks likewise, by its sign-in. Of a kiosk the object is its project,
    for which it doesn't speak: whoever stands at it is anybody (``kiosks`` has what it may).
    """

    key: UUID
    scope: Scope
    object: UUID | None
    expires_at: datetime | None = None
    holder: UUID | None = None
    device: UUID | None = None
    site: UUID | None = None
    locked_until: datetime | None = None

    @property
    def principal(self) -> UUID:
        """Whose idempotency keys these are: the object's or the person's, whatever key speaks for it."""
        if self.scope is Scope.PERSON and self.holder is not None:
            return self.holder
        return self.object or SCHEME

    @property
    def identity(self) -> UUID:
        """Who acts: the holder behind the key, the device that it is of, or the key itself.

        Stands in the audit trail and as the actor in the journal: none of the three is ever deleted, as a sign-in is.
        """
        return self.holder or self.device or self.key

    def speaks_for(self, project: UUID) -> bool:
        """Whether this is the scheme's key, or that project's, but not one of its kiosks'."""
        if self.scope is Scope.PROJECT:
            return self.object == project and self.device is None
        return self.scope is Scope.SCHEME


OPERATOR: Final = Caller(key=SCHEME, scope=Scope.SCHEME, object=None)
"""Whoever reaches the database itself, and so speaks for the scheme: stands as the actor in what they do."""
