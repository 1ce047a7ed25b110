"""Whoever is let in by the entrance is known to the service in that capacity, as one who signed in would be."""

import pytest

from ledger.database import Database
from ledger.doors.web.access import Who
from ledger.scheme.sign_ins import SignIns, Strength
from tests.daytime import daytime
from tests.doors.house import Api
from tests.doors.web.entrance import Entrance, tokens_of


@pytest.mark.parametrize(
    ("who", "strength", "role"),
    [
        (Who.PERSON, Strength.LINK, None),
        (Who.COORDINATOR, Strength.PASSKEY, "coordinator"),
        (Who.APPROVER, Strength.PASSKEY, "approver"),
        (Who.MANAGER, Strength.PASSKEY, "manager"),
        (Who.STAFF, Strength.PASSKEY, "staff"),
        (Who.AUDITOR, Strength.PASSKEY, "auditor"),
        (Who.TILL, Strength.DEVICE, None),
        (Who.KIOSK, Strength.DEVICE, None),
    ],
)
async def test_each_is_let_in_as_themselves(
    api: Api, database: Database, who: Who, strength: Strength, role: str | None
) -> None:
    person, project, venue = (await api.person())["id"], await api.project(), await api.venue()
    tokens = await tokens_of(Entrance(database, daytime), {"person": person, "project": project, "venue": venue})
    assert tokens[Who.ANYBODY] == ""
    present = await SignIns(database, daytime).who(tokens[who])
    assert present is not None
    assert present.strength is strength
    assert [held.role for held in present.roles] == ([] if role is None else [role])
    assert (str(present.person) == person) is (who is Who.PERSON)
    assert str(present.venue) == (venue if who is Who.TILL else "None")
    assert str(present.project) == (project if who is Who.KIOSK else "None")
