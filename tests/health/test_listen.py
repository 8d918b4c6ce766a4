"""Where the health server may listen: loopback and unix sockets, and never over something that is not ours."""

import os
import socket
import stat
from pathlib import Path

import pytest
from health_help import FakeEngine, connected, get, serving

from dydx_console.health.listen import MAX_SOCKET_PATH, Listen, TcpListen, UnixListen, parse_listen
from dydx_console.health.sockets import open_listener


@pytest.mark.parametrize(
    ("text", "listen", "again"),
    [
        ("127.0.0.1:8788", TcpListen("127.0.0.1", 8788), "127.0.0.1:8788"),
        ("localhost:0", TcpListen("127.0.0.1", 0), "127.0.0.1:0"),
        ("LocalHost:1", TcpListen("127.0.0.1", 1), "127.0.0.1:1"),
        ("[::1]:65535", TcpListen("::1", 65535), "[::1]:65535"),
        (
            "unix:/run/user/1000/dydx.sock",
            UnixListen(Path("/run/user/1000/dydx.sock")),
            "unix:/run/user/1000/dydx.sock",
        ),
    ],
)
def test_a_place_is_read(text: str, listen: Listen, again: str) -> None:
    assert parse_listen(text) == listen
    assert str(listen) == again


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no host and port"),
        ("8788", "names no host and port"),
        (":8788", "not on this machine's loopback"),
        ("0.0.0.0:8788", "not on this machine's loopback"),
        ("[::]:8788", "not on this machine's loopback"),
        ("10.0.0.1:8788", "not on this machine's loopback"),
        ("127.0.0.1.evil.io:8788", "not on this machine's loopback"),
        ("localhost.:8788", "not on this machine's loopback"),
        ("http://127.0.0.1:8788", "not on this machine's loopback"),
        ("::1:8788", r"\[::1\]:8788"),
        ("127.0.0.1:", "number from 0"),
        ("127.0.0.1:-1", "number from 0"),
        ("127.0.0.1:65536", "number from 0"),
        ("127.0.0.1:000001", "number from 0"),
        ("127.0.0.1:٣", "number from 0"),
        ("127.0.0.1: 80", "number from 0"),
        ("unix:", "must be absolute"),
        ("unix:run/x.sock", "must be absolute"),
        ("unix:/run/x\n.sock", "cannot be shown"),
        ("unix:/run/", "names a folder"),
        ("unix:/" + "x" * MAX_SOCKET_PATH, "longer than 103 bytes"),
    ],
)
def test_any_other_place_is_refused_with_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        parse_listen(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_a_port_that_is_taken_is_told_with_its_place() -> None:
    with serving(FakeEngine()) as at, pytest.raises(OSError, match="cannot listen on 127") as caught:
        open_listener(at)
    assert str(at) in (caught.value.strerror or "")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_only_the_address_that_was_asked_for_is_bound(host: str) -> None:
    listener = open_listener(TcpListen(host, 0))
    try:
        assert isinstance(listener.at, TcpListen)
        assert listener.sock.getsockname()[:2] == (host, listener.at.port)
        assert listener.at.port > 0
    finally:
        listener.close()


def test_the_unix_socket_is_its_owners_alone_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "health.sock"
    previous = os.umask(0)
    try:
        with serving(FakeEngine(), UnixListen(path)) as at:
            assert os.umask(0) == 0
            mode = path.lstat().st_mode
            assert stat.S_ISSOCK(mode)
            assert stat.S_IMODE(mode) == 0o600
            assert get(at, "/health/live").status == 200
    finally:
        os.umask(previous)
    assert not os.path.lexists(path)


def test_a_socket_that_nobody_answers_on_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "health.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    with serving(FakeEngine(), UnixListen(path)) as at:
        assert get(at, "/health/live").status == 200


def test_a_server_that_answers_is_not_pushed_aside(tmp_path: Path) -> None:
    listen = UnixListen(tmp_path / "health.sock")
    with serving(FakeEngine(), listen) as at:
        with pytest.raises(OSError, match="another server answers there"):
            open_listener(listen)
        assert get(at, "/health/live").status == 200


def _file(path: Path) -> None:
    path.write_text("precious")


def _folder(path: Path) -> None:
    path.mkdir()


def _link_to_a_dead_socket(path: Path) -> None:
    target = path.with_name("target")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(target))
    path.symlink_to(target)


def _link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("missing"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_file, "no socket"),
        (_folder, "no socket"),
        (_link_to_a_dead_socket, "symbolic link"),
        (_link_to_nothing, "symbolic link"),
    ],
)
def test_what_is_no_dead_socket_is_left_alone(make: object, words: str, tmp_path: Path) -> None:
    path = tmp_path / "health.sock"
    assert callable(make)
    make(path)
    before = {each.name: each.lstat().st_ino for each in tmp_path.iterdir()}
    with pytest.raises(OSError, match=words):
        open_listener(UnixListen(path))
    assert {each.name: each.lstat().st_ino for each in tmp_path.iterdir()} == before


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot listen on unix:"):
        open_listener(UnixListen(tmp_path / "missing" / "health.sock"))


def test_a_socket_that_took_our_place_survives_our_end(tmp_path: Path) -> None:
    listen = UnixListen(tmp_path / "health.sock")
    with serving(FakeEngine(), listen):
        listen.path.rename(tmp_path / "moved")
        successor = open_listener(listen)
    try:
        connected(successor.at).close()
    finally:
        successor.close()
    assert not listen.path.exists()
