"""The first burst of requests, at a service that has answered nothing yet."""

import asyncio

from tests.faults.conftest import Clients, Durable, Scheme, Service, verified

BURST = 64
# A burst takes about 0.2 s, of which the connections of the service are most.
BURST_SECONDS = 10


async def test_a_fresh_service_answers_all_of_its_first_requests_at_once(durable: Durable, *, soak: bool) -> None:
    place = await durable.create()
    async with Service.running(place) as service:
        clients = Clients([service])
        try:
            scheme = await Scheme.begun(clients, place)
            ann = await scheme.person(4_800)
            for _ in range(200 if soak else 8):
                await service.restart()
                async with asyncio.timeout(BURST_SECONDS):
                    answers = await asyncio.gather(*(clients.ask(scheme.redeem(ann)) for _ in range(BURST)))
                assert {answer.word for answer in answers} <= {"201", "409 insufficient_credits"}
            assert sum(answer.status == 201 for _, answer in clients.history) == 80
            await clients.replay_all_twice()
        finally:
            await clients.close()
    await verified(place)
