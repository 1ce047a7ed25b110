"""The Dockerfile does what scripts/serve does: no container engine is at hand to build it."""

import json
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SERVE = (ROOT / "scripts" / "serve").read_text(encoding="utf-8")


def _instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines if line.strip()]


INSTRUCTIONS = _instructions()
# The runtime stage: from the last FROM on.
RUNTIME = INSTRUCTIONS[max(i for i, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM") :]


def _last(word: str) -> str:
    return [rest for name, rest in RUNTIME if name == word][-1]


def test_it_is_built_in_one_stage_and_runs_in_another() -> None:
    assert [rest for word, rest in INSTRUCTIONS if word == "FROM"] == [
        "python:3.12-slim AS build",
        "python:3.12-slim",
    ]


def test_it_installs_the_extras_that_serve_installs() -> None:
    extras = re.search(r"^EXTRAS=(\S+)$", SERVE, re.MULTILINE)
    assert extras
    installs = [rest for word, rest in INSTRUCTIONS if word == "RUN" and "pip install" in rest]
    assert len(installs) == 1
    assert f'".[{extras[1]}]"' in installs[0]


def test_its_entry_point_is_the_one_that_serve_runs() -> None:
    command = re.search(r'^exec (.+) "\$@"$', SERVE, re.MULTILINE)
    assert command
    words = command[1].split()
    assert json.loads(_last("ENTRYPOINT"))[: len(words)] == words
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert words[0] in scripts


def test_it_listens_on_every_address_of_its_container() -> None:
    assert json.loads(_last("ENTRYPOINT"))[-2:] == ["--host", "0.0.0.0"]  # noqa: S104  # that is the point


def test_every_file_it_copies_exists_and_is_sent_to_the_engine() -> None:
    allowed = [
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"
    ]
    for word, rest in INSTRUCTIONS:
        if word == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), f"COPY {source}: no such file"
                assert any(fnmatch(source, pattern) for pattern in allowed), f".dockerignore hides {source}"


def test_it_copies_what_the_package_is_built_from() -> None:
    copied = {source for word, rest in INSTRUCTIONS if word == "COPY" for source in rest.split()[:-1]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], project["project"]["readme"], "pyproject.toml"}
    assert needed <= copied


def test_nothing_of_the_package_is_left_out_of_it_or_of_the_wheel() -> None:
    """Templates, style, catalogues: hatch takes whatever lies in the package, except what git is told to ignore."""
    ignored = [
        line.removeprefix("**/").rstrip("/")
        for name in (".gitignore", ".dockerignore")
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if line[:1] not in {"", "#", "!", "/"} and line != "*"  # .dockerignore hides all, and lets the package in
    ]
    files = [path.relative_to(ROOT) for path in (ROOT / "ledger").rglob("*") if path.is_file()]
    assert {".html", ".css", ".js", ".typ"} <= {path.suffix for path in files}
    for path in files:
        hidden = {line for line in ignored for part in path.parts if fnmatch(part, line)}
        assert hidden <= {"__pycache__"}, f"{path} is hidden by {hidden}"


def test_it_runs_as_an_ordinary_user() -> None:
    user = _last("USER")
    assert user not in {"root", "0"}
    assert any(word == "RUN" and "useradd" in rest and rest.endswith(user) for word, rest in RUNTIME)
    assert [word for word, _ in RUNTIME].index("USER") < [word for word, _ in RUNTIME].index("ENTRYPOINT")


def test_its_health_is_the_service_being_ready() -> None:
    check = _last("HEALTHCHECK")
    program = json.loads(check.split("CMD", 1)[1])
    assert program[:2] == ["python", "-c"]
    assert "/health/ready" in program[2]
    compile(program[2], "HEALTHCHECK", "exec")


@pytest.mark.parametrize("variable", ["LEDGER_DATA"])
def test_the_data_outlives_the_container(variable: str) -> None:
    folder = dict(pair.split("=", 1) for pair in _last("ENV").split() if "=" in pair)[variable]
    assert _last("VOLUME") == folder
