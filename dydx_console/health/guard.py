"""Connections that cannot be held open: every one is always under a deadline, and there are only so many."""

import asyncio
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from dydx_console.health.documents import Problem

__all__ = ["HEAD_S", "IDLE_S", "MAX_CONNECTIONS", "MAX_HEAD_BYTES", "Guard", "head_too_long"]

MAX_CONNECTIONS = 64
"""Connections at a time. One more drops the oldest that only waits, itself where no other does."""

MAX_HEAD_BYTES = 8_192
"""Request line and headers together."""

HEAD_S = 2.0
"""From the first moment of a connection, or the first byte of a further request, to the end of its headers."""

IDLE_S = 5
"""Between two requests on one connection."""

ANSWER_S = 5.0
DRAIN_S = 2.0
STOP_S = 0.5


class _Phase(Enum):
    READING = auto()
    ANSWERING = auto()
    IDLE = auto()
    CLOSING = auto()
    CUT = auto()


# uvicorn ends an idle connection itself; ours is for one that does not take the last answer either
LIMITS_S = {_Phase.READING: HEAD_S, _Phase.ANSWERING: ANSWER_S, _Phase.IDLE: IDLE_S + 1.0, _Phase.CLOSING: DRAIN_S}


def head_too_long() -> Problem:
    """Return the body for a request whose head is too long."""
    return Problem(
        error="head_too_long", detail=f"request line and headers may have {MAX_HEAD_BYTES} bytes together, no more"
    )


class Guard(H11Protocol):
    """uvicorn's HTTP/1.1 connection with a deadline for each phase. Bytes that trickle in or out extend none.

    A head that does not end, an answer that is not taken, a close that is not answered: the connection is cut without
    a further word. Bad requests are answered with our own body, and leave no line in the log: anybody on the machine
    could fill it.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._phase = _Phase.READING
        self._since = 0.0
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        """Whether nothing is lost to an honest client when this connection is dropped."""
        return self._phase in (_Phase.READING, _Phase.IDLE, _Phase.CLOSING) or self._stalled

    @property
    def _stalled(self) -> bool:
        return self._phase is _Phase.ANSWERING and self.flow.write_paused

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, making room where there are too many connections."""
        super().connection_made(transport)
        self._enter(_Phase.READING)
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the deadline go with the connection."""
        self._phase = _Phase.CUT
        self._drop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; the first after an answer begin a further request."""
        if self._phase is _Phase.IDLE:
            self._enter(_Phase.READING)
        super().data_received(data)

    def handle_events(self) -> None:
        """Parse what was received, and notice when a request is complete."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and self._phase is _Phase.READING:
            self._enter(_Phase.ANSWERING)

    def on_response_complete(self) -> None:
        """Wait for the next request, some of which may be there already, or for the close."""
        if self._phase is _Phase.ANSWERING:
            self._enter(_Phase.READING)
        super().on_response_complete()
        if self.transport.is_closing():
            self._enter(_Phase.CLOSING)
        elif self._phase is _Phase.READING and not self.conn.trailing_data[0]:
            self._enter(_Phase.IDLE)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request; where something else is being answered, that answer is the last."""
        # uvicorn's type does not say that there is no cycle before the first request
        if self.cycle is not None and not self.cycle.response_complete:  # type: ignore[redundant-expr]
            return
        if len(self.conn.trailing_data[0]) > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, head_too_long())
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, Problem(error="bad_request", detail="this is no HTTP/1.1 request"))

    def shutdown(self) -> None:
        """Finish what is being answered, within half a second."""
        if self._phase in (_Phase.READING, _Phase.ANSWERING, _Phase.IDLE):
            super().shutdown()
        if self._phase is not _Phase.CUT:
            self._arm(STOP_S)

    def cut(self) -> None:
        """End the connection now, whatever is still to be sent."""
        self._phase = _Phase.CUT
        self._drop_deadline()
        self.transport.abort()

    def _enter(self, phase: _Phase) -> None:
        if self._phase is _Phase.CUT:
            return
        self._phase = phase
        self._since = self.loop.time()
        self._arm(LIMITS_S[phase])

    def _arm(self, limit_s: float) -> None:
        self._drop_deadline()
        self._deadline = self.loop.call_later(limit_s, self.cut)

    def _drop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _make_room(self) -> None:
        waiting = [each for each in self.connections if isinstance(each, Guard) and each.waits]
        min(waiting, key=lambda each: each._since).cut()

    def _refuse(self, status: HTTPStatus, error: Problem) -> None:
        """Answer beside the parser, which has no state for it, and close."""
        body = error.model_dump_json().encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()
        self._enter(_Phase.CLOSING)
