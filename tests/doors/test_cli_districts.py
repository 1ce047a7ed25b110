"""Loading districts from the command line: all of a list or nothing, and the rows at fault by their numbers."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner, Result

from ledger.database import Embedded, migrate
from ledger.doors.cli import main


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for these tests: commands refuse one that isn't durable."""
    with Embedded(tmp_path_factory.mktemp("districts") / "data") as embedded:
        migrate(embedded.dsn())
        yield embedded.dsn()


class Loading:
    """The command on one database, and a file to load."""

    def __init__(self, dsn: str, file: Path) -> None:
        self._dsn = dsn
        self.file = file

    def run(self, text: str | bytes, *options: str) -> Result:
        self.file.write_bytes(text if isinstance(text, bytes) else text.encode())
        runner = CliRunner(env={"LEDGER_DSN": self._dsn, "COLUMNS": "300"})
        return runner.invoke(main, ["districts", "load", str(self.file), *options])

    def stand(self, statement: str = "SELECT name FROM scheme.district ORDER BY name") -> list[str]:
        async def owned() -> list[str]:
            connection = await asyncpg.connect(self._dsn)
            try:
                return [row[0] for row in await connection.fetch(statement)]
            finally:
                await connection.close()

        return asyncio.run(owned())


@pytest.fixture
def loading(server: str, tmp_path: Path) -> Loading:
    found = Loading(server, tmp_path / "districts.csv")
    found.stand("DELETE FROM scheme.district RETURNING name")
    return found


def test_a_list_is_loaded_and_loaded_again(loading: Loading) -> None:
    done = loading.run("district,latitude,longitude\nCB4,52.222,0.133\ncb1, 52.197 ,0.15\nEH1,55.95,-3\n")
    assert (done.exit_code, done.stdout) == (0, "Loaded 3 districts: 3 new, 0 put right.\n"), done.stderr
    again = loading.run("\ufeffLongitude,District,Latitude\r\n0.14,CB4,52.222\r\n,,\r\n", "--json")
    assert (again.exit_code, json.loads(again.stdout)) == (0, {"districts": 1, "new": 0, "changed": 1})
    assert loading.stand() == ["CB1", "CB4", "EH1"]


HEADER = "district,latitude,longitude\n"
LISTS_THAT_CANNOT_BE: list[tuple[str | bytes, str]] = [
    ("", "has the columns []"),
    ("district,latitude\nCB4,52.2\n", "a list of districts has district, latitude, longitude"),
    ("district,latitude,longitude,town\nCB4,52.2,0.1,Cambridge\n", "has the columns"),
    ("district,latitude,latitude\nCB4,52.2,0.1\n", "has the columns"),
    (HEADER + "CB4,52.2,0.1\nCambridge,52.2,0.1\n", "row 3: has no postcode district, such as CB4"),
    (HEADER + "CB4 1DQ,52.2,0.1\n", "row 2: has no postcode district"),
    (HEADER + "CB4,52.2,0.1\ncb4,52.2,0.1\n", "row 3: has CB4 again, which stands in row 2"),
    (HEADER + "CB4,52.2\n", "row 2: has 2 columns instead of 3"),
    (HEADER + "CB4,north,0.1\n", "row 2: has no latitude in degrees"),
    (HEADER + "CB4,52.2,nan\n", "row 2: has no longitude in degrees"),
    (HEADER + "CB4,5.2e1,0.1\n", "row 2: has no latitude in degrees"),
    (HEADER + "CB4,\u0665\u0662.2,0.1\n", "row 2: has no latitude in degrees"),
    (HEADER + "CB4,0.1,52.2\n", "row 2: has a latitude outside the kingdom"),
    (HEADER + "CB4,52.2,2.3\n", "row 2: has a longitude outside the kingdom"),
    (HEADER + 'CB4,52.2,"0.1\n', "row 2"),
    (HEADER.encode() + b"CB4,52.2,0.1\nCB\xff,52.2,0.1\n", "is not in UTF-8 (row 3"),
    (HEADER + "CB4,52.2,0.1\0\n", "has NUL characters (row 2)"),
    (
        HEADER + "".join(f"{a}{b}{n},52.2,0.1\n" for a in "ABCDE" for b in "ABCDEFGHIJK" for n in range(100)),
        "5,000 rows",
    ),
]


def test_a_list_that_cannot_be_is_told_by_its_rows_and_nothing_is_loaded(loading: Loading) -> None:
    for text, said in LISTS_THAT_CANNOT_BE:
        done = loading.run(text)
        assert (done.exit_code, said in done.stderr) == (2, True), (text[:80], done.stderr)
    assert loading.stand() == []


def test_a_list_of_nothing_is_refused(loading: Loading) -> None:
    done = loading.run(HEADER)
    assert (done.exit_code, "districts must be 1 to 5,000" in done.stderr) == (1, True)


def test_every_row_at_fault_is_told_at_once(loading: Loading) -> None:
    done = loading.run(HEADER + "CB4,52.2,0.1\nx,52.2,0.1\nCB1,x,0.1\n")
    assert ["row 3" in done.stderr, "row 4" in done.stderr, loading.stand()] == [True, True, []]
