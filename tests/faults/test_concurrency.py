"""Requests that race each other through two service processes on one database, and then all of them again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.faults.conftest import Answer, Asked, Durable, Place, Scheme, position, two_services, verified


@pytest.fixture(scope="module")
async def both(durable: Durable) -> AsyncIterator[tuple[Scheme, Place]]:
    """Two processes for all tests of this module, and their database."""
    place = await durable.create()
    async with two_services(place) as scheme:
        yield scheme, place


@pytest.fixture
async def scheme(both: tuple[Scheme, Place]) -> AsyncIterator[Scheme]:
    """The scheme, whose clients have asked nothing yet. After each test its whole history is replayed."""
    scheme, place = both
    scheme.clients.history.clear()
    yield scheme
    before = await position(place)
    await scheme.clients.replay_all_twice()
    assert await position(place) == before, "a replay posts nothing"
    await verified(place)


async def at_once(scheme: Scheme, *asked: Asked) -> list[Answer]:
    """All of them at the same time, by turns of one process and the other."""
    return await asyncio.gather(*(scheme.clients.ask(each, number % 2) for number, each in enumerate(asked)))


def words(answers: list[Answer]) -> Counter[str]:
    return Counter(answer.word for answer in answers)


async def test_of_five_hundred_who_spend_the_last_credit_at_once_one_wins(scheme: Scheme) -> None:
    ann = await scheme.person(60)
    answers = await at_once(scheme, *(scheme.redeem(ann["holder"]) for _ in range(500)))
    assert words(answers) == {"201": 1, "409 insufficient_credits": 499}
    assert await scheme.balance(ann) == (0, 0)


async def test_of_a_capture_and_a_void_at_once_exactly_one_wins(scheme: Scheme, *, soak: bool) -> None:
    for _ in range(20 if soak else 1):
        ann = await scheme.person(3_000)
        holds = await at_once(scheme, *(scheme.redeem(ann["holder"], capture=False) for _ in range(50)))
        captured = 0
        for number, hold in enumerate(holds):
            # By turns, so that neither always has the process that is warm, nor the first place.
            pair = [scheme.step(hold.body["id"], step) for step in ("capture", "void")][:: 1 if number % 2 else -1]
            answers = await at_once(scheme, *pair)
            assert words(answers) == {"201": 1, "409 already_resolved": 1}
            captured += any(answer.body.get("kind") == "capture" for answer in answers)
        assert await scheme.balance(ann) == (3_000 - 60 * captured, 0)


@pytest.mark.parametrize("what", ["redemption", "refusal", "register", "capture", "refund", "reversal"])
async def test_of_fifty_requests_with_one_key_one_is_done_and_the_others_hear_its_answer(
    scheme: Scheme, both: tuple[Scheme, Place], what: str
) -> None:
    ann = await scheme.person(0 if what == "refusal" else 120)
    match what:
        case "redemption" | "refusal":
            asked = scheme.redeem(ann["holder"])
        case "register":
            asked = scheme.register({ann["id"]: 60})
        case "capture":
            (hold,) = await at_once(scheme, scheme.redeem(ann["holder"], capture=False))
            asked = scheme.step(hold.body["id"], "capture", 45)
        case "refund":
            (spent,) = await at_once(scheme, scheme.redeem(ann["holder"]))
            asked = scheme.step(spent.body["id"], "refund")
        case _:
            (given,) = await at_once(scheme, scheme.register({ann["id"]: 60}))
            asked = scheme.reversal(given.body["awards"][0])
    before = await position(both[1])

    answers = await at_once(scheme, *[asked] * 50)

    assert words(answers) == {"409 insufficient_credits" if what == "refusal" else "201": 50}
    assert Counter(answer.replayed for answer in answers) == {False: 1, True: 49}
    assert all(answer.same(answers[0]) for answer in answers)
    assert await position(both[1]) == before + (what != "refusal")


async def test_traffic_in_opposite_orders_is_all_answered(scheme: Scheme, *, soak: bool) -> None:
    for _ in range(20 if soak else 1):
        await two_people_in_opposite_orders(scheme)


async def two_people_in_opposite_orders(scheme: Scheme) -> None:
    ann, bob = await scheme.person(1_200), await scheme.person(1_200)
    spent = await at_once(scheme, *(scheme.redeem(who["holder"]) for _ in range(10) for who in (ann, bob)))
    given = await at_once(scheme, *(scheme.register({ann["id"]: 60, bob["id"]: 60}, days_ago=day) for day in (50, 51)))
    assert words(spent + given) == {"201": 22}

    there, back = [ann, bob], [bob, ann]
    answers = await at_once(
        scheme,
        # Wallet to venue and venue to wallet, of the same two wallets and the same venue.
        *(
            each
            for redemption in spent
            for who in there
            for each in (scheme.redeem(who["holder"]), scheme.step(redemption.body["id"], "refund", 15))
        ),
        # Registers lock the people on them: the same two, listed in both orders.
        *(
            scheme.register({who["id"]: 60 for who in order}, days_ago=day)
            for day in range(30, 40)
            for order in (there, back)
        ),
        *(scheme.reversal(award) for register in given for award in register.body["awards"][::-1]),
    )

    # Twice forty ask for 20 swims and what comes back; of two registers of one day the second overlaps.
    assert set(words(answers)) <= {"201", "409 insufficient_credits", "409 overlapping_session"}
    assert words(answers)["409 overlapping_session"] == 10
    assert {answer.status for answer in answers[1:80:2]} == {201}, "every refund is posted"
    assert {answer.status for answer in answers[-4:]} <= {201, 409}
