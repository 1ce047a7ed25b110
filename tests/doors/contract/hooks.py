"""What schemathesis is told beyond the document, in its own process: whose key, which ids, and what an answer must be.

`CONTRACT` names a file with the document, the tokens and ids of a scheme (see `service`), and the scope whose key is
preferred; where that scope may not use a route, those that may take turns.

All that is chosen here hangs on the order of requests, so a seed repeats its run as far as the service does, whose ids
are random.
"""

import json
import os
import re
from collections import Counter
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import schemathesis
from hypothesis import strategies as st

from ledger.doors.api.answers import KINDS
from ledger.doors.api.problems import MEDIA_TYPE, PAGE
from ledger.doors.fields import CURSOR_PATTERN, KEY_PATTERN
from tests.doors.contract.known import Known
from tests.doors.contract.links import examples
from tests.doors.contract.service import NOW
from tests.doors.routes import ROUTES

Case: TypeAlias = schemathesis.Case[Any]

_given = json.loads(Path(os.environ["CONTRACT"]).read_text())
_tokens: dict[str, str] = _given["tokens"]
_known = Known(_given["document"], _given["ids"], withheld=_given["keys"])
_examples = dict(examples(_given["document"]))
_asked: Counter[str] = Counter()
_pages: dict[str, str] = {}
_TOKEN = re.compile(r"tc_[a-z]+_\w+")
_MAKE_KEYS = {"POST /v1/keys", "POST /v1/devices/enrol"}
_SIGNED_BY = "X-Signed-By"  # so that a failure's `curl` says whose key it was

# Two moments of these are a session that may be recorded, more often than not.
_recent = st.integers(1, 8).map(lambda hours: NOW - timedelta(days=1, hours=hours))
_any = st.datetimes(NOW.replace(2000, tzinfo=None), NOW.replace(2099, tzinfo=None), timezones=st.just(UTC))
schemathesis.openapi.format("date-time", (_recent | _any).map(lambda moment: moment.isoformat()))


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: Case, _kwargs: dict[str, Any]) -> None:
    """Make of it what may succeed: the document's own example every second time, ids that exist; and sign it."""
    label = case.operation.label
    turn = _asked[label]
    _asked[label] += 1
    if turn % 2 and label in _examples and case.meta is not None and case.meta.generation.mode.is_positive:
        case.body = _examples[label]
    case.path_parameters = _known.exchanged(case.path_parameters, turn)
    case.query = _known.exchanged(case.query, turn)
    case.body = _whole(_known.exchanged(case.body, turn))
    if re.fullmatch(CURSOR_PATTERN, str(case.query.get("cursor", ""))):
        _turn_the_page(case)
    if turn % 8 and re.fullmatch(KEY_PATTERN, case.headers.get("Idempotency-Key", "")):
        case.headers["Idempotency-Key"] = f"{label} {turn}".replace(" ", "-")  # most that are generated are "0"
    scopes = sorted(ROUTES.get((case.method.upper(), case.operation.path)) or _tokens)
    scope = _given["scope"] if _given["scope"] in scopes else scopes[turn % len(scopes)]
    case.headers.update({"Authorization": f"Bearer {_tokens[scope]}", _SIGNED_BY: scope})


@schemathesis.hook
def after_call(_context: schemathesis.HookContext, case: Case, response: schemathesis.Response) -> None:
    """Learn the ids of what was made or found, and unlearn those of what is gone."""
    if response.status_code in {200, 201} and response.headers.get("content-type") == ["application/json"]:
        answer = response.json()
        _known.learn(case.operation.path, answer)
        if isinstance(answer, dict) and isinstance(answer.get("next"), str):
            _pages[_list_of(case)] = answer["next"]
    elif response.status_code == 404 and case.headers[_SIGNED_BY] == "scheme":
        # That key may see everything; and of several ids it could be any that is gone.
        ids = [str(id_) for id_ in case.path_parameters.values()]
        if len(ids) == 1:
            _known.forget(ids)


@schemathesis.check
def refused_as_a_problem(_context: schemathesis.CheckContext, response: schemathesis.Response, _case: Case) -> None:
    """Whatever isn't a success is a problem of a documented kind, with the number of the request."""
    if response.status_code < 400:
        return
    assert response.headers["content-type"] == [MEDIA_TYPE]
    problem = response.json()
    assert [problem["request_id"]] == response.headers["x-request-id"]
    assert problem["status"] == response.status_code
    assert problem["code"] in KINDS, problem["code"]
    assert problem["type"] == f"{PAGE}#{problem['code']}"
    assert problem["title"]
    assert problem["detail"]


@schemathesis.check
def no_secret_is_told(_context: schemathesis.CheckContext, response: schemathesis.Response, case: Case) -> None:
    """No answer repeats a key, or holds any but the one that makes it."""
    told = response.text + str(response.headers)
    assert not [scope for scope, token in _tokens.items() if token in told]
    assert case.operation.label in _MAKE_KEYS or not _TOKEN.search(told)


def _whole(value: Any) -> Any:  # noqa: ANN401  # JSON
    """The same with 60 for 60.0: JSON Schema sees no difference, and we do."""
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _turn_the_page(case: Case) -> None:
    """Put the cursor that this list gave last in place of one that is made up, or none."""
    del case.query["cursor"]
    if given := _pages.get(_list_of(case)):
        case.query["cursor"] = given


def _list_of(case: Case) -> str:
    filters = {name: value for name, value in case.query.items() if name not in {"cursor", "limit"}}
    return f"{case.formatted_path} {filters}"
