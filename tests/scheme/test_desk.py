"""The desk: one look at a person, what waits for a second approver, and who may look."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from ledger.database import Database
from ledger.scheme.acts import Acts, Wanted
from ledger.scheme.callers import OPERATOR, Caller, Scope
from ledger.scheme.credentials import Credentials, Kind, Status
from ledger.scheme.desk import CREDENTIALS, AtDesk, Desk
from ledger.scheme.guardians import Guardians
from ledger.scheme.helping import Grant, Helpers, May
from ledger.scheme.people import AgeBand, NewPerson, People, Reach
from ledger.scheme.refusals import Declined
from tests.daytime import daytime
from tests.doors.house import Api, register


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    async with Api.running(dsn) as running:
        yield running


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database, daytime)


async def person(database: Database, name: str = "Ann Lee", **more: object) -> UUID:
    """Somebody new."""
    newcomer = NewPerson(name=name, **more)  # type: ignore[arg-type]  # of its own fields
    return (await People(database, daytime).create(OPERATOR, str(uuid4()), newcomer))[0].id


async def test_one_look_tells_what_they_carry_and_who_is_around_them(database: Database, desk: Desk) -> None:
    ann, bob = await person(database), await person(database, "Bob", age_band=AgeBand.ADULT)
    cleo = await person(database, "Cleo", age_band=AgeBand.FROM_8)
    credentials = Credentials(database, daytime)
    for key in ("first", "second"):
        verb = credentials.issue_card if key == "first" else credentials.replace_card
        await verb(OPERATOR, key, ann)
    await Helpers(database, daytime).grant(OPERATOR, "help", Grant(helped=ann, helper=bob, may=[May.BALANCE]))
    await Guardians(database, daytime).add(OPERATOR, cleo, bob)
    found = await desk.of(OPERATOR, ann)

    assert [(each.kind, each.status) for each in found.credentials] == [
        (Kind.CARD, Status.ACTIVE),
        (Kind.CARD, Status.REPLACED),
    ]
    assert [(each.person, each.name, list(each.may)) for each in found.helpers] == [(bob, "Bob", [May.BALANCE])]
    assert (found.available, found.held, found.passkeys, found.sign_ins, found.recovery) == (0, 0, 0, 0, False)
    around = await desk.of(OPERATOR, bob)
    assert [(each.person, each.name) for each in around.helps] == [(ann, "Ann Lee")]
    assert [(each.person, each.consent) for each in around.children] == [(cleo, None)]


async def test_a_consent_that_holds_is_shown_with_its_end(database: Database, desk: Desk) -> None:
    dora = await person(database, "Dora", age_band=AgeBand.ADULT)
    cleo = await person(database, "Cleo", age_band=AgeBand.FROM_8)
    guardians = Guardians(database, daytime)
    await guardians.add(OPERATOR, cleo, dora)
    given, _ = await guardians.consent(OPERATOR, "yes", cleo, dora)
    [guardian] = (await desk.of(OPERATOR, cleo)).guardians

    assert (guardian.consent, guardian.ends_at) == (given.id, given.ends_at)
    await guardians.withdraw(OPERATOR, given.id)
    [guardian] = (await desk.of(OPERATOR, cleo)).guardians
    assert (guardian.consent, guardian.ends_at) == (None, None)


async def test_a_look_uses_no_contact_and_is_written_down_once_a_day_for_each_who_looks(database: Database) -> None:
    moments = [daytime()]
    desk = Desk(database, lambda: moments[-1])
    sam = Caller(key=uuid4(), scope=Scope.SCHEME, object=None, holder=uuid4())
    ann, bob = await person(database, contact=Reach(email="ann@example.org")), await person(database, "Bob")
    for who, whom in ((OPERATOR, ann), (OPERATOR, ann), (sam, ann), (sam, bob), (sam, ann)):
        found = await desk.of(who, whom)
        assert found.has_contact is (whom == ann)
        assert "ann@example.org" not in repr(found)
    moments.append(moments[0] + timedelta(hours=25))
    holders = {person: (await desk.of(sam, person)).holder for person in (ann, bob)}

    looks = await Acts(database).page(Wanted(verb="person_read"), before=None, limit=10)
    assert [(act.by, act.holder) for act in reversed(looks)] == [
        (OPERATOR.identity, holders[ann]),
        *((sam.holder, holders[whom]) for whom in (ann, bob, ann, bob)),
    ]
    assert await Acts(database).page(Wanted(verb="contact_read"), before=None, limit=10) == []


async def test_of_many_cards_the_newest_are_shown(database: Database, desk: Desk) -> None:
    ann = await person(database)
    credentials = Credentials(database, daytime)
    await credentials.issue_card(OPERATOR, "first", ann)
    for number in range(CREDENTIALS):
        await credentials.replace_card(OPERATOR, f"again-{number}", ann)
    found = (await desk.of(OPERATOR, ann)).credentials

    assert len(found) == CREDENTIALS
    assert found[0].status is Status.ACTIVE


async def test_to_anybody_but_staff_none_of_it_is_there(database: Database, desk: Desk) -> None:
    ann = await person(database)
    for scope in Scope:
        if scope is Scope.SCHEME:
            continue
        caller = Caller(key=uuid4(), scope=scope, object=uuid4(), holder=uuid4())
        for look in (
            desk.of(caller, ann),
            desk.sign_out(caller, ann),
            desk.names(caller, [ann]),
            desk.names_of_holders(caller, [ann]),
            desk.second_approvals(caller),
            desk.paused_offers(caller),
        ):
            with pytest.raises(Declined):
                await look
    with pytest.raises(Declined):
        await desk.of(OPERATOR, uuid4())


async def test_names_are_told_as_far_as_they_are_known(database: Database, desk: Desk) -> None:
    ann = await person(database)
    found: AtDesk = await desk.of(OPERATOR, ann)
    assert await desk.names(OPERATOR, [ann, uuid4()]) == {ann: "Ann Lee"}
    assert await desk.names(OPERATOR, []) == {}
    assert await desk.names_of_holders(OPERATOR, [found.holder, uuid4()]) == {found.holder: "Ann Lee"}


async def test_reading_whose_hours_wait_at_a_sensitive_project_is_written_down(
    api: Api, database: Database, desk: Desk
) -> None:
    ann = await api.person("Ann Lee")
    body = {"name": "Mood group", "alias": "Saturdays", "sensitive": True}
    project = (await api.made("/v1/projects", body))["id"]
    await api.made(f"/v1/projects/{project}/registers", register({ann["id"]: 420}))
    [waiting] = await desk.second_approvals(OPERATOR)

    assert (waiting.name, waiting.minutes, waiting.needs_two, waiting.is_own) == ("Ann Lee", 420, True, False)
    [act, *_] = await Acts(database).page(Wanted(verb="people_of_sensitive_project"), before=None, limit=10)
    assert act.object == UUID(project)
    assert daytime() - act.at < timedelta(minutes=1)


async def test_paused_offers_are_told_with_their_venue(api: Api, desk: Desk) -> None:
    venue = await api.venue("Parkside pool")
    offer = await api.offer(venue, title="A swim")
    assert list(await desk.paused_offers(OPERATOR)) == []
    await api.made(f"/v1/offers/{offer}/pause")
    [paused] = await desk.paused_offers(OPERATOR)

    assert (str(paused.id), paused.title, paused.venue_name) == (offer, "A swim", "Parkside pool")
