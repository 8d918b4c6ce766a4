"""Listening sockets: a loopback port, or a unix socket that its owner alone can open."""

import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from dydx_console.health.listen import Listen, TcpListen, UnixListen

__all__ = ["BACKLOG", "Listener", "open_listener"]

BACKLOG = 128
"""Connections that the system holds ready for us to accept."""

OWNER_ONLY = 0o600
UMASK = 0o177
ANSWER_WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket and where it really listens. `inode` tells our unix socket's file from a later one."""

    sock: socket.socket
    at: Listen
    inode: tuple[int, int] | None = None

    def close(self) -> None:
        """Close it, and remove the unix socket's file if it is still ours."""
        self.sock.close()
        if isinstance(self.at, UnixListen) and self.inode is not None and _inode(self.at.path) == self.inode:
            self.at.path.unlink(missing_ok=True)


def open_listener(listen: Listen) -> Listener:
    """Return a listening socket at that place.

    The unix socket's file is made with mode 0600. A socket file that nobody answers on any more is replaced; anything
    else in its place, a symbolic link above all, is left alone. The umask is the process's for the moment of the bind.

    Raises OSError whose `strerror` is a sentence.
    """
    try:
        return _open_tcp(listen) if isinstance(listen, TcpListen) else _open_unix(listen)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {listen}: {error.strerror or error}") from error


def _open_tcp(listen: TcpListen) -> Listener:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it, head and body come 40 ms apart
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((listen.host, listen.port))
        _begin(sock)
    except OSError:
        sock.close()
        raise
    return Listener(sock, TcpListen(listen.host, int(sock.getsockname()[1])))


def _open_unix(listen: UnixListen) -> Listener:
    _make_way(listen.path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        previous = os.umask(UMASK)
        try:
            sock.bind(str(listen.path))
        finally:
            os.umask(previous)
    except OSError:
        sock.close()
        raise
    listener = Listener(sock, listen, _inode(listen.path))
    try:
        # a folder's default ACL stands over the umask
        if stat.S_IMODE(os.lstat(listen.path).st_mode) != OWNER_ONLY:
            raise OSError(errno.EPERM, "its folder lets others at what is made in it; name another folder")
        _begin(sock)
    except OSError:
        listener.close()
        raise
    return listener


def _begin(sock: socket.socket) -> None:
    sock.listen(BACKLOG)
    sock.setblocking(False)


def _make_way(path: Path) -> None:
    """Remove a socket file that nobody answers on; raises OSError for anything else that stands there."""
    try:
        held = os.lstat(path)
    except FileNotFoundError:
        return
    if stat.S_ISLNK(held.st_mode):
        raise OSError(errno.ELOOP, "it is a symbolic link, which is not followed")
    if not stat.S_ISSOCK(held.st_mode):
        raise OSError(errno.EEXIST, "there is a file that is no socket")
    if held.st_uid != os.geteuid():
        raise OSError(errno.EPERM, "there is a socket of another user")
    if _answers(path):
        raise OSError(errno.EADDRINUSE, "another server answers there")
    if _inode(path) == (held.st_dev, held.st_ino):
        path.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    """Return whether somebody listens; every doubt counts as yes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(ANSWER_WAIT_S)
        try:
            sock.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        held = os.lstat(path)
    except OSError:
        return None
    return held.st_dev, held.st_ino
