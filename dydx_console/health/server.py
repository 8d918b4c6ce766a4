"""The health server: a thread and an event loop of its own, so that neither engine nor screen wait for it."""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn

from dydx_console.health.api import Api
from dydx_console.health.application import application
from dydx_console.health.guard import IDLE_S, MAX_HEAD_BYTES, Guard
from dydx_console.health.listen import Listen
from dydx_console.health.probing import PROBE_S, Prober
from dydx_console.health.sockets import BACKLOG, Listener, open_listener
from dydx_console.ports.health import HealthPort

__all__ = ["HealthServer"]

STOP_S = 2.0
START_S = 10.0
# asyncio accepts this many at once, before it reads from any: fewer than are held, or the last would drop the first
ACCEPTED_AT_ONCE = 16
UVICORN_LOG = "uvicorn"

log = logging.getLogger(__name__)


class HealthServer:
    """Serves one engine's health over HTTP until stopped. It changes no signal handler and writes to no terminal.

    Args:
        port: the engine.
        listen: where to listen.
        probe_deadline_s: seconds that the engine is given where fresh evidence is asked for, at most 3.
        api: what the account's API answers from; without it there is none.
    """

    def __init__(
        self, port: HealthPort, listen: Listen, *, probe_deadline_s: float = PROBE_S, api: Api | None = None
    ) -> None:
        self._port = port
        self._api = api
        self._listen = listen
        self._probe_deadline_s = min(probe_deadline_s, 3.0)
        self._listener: Listener | None = None
        self._server: _Server | None = None
        self._accepting = threading.Event()
        self._thread = threading.Thread(target=self._thread_main, name="health", daemon=True)

    def start(self) -> Listen:
        """Listen, and return where: with the port that was found where any was asked for. Call it once.

        Returns when requests are accepted. Raises OSError, whose `strerror` is a sentence, where it cannot listen.
        """
        self._listener = open_listener(self._listen)
        self._thread.start()
        if not self._accepting.wait(START_S) or self._server is None or not self._server.started:
            self.stop()
            raise OSError(None, f"cannot listen on {self._listen}: the server did not start; the log tells why")
        return self._listener.at

    def stop(self, within_s: float = STOP_S) -> bool:
        """Stop, waiting at most `within_s` seconds; returns whether everything ended in time.

        Answers that are being sent get half a second. The unix socket's file is removed.
        """
        if self._server is not None:
            self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(within_s)
        if self._listener is not None:
            self._listener.close()
        if self._thread.is_alive():
            log.error("the health server did not end within %.1f s", within_s)
        return not self._thread.is_alive()

    def _thread_main(self) -> None:
        try:
            asyncio.run(self._main())
        finally:
            self._accepting.set()

    async def _main(self) -> None:
        (ended,) = await asyncio.gather(self._serve(), return_exceptions=True)
        if ended is not None:
            log.error("the health server failed", exc_info=ended)

    async def _serve(self) -> None:
        if self._listener is None:
            return
        _keep_off_the_terminal()
        prober = Prober(self._port, self._probe_deadline_s)
        config = uvicorn.Config(
            application(self._port, prober, self._listener.at, self._api),
            http=Guard,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            workers=1,
            backlog=ACCEPTED_AT_ONCE,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config, self._accepting.set, prober.close)
        await self._server.serve([self._listener.sock])


class _Server(uvicorn.Server):
    """uvicorn that says when it accepts, leaves signals alone, and holds no connection beyond its end."""

    def __init__(self, config: uvicorn.Config, accepting: Callable[[], None], ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._accepting = accepting
        self._ending = ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept."""
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(BACKLOG)
        self._accepting()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the probe and the connections; cut those that do not end."""
        self._ending()
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            if isinstance(connection, Guard):
                connection.cut()
        await asyncio.sleep(0)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def _keep_off_the_terminal() -> None:
    """Without any handler, Python writes a library's errors to stderr, where the screen is."""
    logger = logging.getLogger(UVICORN_LOG)
    if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
        logger.addHandler(logging.NullHandler())
