"""The token's file: only its owner's own one, whole and private, is taken; every other one is refused in words."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.health.token import ApiToken, TokenFileError, read_token

TOKEN = "abcdefghijklmnopqrstuvwxyz-0123456789"


def written(tmp_path: Path, text: str | bytes = TOKEN, mode: int = 0o600) -> Path:
    path = tmp_path / "token"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
@pytest.mark.parametrize("text", [TOKEN, TOKEN + "\n", f"  {TOKEN}\r\n"])
def test_a_private_file_is_taken(tmp_path: Path, text: str, mode: int) -> None:
    token = read_token(written(tmp_path, text, mode))
    assert token.admits(f"Bearer {TOKEN}".encode())
    assert not token.admits(f"Bearer {TOKEN}.".encode())
    assert TOKEN not in repr(token)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o606, 0o700, 0o777])
def test_a_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(TokenFileError, match=rf"its mode is 0{mode:o} and must be 0600"):
        read_token(written(tmp_path, mode=mode))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "at least 32"),
        ("x" * 31, "at least 32"),
        ("x" * 513, "at most 512"),
        (f"{TOKEN}\n{TOKEN}", "one line"),
        (TOKEN + " x", "one line"),
        (TOKEN + "\x07x", "one line"),
        ("é" * 40, "one line"),
        (b"\xff" * 40, "one line"),
    ],
)
def test_what_is_no_token_is_refused_and_never_quoted(tmp_path: Path, text: str | bytes, why: str) -> None:
    with pytest.raises(TokenFileError, match=why) as caught:
        read_token(written(tmp_path, text))
    assert "x" * 10 not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_only_an_ordinary_file_is_read(tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(written(tmp_path))
    os.mkfifo(pipe, 0o600)
    for path in (link, pipe, tmp_path, tmp_path / "nowhere", Path("a\0b"), tmp_path / ("x" * 300)):
        with pytest.raises(TokenFileError, match=r"\[health\] api_token_file"):
            read_token(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    os.chown(path, 12_345, 12_345)
    with pytest.raises(TokenFileError, match="another user"):
        read_token(path)


@given(st.binary(max_size=80))
def test_nothing_else_admits(header: bytes) -> None:
    assert not ApiToken(TOKEN).admits(header)
    assert not ApiToken(TOKEN).admits(None)
