"""What becomes of a record: plain texts without secrets, then a line of JSON for the file or of text for people."""

import logging
import time
from copy import copy
from datetime import UTC, datetime

from dydx_console.domain.redaction import log_line, redacted, redacted_value
from dydx_console.domain.text import clean
from dydx_console.domain.trace import trace_of

__all__ = ["AloudLines", "harmless", "json_of"]

LONGEST_MESSAGE = 4_000
LONGEST_EXCEPTION = 16_000

_OWN = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime", "taskName"}


def harmless(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy of a record whose message, exception and fields are plain values without secrets.

    Nothing in it holds on to what was logged. Raises whatever the record's own values raise when they become text.
    """
    told = copy(record)
    told.msg = redacted(record.getMessage(), LONGEST_MESSAGE)
    told.args = None
    error = record.exc_info[1] if record.exc_info else None
    told.exc_text = None if error is None else redacted(trace_of(error), LONGEST_EXCEPTION)
    told.exc_info = None
    told.stack_info = None
    for name in vars(record).keys() - _OWN:
        told.__dict__[name] = redacted_value(name, record.__dict__[name])
    return told


def json_of(record: logging.LogRecord) -> str:
    """Return a harmless record as a line of the log file; fields without a value are left out."""
    fields = {name: value for name, value in vars(record).items() if name not in _OWN and value is not None}
    return log_line(
        datetime.fromtimestamp(record.created, UTC),
        record.levelname,
        record.name,
        str(record.msg),
        fields=fields,
        exception=record.exc_text,
    )


class AloudLines(logging.Formatter):
    """Renders harmless records as lines for people, with times in UTC, that cannot steer a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's lines."""
        return "\n".join(clean(line, LONGEST_MESSAGE) for line in super().format(record).splitlines())
