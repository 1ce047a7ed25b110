"""Commands of the service itself: serve, migrate."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
import msgspec

from ledger import database
from ledger.doors.cli.answers import RETRY, Answer, Verb, err
from ledger.doors.cli.server import database_server, remark, settings
from ledger.scheme import demo
from ledger.scheme.clock import system_clock
from ledger.scheme.demo.cast import cast

if TYPE_CHECKING:
    import uvicorn

    from ledger.settings import Settings


@click.command(cls=Verb)
@click.option("--host", help="The address to listen on; default: LEDGER_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; default: LEDGER_PORT. 0 takes any free one.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Instead of LEDGER_DATA.")
@click.option("--empty", is_flag=True, help="Load no demo scheme into an empty database; a live one never gets it.")
def serve(
    host: str | None,
    port: int | None,
    data: Path | None,
    *,
    empty: bool,
) -> Answer | None:
    """Run the service until Ctrl-C. A first start makes the database; a kill -9 is recovered from at the next."""
    of = settings()
    of = msgspec.structs.replace(of, host=host or of.host, data=data or of.data)
    from ledger.app.remarks import handler  # noqa: PLC0415  # half a second that only this command needs

    logging.basicConfig(level=logging.WARNING, handlers=[handler()])
    # Whatever comes from here on, also what comes from uvicorn after its own end, leaves by the same door as Ctrl-C.
    signal.signal(signal.SIGTERM, _stop)
    try:
        listener = socket.create_server((of.host, of.port if port is None else port))
    except OSError as error:
        said = f"can't listen on {of.host}:{of.port if port is None else port} ({error.strerror}): choose a --port"
        return Answer({"error": "unavailable", "detail": said}, said, RETRY)
    with contextlib.suppress(KeyboardInterrupt), listener:
        of = msgspec.structs.replace(of, port=listener.getsockname()[1])
        # Not shared: whoever started PostgreSQL would also stop it.
        with database_server(of, create=True, share=False) as dsn:
            database.migrate(dsn)
            # What is posted stays for ever, so never into a live journal.
            shown = None if empty or of.environment == "live" else asyncio.run(_load_demo(of, dsn))
            has_door = of.environment == "demo" and asyncio.run(_has_cast(of, dsn))
            _server(of, dsn, shown, has_door=has_door).run(sockets=[listener])
    return None


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


async def _load_demo(of: Settings, dsn: str) -> demo.Demo | None:
    """Show how far it has come: some seconds, of which nobody should wonder what they are for."""
    with err.status("") as status:

        def told(percent: int) -> None:
            status.update(f"Loading a demo county, three months of it: {percent} %")

        async with database.Database.open(dsn, pool_size=of.pool_size) as opened:
            return await demo.load(opened, system_clock, of.environment, told)


async def _has_cast(of: Settings, dsn: str) -> bool:
    """Whether a demo was loaded, now or at an earlier start: then it can be walked into."""
    async with database.Database.open(dsn, pool_size=of.pool_size) as opened:
        return bool(await cast(opened))


def _server(of: Settings, dsn: str, shown: demo.Demo | None, *, has_door: bool) -> uvicorn.Server:
    """One process: the journal has one writer, and what it saves in memory is shared by all requests."""
    import uvicorn  # noqa: PLC0415  # the same

    from ledger.app import create_app, settle_memory  # noqa: PLC0415  # the same

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                settle_memory()
                _announce(of, shown, has_door=has_door)

    return Announcing(
        uvicorn.Config(
            create_app(of, dsn),
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            proxy_headers=False,  # whose X-Forwarded-For is believed is the application's to know, by the settings
            date_header=True,
            # Longer than a proxy's 60 s, or it sends a request on a connection that is just being closed.
            timeout_keep_alive=75,
        )
    )


def _announce(of: Settings, shown: demo.Demo | None, *, has_door: bool) -> None:
    host = f"[{of.host}]" if ":" in of.host else of.host
    base = f"http://{host}:{of.port}"
    remark(f"Time Credits is at {base} (Ctrl-C stops it)")
    if has_door:
        remark(f"To look around, open {base}/demo in a browser: you come in as anybody there, without an email.")
    if shown is not None:
        remark(
            f"A demo county was loaded. Its keys are shown only now. To try what the README shows, paste these lines\n"
            f"into a second terminal:\n"
            f"  OFFICE={shown.scheme_token}\n"
            f"  COORDINATOR={shown.project_token}\n"
            f"  PROJECT={shown.project.id}  # {shown.project.name}, the coordinator's\n"
            f"  VOLUNTEER={shown.person_token}  # {shown.person.name}'s own\n"
            f"  TILL={shown.venue_token}\n"
            f"  OFFER={shown.offer.id}  # {shown.offer.title}, at {shown.venue.name}, whose till it is\n"
            f"  TICKET={shown.ticket.id}  # {shown.ticket.title}: to be booked beforehand\n"
            f"  ANN={shown.person.id}  # {shown.person.name}, a volunteer\n"
            f"  CARD={shown.card}  # what stands on her card\n"
            f"  BILAL={shown.friend.id}  # {shown.friend.name}, a friend of hers\n"
            f"  DEVICE={shown.device}  # the till, for the command line"
        )
    remark(f"  documentation  {base}/docs\n  health         {base}/health/ready")
    remark(f"  database       {'LEDGER_DSN' if of.dsn else of.data.absolute()}")


@click.command(cls=Verb)
def migrate() -> Answer:
    """Bring the database to this program's schema; nothing happens when it is there already."""
    with database_server(settings(), create=True) as dsn:
        database.migrate(dsn)
    return Answer({"migrated": True}, "The schema is up to date.")
