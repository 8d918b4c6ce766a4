"""The engine's own door for other consoles of the same user: a unix socket, one JSON object a line, each answered.

A request is `{"v": 1, "do": NAME, ...}`, an answer `{"v": 1, "ok": {...}}` or
`{"v": 1, "error": {"kind": KIND, "text": SENTENCE}}`. What a name does is its handler's business; whoever is refused
here has changed nothing.
"""

import asyncio
import hashlib
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ["VERSION", "ControlError", "ControlServer", "Handler", "SilentError", "ask", "control_path"]

VERSION = 1
"""Of the messages; a newer one of a request is refused by an older engine."""
ASK_S = 1.0
IDLE_S = 5.0
MOST_BYTES = 64 * 1024
MOST_CALLERS = 16
LONGEST_PATH = 100
"""Bytes that every system takes for a socket's path."""

Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Answers one request, with what stands under `ok`. Raises ControlError to refuse it."""

log = logging.getLogger(__name__)


class SilentError(Exception):
    """Nobody answered within the time, or not in our words."""


class ControlError(Exception):
    """A request was refused; `kind` is a word for programs, the message a sentence for people."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def control_path(root: Path, network: str, address: str) -> Path:
    """Return where the owner of a journal under `root` listens; the name is short, for sockets' paths must be."""
    name = hashlib.sha256(f"{network}\n{address}".encode()).hexdigest()[:16]
    return root.absolute() / f"{name}.sock"


class ControlServer:
    """Answers other consoles. Only who holds the journal's lock may make one: it replaces the socket that is there.

    Args:
        path: the socket; its folder belongs to this user alone.
        handlers: what each name does.
    """

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._callers = 0

    async def run(self) -> None:
        """Listen and answer until cancelled. Raises OSError where the socket cannot be made."""
        listener = _listening(self._path)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    caller, _ = await loop.sock_accept(listener)
                    if self._callers >= MOST_CALLERS:
                        caller.close()
                        continue
                    self._callers += 1
                    tasks.create_task(self._serve(caller), name="control")
        finally:
            listener.close()
            with suppress(OSError):
                self._path.unlink()

    async def _serve(self, caller: socket.socket) -> None:
        try:
            reader, writer = await asyncio.open_unix_connection(sock=caller, limit=MOST_BYTES)
        except OSError:
            caller.close()
            self._callers -= 1
            return
        try:
            await self._talk(reader, writer)
        except (OSError, ValueError) as error:
            log.info("a caller at the control socket was left: %s %s", type(error).__name__, error)
        finally:
            self._callers -= 1
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(IDLE_S):
                line = await reader.readline()
            if not line.endswith(b"\n"):
                return
            answer = await self._answer(line)
            writer.write(json.dumps({"v": VERSION, **answer}).encode() + b"\n")
            async with asyncio.timeout(IDLE_S):
                await writer.drain()

    async def _answer(self, line: bytes) -> Mapping[str, Any]:
        try:
            handler, request = self._understood(line)
            return {"ok": await handler(request)}
        except ControlError as refusal:
            return {"error": {"kind": refusal.kind, "text": str(refusal)}}

    def _understood(self, line: bytes) -> tuple[Handler, Mapping[str, Any]]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            raise ControlError("BAD_REQUEST", "this is not JSON") from None
        if not isinstance(request, dict) or request.get("v") != VERSION:
            raise ControlError("VERSION", f"this console speaks version {VERSION} of its own language")
        name = request.get("do")
        handler = self._handlers.get(name) if isinstance(name, str) else None
        if handler is None:
            raise ControlError("UNKNOWN", "this console does not know that request")
        return handler, request


async def ask(path: Path, name: str, within_s: float = ASK_S, **given: Any) -> Mapping[str, Any]:
    """Return what the engine that listens at `path` answers to a request.

    Raises ControlError where it refuses, and SilentError where no answer comes within `within_s` seconds.
    """
    try:
        async with asyncio.timeout(within_s):
            line = await _asked(path, {"v": VERSION, "do": name, **given})
        answer = json.loads(line)
        if not isinstance(answer, dict):
            raise SilentError("the answer is none")
        if isinstance(answer.get("ok"), dict):
            found: Mapping[str, Any] = answer["ok"]
            return found
        refusal = answer["error"]
        raise ControlError(str(refusal["kind"]), str(refusal["text"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SilentError(f"{type(error).__name__}: {error}") from error


async def _asked(path: Path, request: Mapping[str, Any]) -> bytes:
    with _short(path) as short:
        reader, writer = await asyncio.open_unix_connection(short, limit=MOST_BYTES)
    try:
        writer.write(json.dumps(request).encode() + b"\n")
        await writer.drain()
        return await reader.readline()
    finally:
        writer.transport.abort()


def _listening(path: Path) -> socket.socket:
    """Return a socket that listens in the place of whatever was there, for its owner alone."""
    made = path.with_suffix(".new")
    with suppress(FileNotFoundError):
        made.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(made) as short:
            listener.bind(short)
        made.chmod(0o600)
        listener.listen(MOST_CALLERS)
        listener.setblocking(False)
        os.rename(made, path)
    except BaseException:
        listener.close()
        raise
    return listener


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield a socket's path in a form that is short enough, as long as this lasts."""
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
