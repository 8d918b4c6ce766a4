"""The file: only its owner's own words are read, and reading never waits."""

import os
import stat
from pathlib import Path

import pytest
from config.config_help import write

from dydx_console.config.files import MAX_BYTES, objection
from dydx_console.config.load import ConfigError, default_config_path, load_settings

MINE, ROOT, THEIRS = 1000, 0, 1001


def refusal(file: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(file, {})
    assert str(caught.value).startswith(f"{file}: ")
    return str(caught.value)


def test_a_missing_named_file_is_refused(tmp_path: Path) -> None:
    assert "there is no such file" in refusal(tmp_path / "none.toml")


def test_a_missing_default_file_means_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not default_config_path().exists()
    assert load_settings(None, {}).network is None


def test_the_default_file_is_read_when_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    default_config_path().parent.mkdir(parents=True)
    write(default_config_path().parent, 'network = "local"\n')
    assert load_settings(None, {}).network == "local"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    assert "others may write to it" in refusal(write(tmp_path, "", mode))


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "it is a directory" in refusal(tmp_path)


def test_a_file_that_is_no_folder_on_the_way_is_refused(tmp_path: Path) -> None:
    assert "cannot be read: Not a directory" in refusal(write(tmp_path, "") / "config.toml")


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    assert "not an ordinary file" in refusal(pipe)


def test_a_device_is_refused() -> None:
    assert "not an ordinary file" in refusal(Path(os.devnull))


def test_a_link_is_followed_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(write(tmp_path, 'network = "local"\n'))
    assert load_settings(link, {}).network == "local"
    (tmp_path / "config.toml").unlink()
    assert "leads to no file" in refusal(link)


def test_a_broken_link_in_the_default_place_is_no_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    default_config_path().parent.mkdir(parents=True)
    default_config_path().symlink_to(tmp_path / "gone.toml")
    with pytest.raises(ConfigError, match="leads to no file"):
        load_settings(None, {})


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(link)
    assert "cannot be read" in refusal(link)


def test_what_is_not_text_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "")
    file.write_bytes(b"network = \xff\n")
    assert "not UTF-8" in refusal(file)


def test_a_file_beyond_all_size_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "")
    file.write_bytes(b"#" * MAX_BYTES)
    assert load_settings(file, {}).network is None
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    assert "larger than" in refusal(file)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    assert "cannot be read: Permission denied" in refusal(write(tmp_path, "", 0o000))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_or_link_of_somebody_else_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "")
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    os.chown(link, THEIRS, THEIRS, follow_symlinks=False)
    assert f"the link to it: it belongs to user {THEIRS}" in refusal(link)
    os.chown(file, THEIRS, THEIRS)
    assert f"it belongs to user {THEIRS}" in refusal(file)


@pytest.mark.parametrize(
    ("mode", "owner", "word"),
    [
        (stat.S_IFREG | 0o600, MINE, None),
        (stat.S_IFREG | 0o444, MINE, None),
        (stat.S_IFREG | 0o644, ROOT, None),
        (stat.S_IFREG | 0o644, THEIRS, f"it belongs to user {THEIRS}, not to you ({MINE})"),
        (stat.S_IFREG | 0o660, MINE, "others may write"),
        (stat.S_IFREG | 0o602, ROOT, "others may write"),
        (stat.S_IFDIR | 0o700, MINE, "directory"),
        (stat.S_IFIFO | 0o600, MINE, "not an ordinary file"),
        (stat.S_IFSOCK | 0o600, MINE, "not an ordinary file"),
        (stat.S_IFCHR | 0o600, MINE, "not an ordinary file"),
    ],
)
def test_whose_words_a_file_is(mode: int, owner: int, word: str | None) -> None:
    said = objection(os.stat_result((mode, 1, 1, 1, owner, owner, 0, 0, 0, 0)), MINE)
    assert said is None if word is None else word in (said or "")
