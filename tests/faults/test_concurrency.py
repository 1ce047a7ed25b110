"""Requests that race each other through two service processes on one database, and then all of them again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import asyncpg
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


async def in_either_order(scheme: Scheme, asked: Sequence[Asked], number: int) -> list[Answer]:
    """Two of them at the same time; by turns the other one is sent first, and to the other process."""
    order = 1 if number % 2 else -1
    return (await at_once(scheme, *asked[::order]))[::order]


async def balances(place: Place) -> Counter[str]:
    """What stands on each account; on one that isn't there, nothing."""
    connection: asyncpg.Connection = await asyncpg.connect(place.dsn)
    try:
        rows = await connection.fetch("SELECT name, balance FROM journal.balance")
        return Counter({row["name"]: row["balance"] for row in rows})
    finally:
        await connection.close()


def outcomes(approval: Answer) -> list[str]:
    return [decision["outcome"] for decision in approval.body["decisions"]]


def words(answers: list[Answer]) -> Counter[str]:
    return Counter(answer.word for answer in answers)


async def test_of_five_hundred_who_spend_the_last_credit_at_once_one_wins(scheme: Scheme) -> None:
    ann = await scheme.person(60)
    answers = await at_once(scheme, *(scheme.redeem(ann) for _ in range(500)))
    assert words(answers) == {"201": 1, "409 insufficient_credits": 499}
    assert await scheme.balance(ann) == (0, 0)


async def test_of_a_capture_and_a_void_at_once_exactly_one_wins(scheme: Scheme, *, soak: bool) -> None:
    for _ in range(20 if soak else 1):
        ann = await scheme.person(3_000)
        holds = await at_once(scheme, *(scheme.redeem(ann, capture=False) for _ in range(50)))
        captured = 0
        for number, hold in enumerate(holds):
            # By turns, so that neither always has the process that is warm, nor the first place.
            pair = [scheme.step(hold.body["id"], step) for step in ("capture", "void")][:: 1 if number % 2 else -1]
            answers = await at_once(scheme, *pair)
            assert words(answers) == {"201": 1, "409 already_resolved": 1}
            captured += any(answer.body.get("kind") == "capture" for answer in answers)
        assert await scheme.balance(ann) == (3_000 - 60 * captured, 0)


@pytest.mark.parametrize("what", ["redemption", "refusal", "register", "capture", "refund", "approval", "correction"])
async def test_of_fifty_requests_with_one_key_one_is_done_and_the_others_hear_its_answer(
    scheme: Scheme, both: tuple[Scheme, Place], what: str
) -> None:
    ann = await scheme.person(0 if what == "refusal" else 120)
    match what:
        case "redemption" | "refusal":
            asked = scheme.redeem(ann)
        case "register":
            asked = scheme.register({ann["id"]: 60})
        case "capture":
            (hold,) = await at_once(scheme, scheme.redeem(ann, capture=False))
            asked = scheme.step(hold.body["id"], "capture", 45)
        case "refund":
            (spent,) = await at_once(scheme, scheme.redeem(ann))
            asked = scheme.step(spent.body["id"], "refund")
        case "approval":
            (claim,) = await at_once(scheme, scheme.claim(ann["id"]))
            asked = scheme.approval([claim.body["id"]])
        case _:
            (given,) = await at_once(scheme, scheme.register({ann["id"]: 60}))
            asked = scheme.correction(given.body["claims"][0])
    before = await position(both[1])

    answers = await at_once(scheme, *[asked] * 50)

    assert words(answers) == {"409 insufficient_credits" if what == "refusal" else "201": 50}
    assert Counter(answer.replayed for answer in answers) == {False: 1, True: 49}
    assert all(answer.same(answers[0]) for answer in answers)
    assert await position(both[1]) == before + (what != "refusal")


async def test_of_two_coordinators_who_approve_the_same_claims_at_once_both_hear_that_each_was_awarded_once(
    scheme: Scheme, both: tuple[Scheme, Place], *, soak: bool
) -> None:
    carol, dan = await scheme.another_coordinator(), await scheme.another_coordinator()
    for _ in range(20 if soak else 1):
        people = [await scheme.person(0) for _ in range(10)]
        days = (3, 4, 5)
        told = await at_once(scheme, *(scheme.claim(who["id"], days_ago=day) for who in people for day in days))
        claims = [claim.body["id"] for claim in told]
        before = await position(both[1])

        # In opposite orders, so that each has locked what the other needs, if either locks in its own.
        answers = await at_once(scheme, scheme.approval(claims, carol), scheme.approval(claims[::-1], dan))

        assert words(answers) == {"201": 2}
        assert [outcomes(answer) for answer in answers] == [["awarded"] * 30] * 2
        assert sorted(answer.body["minutes"] for answer in answers) == [0, 1_800], "whoever came first awarded them"
        assert await position(both[1]) == before + 30
        assert [await scheme.balance(who) for who in people] == [(180, 0)] * 10


async def test_of_two_coordinators_who_approve_each_claim_at_once_one_is_the_first_and_where_needed_one_the_second(
    scheme: Scheme, both: tuple[Scheme, Place], *, soak: bool
) -> None:
    carol, dan = await scheme.another_coordinator(), await scheme.another_coordinator()
    for minutes, outcome in ((60, ["awarded", "awarded"]), (420, ["awarded", "waiting_for_second"])):
        for _ in range(20 if soak else 1):
            people = [await scheme.person(0) for _ in range(15)]
            told = await at_once(scheme, *(scheme.claim(who["id"], minutes=minutes) for who in people))
            before = await position(both[1])

            answers = await at_once(
                scheme, *(scheme.approval([claim.body["id"]], token) for claim in told for token in (carol, dan))
            )

            for number in range(15):
                pair = answers[2 * number : 2 * number + 2]
                assert sorted(outcomes(pair[0]) + outcomes(pair[1])) == outcome
                assert sum(answer.body["minutes"] for answer in pair) == minutes
            assert await position(both[1]) == before + 15
            assert [await scheme.balance(who) for who in people] == [(minutes, 0)] * 15


async def test_of_a_correction_and_a_redemption_of_the_same_credits_one_gets_them_and_the_scheme_bears_the_rest(
    scheme: Scheme, *, soak: bool
) -> None:
    for number in range(200 if soak else 20):
        ann = await scheme.person(0)
        (given,) = await at_once(scheme, scheme.register({ann["id"]: 60}))
        asked = [scheme.correction(given.body["claims"][0]), scheme.redeem(ann)]
        corrected, redeemed = await in_either_order(scheme, asked, number)
        assert corrected.status == 201
        assert (redeemed.word, corrected.body["goodwill"]) in {("201", 60), ("409 insufficient_credits", 0)}
        assert await scheme.balance(ann) == (0, 0)


async def test_of_a_consent_and_the_approval_of_a_childs_claim_the_second_awards_it(
    scheme: Scheme, both: tuple[Scheme, Place], *, soak: bool
) -> None:
    dee = await scheme.person(0)
    for number in range(200 if soak else 20):
        cat = await scheme.person(0, age_band="8_to_15")
        await scheme.clients.made(f"/v1/people/{cat['id']}/guardians", scheme.coordinator, {"guardian": dee["id"]})
        (claim,) = await at_once(scheme, scheme.claim(cat["id"]))
        before = await position(both[1])
        asked = [scheme.consent(cat["id"], dee["id"]), scheme.approval([claim.body["id"]])]

        consent, approval = await in_either_order(scheme, asked, number)

        assert words([consent, approval]) == {"201": 2}
        assert (consent.body["minutes"], outcomes(approval)) in [(0, ["awarded"]), (60, ["waiting_for_consent"])]
        assert await position(both[1]) == before + 1
        assert await scheme.balance(cat) == (60, 0)


@pytest.mark.parametrize("what", ["a visit", "a hold", "a capture", "a refund", "a register", "an approval"])
async def test_of_an_erasure_and_what_moves_the_same_credits_none_is_lost_and_nothing_is_paid_to_nobody(
    scheme: Scheme, both: tuple[Scheme, Place], what: str, *, soak: bool
) -> None:
    declined = {
        "a visit": {"409 code_unknown", "409 insufficient_credits"},
        "a hold": {"409 code_unknown", "409 insufficient_credits"},
        "a capture": {"409 already_resolved"},
        "a refund": {"409 code_unknown"},
        "a register": {"422 wrong_values"},
        "an approval": {"404 not_found"},
    }
    for number in range(100 if soak else 10):
        ann = await scheme.person(120)
        match what:
            case "a visit" | "a hold":
                asked = scheme.redeem(ann, capture=what == "a visit")
            case "a capture" | "a refund":
                (spent,) = await at_once(scheme, scheme.redeem(ann, capture=what == "a refund"))
                asked = scheme.step(spent.body["id"], what.removeprefix("a "))
            case "an approval":
                asked = scheme.approval([(await scheme.clients.ask(scheme.claim(ann["id"]))).body["id"]])
            case _:
                asked = scheme.register({ann["id"]: 60})
        before = await balances(both[1])

        erased, other = await in_either_order(scheme, [scheme.erasure(ann["id"]), asked], number)

        assert erased.word == "201"
        assert other.word in {"201", *declined[what]}
        after = await balances(both[1])
        assert after[f"wallet:{ann['holder'].replace('-', '')}"] == 0
        assert after[f"held:{ann['holder'].replace('-', '')}"] == 0
        assert after["pot:community"] - before["pot:community"] == erased.body["minutes"]
        if other.status in {404, 422}:
            # It isn't kept, so that it can be mended and sent again under its key; unmended, it is in vain.
            scheme.clients.history.remove((asked, other))
            assert (await scheme.clients.send(asked)).word in declined[what]


async def test_of_ten_claims_for_overlapping_hours_at_once_one_is_submitted_and_the_others_are_queried(
    scheme: Scheme, *, soak: bool
) -> None:
    for _ in range(100 if soak else 5):
        ann = await scheme.person(0)
        answers = await at_once(scheme, *(scheme.claim(ann["id"], minutes=15) for _ in range(10)))
        assert Counter((answer.body["state"], *answer.body["exceptions"]) for answer in answers) == {
            ("submitted",): 1,
            ("queried", "overlapping"): 9,
        }


async def test_traffic_in_opposite_orders_is_all_answered(scheme: Scheme, *, soak: bool) -> None:
    for _ in range(20 if soak else 1):
        await two_people_in_opposite_orders(scheme)


async def two_people_in_opposite_orders(scheme: Scheme) -> None:
    ann, bob = await scheme.person(1_200), await scheme.person(1_200)
    spent = await at_once(scheme, *(scheme.redeem(who) for _ in range(10) for who in (ann, bob)))
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
            for each in (scheme.redeem(who), scheme.step(redemption.body["id"], "refund", 15))
        ),
        # Registers lock the people on them: the same two, listed in both orders.
        *(
            scheme.register({who["id"]: 60 for who in order}, days_ago=day)
            for day in range(30, 40)
            for order in (there, back)
        ),
        *(scheme.correction(claim) for register in given for claim in register.body["claims"][::-1]),
    )

    # Twice forty ask for 20 swims and what comes back; of two registers of one day the second overlaps, and is queried.
    assert set(words(answers)) <= {"201", "409 insufficient_credits"}
    assert {answer.status for answer in answers[1:80:2]} == {201}, "every refund is posted"
    assert sorted(answer.body["waiting"] for answer in answers[80:100]) == [0] * 10 + [120] * 10
    assert {answer.status for answer in answers[-4:]} == {201}, "what was spent is borne by the scheme"
