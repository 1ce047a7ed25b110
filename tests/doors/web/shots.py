"""Pictures of every page, as PNGs: the demo county on a temporary database, each page opened by whom it is for.

So are answers to forms, a till's yes and no, and what can't be done; and the same pages of a newcomer, a project and a
venue that have nothing yet but long names. On a telephone and on a desk's screen, in light; where a place says so, in
dark as well. Look at each: alignment, rhythm, contrast, words, long names, what is empty, what is wrong.
"""

import asyncio
import contextlib
import logging
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import click
import structlog
from playwright.async_api import Browser
from rich.console import Console
from rich.progress import track

from ledger.app import serving
from ledger.database import Database, Embedded, migrate
from ledger.scheme import demo
from ledger.scheme.clock import system_clock
from ledger.settings import Settings
from tests.doors.web.browser import DESKTOP, PHONE, Window, chromium, launched, listening, served
from tests.doors.web.entrance import Entrance, known_of, tokens_of
from tests.doors.web.opening import opened, played
from tests.doors.web.places import BARE, PLACES, SCENES, Place, Scene

_SIZES: Final = {"phone": PHONE, "desktop": DESKTOP}
_out: Final = Console()
_err: Final = Console(stderr=True)


class Shot(NamedTuple):
    place: Place | Scene
    size: str
    dark: bool
    bare: bool = False

    @property
    def file(self) -> str:
        return f"{'bare-' if self.bare else ''}{self.place.name}.{self.size}{'.dark' if self.dark else ''}.png"


class Shown(NamedTuple):
    """The demo: its address, a cookie of somebody in each capacity, and what is known; and the same of what is bare."""

    base: str
    tokens: Mapping[str, str]
    known: Mapping[str, str]
    bare_tokens: Mapping[str, str]
    bare_known: Mapping[str, str]


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("shots"))
@click.option("--only", default="", help="Only places whose name has this in it, such as till or person-people.")
def main(folder: Path, only: str) -> None:
    """Write PNGs of every page to FOLDER, which is emptied of PNGs before; without one: shots."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    executable = chromium()
    if executable is None:
        _err.print("There is no Chromium: apt-get install chromium, or name one: CHROMIUM=/path/to/chromium")
        sys.exit(1)
    chosen = [
        Shot(place, size, dark)
        for place in (*PLACES, *SCENES)
        if only in place.name
        for size in _SIZES
        for dark in ((False, True) if place.dark else (False,))
    ] + [Shot(place, "phone", dark=False, bare=True) for place in BARE if only in f"bare-{place.name}"]
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        if only in old.name:
            old.unlink()
    failed = asyncio.run(_taken(executable, folder, chosen))
    for line in failed:
        _err.print(line, style="red", markup=False, soft_wrap=True)
    _out.print(f"{len(chosen) - len(failed)} of {len(chosen)} pictures are in {folder.absolute()}", soft_wrap=True)
    sys.exit(1 if failed else 0)


async def _taken(executable: str, folder: Path, shots: list[Shot]) -> list[str]:
    async with _answering() as shown, launched(executable) as browser:
        return await take(browser, shown, folder, track(shots, "Taking pictures", console=_err))


async def take(browser: Browser, shown: Shown, folder: Path, shots: Iterable[Shot]) -> list[str]:
    """Take them all; what failed, in words."""
    failed = []
    for shot in shots:
        try:
            await _take(browser, shown, shot, folder / shot.file)
        except Exception as error:  # noqa: BLE001  # the others are taken all the same
            failed.append(f"{shot.file}: {next(iter(str(error).strip().splitlines()), repr(error))}")
    return failed


@contextlib.asynccontextmanager
async def _answering() -> AsyncIterator[Shown]:
    """It, until the block ends."""
    with contextlib.ExitStack() as temporary:
        folder = Path(temporary.enter_context(tempfile.TemporaryDirectory(prefix="shots-", ignore_cleanup_errors=True)))
        listener = temporary.enter_context(listening())
        base = f"http://localhost:{listener.getsockname()[1]}"
        embedded = temporary.enter_context(Embedded(folder / "postgresql", durable=False))
        dsn = embedded.dsn()
        settings = Settings(environment="demo", data=folder, public_url=base)
        await asyncio.to_thread(migrate, dsn)
        async with Database.open(dsn) as database:
            with _err.status("Loading the demo county") as status:
                loaded = await demo.load(
                    database,
                    system_clock,
                    "demo",
                    lambda percent: status.update(f"Loading the demo county: {percent} %"),
                )
            assert loaded is not None, "the database was empty"
            known = known_of(loaded)
            entrance = Entrance(database, system_clock)
            tokens, bare = await tokens_of(entrance, known), await entrance.bare()
            bare_tokens = await tokens_of(entrance, bare)
            async with serving(settings, dsn, tested=True) as application, served(application, listener) as address:
                yield Shown(address, tokens, known, bare_tokens, bare)


async def _take(browser: Browser, shown: Shown, shot: Shot, file: Path) -> None:
    place, tokens, known = shot.place, shown.tokens, shown.known
    if shot.bare:
        tokens, known = shown.bare_tokens, shown.bare_known
    async with Window.opened(browser, shown.base, _SIZES[shot.size], dark=shot.dark) as window:
        if token := tokens[place.who]:
            await window.sign_in(token)
        page = await (played(window, place, known) if isinstance(place, Scene) else opened(window, place, known))
        # Not just the whole page: what keeps to the window's lower edge would lie across its middle.
        height = await page.evaluate("document.documentElement.scrollHeight")
        width, least = _SIZES[shot.size]
        await page.set_viewport_size({"width": width, "height": max(least, height)})
        await page.screenshot(path=file)


if __name__ == "__main__":
    main()
