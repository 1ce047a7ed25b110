"""The README is followed to the letter: its commands are run as they stand, with what the service printed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
# The commands of these two sections are what a newcomer types after scripts/serve.
BLOCKS = re.findall(
    r"```sh\n(.*?)```", README[README.index("## The main job") : README.index("## What is promised")], re.DOTALL
)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """What the first start printed, and the environment of a second terminal."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    environment |= {"LEDGER_DATA": str(tmp_path / "data"), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    service = subprocess.Popen(
        [BIN / "timecredits", "serve", "--port", "0"], stderr=subprocess.PIPE, text=True, env=environment
    )
    assert service.stderr is not None
    said = ""
    while "database" not in said:
        line = service.stderr.readline()
        assert line, f"it ended with {service.wait()}, and said: {said}"
        said += line
    yield said, environment
    service.terminate()
    service.communicate(timeout=60)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_main_job_is_done_by_the_readmes_own_commands(served: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    said, environment = served
    port = re.search(r"http://127\.0\.0\.1:(\d+) ", said)
    assert port is not None, said
    pasted = "\n".join(line for line in said.splitlines() if re.match(r"  [A-Z]+=", line))
    commands = "\n".join(BLOCKS).replace("127.0.0.1:8000", f"127.0.0.1:{port[1]}").replace("curl ", "curl -sS ")
    script = f"set -euo pipefail\n{pasted}\n{commands}"

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    for expected in (
        '"awarded":120',  # the register
        '"available":',  # the balance
        '"venue_name":"',  # what is near by
        '"accepted":true',  # the quote
        '"status":"captured"',  # the redemption
        '"status":"authorised"',  # the booking
        '"lapses_at":',  # the gift
        "2 hours 40 becomes 2 hours 45",  # the claim, checked
        '"outcome":"awarded"',  # and approved
        "Recorded 1 person, 1 credit.",
        " available",
        "Verified: ",
    ):
        assert expected in done.stdout + done.stderr, (expected, done.stdout, done.stderr)
    assert re.search(r'"status":\d', done.stdout) is None, "nothing was refused"
    assert (tmp_path / "books.beancount").stat().st_size > 0
    assert (tmp_path / "checkpoint.txt").read_text(encoding="utf-8").startswith("timecredits.local/journal\n")


def test_every_command_of_the_command_line_and_its_exit_codes_are_in_the_readme() -> None:
    from ledger.doors.cli import main  # noqa: PLC0415  # its room is under test, not this file's

    shown = {
        "serve",
        "register",
        "balance",
        "statement",
        "redeem",
        "checkpoint",
        "verify",
        "export",
        "bench",
        "migrate",
    }
    assert shown <= set(main.commands)
    for name in main.commands:
        assert f"`{name}`" in README or f"timecredits {name}" in README or f"scripts/{name}" in README, name
