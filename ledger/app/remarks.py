"""What the service remarks on stderr: one line each, with its time in UTC, how grave it is, and the request's id.

structlog's lines and those of the standard logging (the journal's, the database's, uvicorn's) are written alike. A
trace, which has as many lines as it needs, shows no values of variables; nothing shows PostgreSQL's DETAIL, which is
whole rows; and in a remark a line break in what somebody sent begins no line of its own.
"""

import io
import logging
import re
import sys
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo

_DETAIL: Final = re.compile(r"\nDETAIL:.*?(?=\n\n|\nHINT:|\Z)", re.DOTALL)


def _trace(out: TextIO, exception: ExcInfo) -> None:
    """Write a plain trace without PostgreSQL's DETAIL."""
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, exception)
    out.write(_DETAIL.sub("", plain.getvalue()))


def _in_one_line(_logger: object, _method: str, event: EventDict) -> EventDict:
    """The remark itself, as it may be written: its values are escaped by the renderer."""
    said = _DETAIL.sub("", str(event["event"]))
    event["event"] = said.replace("\r", "\\r").replace("\n", "\\n")
    return event


_COMMON: Final[list[Any]] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _in_one_line,
]
# structlog's own way with a trace, where rich is installed, prints every local variable: keys, names, whole requests.
_RENDERER: Final = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=_trace)


def configure() -> None:
    """Have structlog write so, to where all other remarks go."""
    structlog.configure(processors=[*_COMMON, _RENDERER], logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


def handler() -> logging.Handler:
    """What the standard logging's lines are written by."""
    found = logging.StreamHandler()
    found.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_COMMON],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _RENDERER],
        )
    )
    return found
