"""Settings: a wrong one is named with its place and what is allowed."""

from pathlib import Path

import pytest

from dydx_console.config.load import ConfigError, load_settings

ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    file = path / "config.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def problem(path: Path, text: str, **overrides: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(write(path, text), overrides)
    return str(caught.value)


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, ""), {})
    assert settings.environment == "development"
    assert settings.network is None
    assert settings.ui.bell is True


def test_options_stand_over_the_file_and_the_file_over_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYDX_CONSOLE_NETWORK", "local")
    monkeypatch.setenv("DYDX_CONSOLE_PARENT_SUBACCOUNT", "3")
    monkeypatch.setenv("DYDX_CONSOLE_UI__BELL", "false")
    file = write(tmp_path, 'network = "testnet"\nparent_subaccount = 5\n')
    settings = load_settings(file, {"network": "mainnet", "parent_subaccount": None})
    assert settings.network == "mainnet"
    assert settings.parent_subaccount == 5
    assert settings.ui.bell is False


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ('netwrok = "testnet"\n', ":1", ("netwrok", "did you mean 'network'?")),
        ("\n[ui]\nbel = true\n", ":3", ("ui.bel", "did you mean 'bell'?")),
        ("[ui]\nqqqqqq = true\n", ":2", ("ui.qqqqqq", "there are: bell, keys")),
        ('environment = "prod"\n', ":1", ("environment", "development", "staging", "production")),
        ("parent_subaccount = 128\n", ":1", ("parent_subaccount", "127")),
        ('address = "cosmos1abc"\n', ":1", ("address", "dydx1")),
        ("[record]\nmax_megabytes = 0\n", ":2", ("record.max_megabytes", "1")),
        ('[networks.x]\nchain_id = "a"\nindexer_rest = "http://example.org"\nindexer_websocket = "wss://e.org"\n',
         ":3", ("networks.x.indexer_rest", "https://")),
        ('[networks.x]\nchain_id = "a"\nindexer_websocket = "wss://e.org"\n', ":1", ("indexer_rest", "required")),
        ('[networks.x]\nchain_id = "a"\nindexer_rest = "https://u:p@e.org"\nindexer_websocket = "wss://e.org"\n',
         ":3", ("user name",)),
    ],
)  # fmt: skip
def test_a_wrong_key_or_value_is_named_with_its_line(
    tmp_path: Path, text: str, place: str, words: tuple[str, ...]
) -> None:
    said = problem(tmp_path, text)
    assert f"config.toml{place}:" in said
    for word in words:
        assert word in said


def test_every_wrong_key_is_named_at_once(tmp_path: Path) -> None:
    said = problem(tmp_path, "a_key = 1\n[log]\nlevle = 'info'\n")
    assert ":1: a_key" in said
    assert ":3: log.levle" in said
    assert "did you mean 'level'?" in said


def test_a_wrong_option_is_named_as_an_option(tmp_path: Path) -> None:
    assert problem(tmp_path, "", environment="prod").startswith("option --environment: environment")


def test_a_wrong_variable_is_named_as_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYDX_CONSOLE_ENVIRONMENT", "prod")
    assert problem(tmp_path, "").startswith("variable DYDX_CONSOLE_ENVIRONMENT: environment")


def test_not_toml_is_named_with_its_line(tmp_path: Path) -> None:
    said = problem(tmp_path, "network = \n")
    assert "config.toml: not TOML" in said
    assert "line 1" in said


def test_a_missing_named_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_settings(tmp_path / "none.toml", {})


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="others may write"):
        load_settings(write(tmp_path, "", mode), {})


def test_plain_http_is_for_this_machine_only(tmp_path: Path) -> None:
    text = (
        f'address = "{ADDRESS}"\n[networks.x]\nchain_id = "a"\n'
        'indexer_rest = "http://127.0.0.1:1"\nindexer_websocket = "ws://localhost:2/v4/ws"\n'
    )
    assert load_settings(write(tmp_path, text), {}).networks["x"].chain_id == "a"
