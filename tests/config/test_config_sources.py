"""Who decided a setting, and what is refused because two decide it differently."""

from pathlib import Path

import pytest
from config.config_help import problem, write

from dydx_console.config.load import load
from dydx_console.config.places import line_of

P = "DYDX_CONSOLE_"
NESTED = f"{P}NETWORKS__X__"


@pytest.mark.parametrize(
    ("text", "variables", "options", "name", "origin"),
    [
        ("", {}, {}, "environment", "default"),
        ("", {}, {"environment": None}, "environment", "default"),
        ("", {P + "ENVIRONMENT": "staging"}, {}, "environment", "variable DYDX_CONSOLE_ENVIRONMENT"),
        ("", {"dydx_console_environment": "staging"}, {}, "environment", "variable dydx_console_environment"),
        ('\nenvironment = "staging"\n', {}, {}, "environment", "{file}:2"),
        ('environment = "staging"\n', {P + "ENVIRONMENT": "staging"}, {}, "environment", "{file}:1"),
        ('environment = "staging"\n', {P + "ENVIRONMENT": "production"}, {"environment": "development"},
         "environment", "option --environment"),
        ('network = "testnet"\n', {P + "NETWORK": "mainnet"}, {"network": "local"}, "network", "option --network"),
        ("", {}, {"parent_subaccount": 3}, "parent_subaccount", "option --parent-subaccount"),
        ("[ui]\nbell = false\n", {}, {}, "ui.bell", "{file}:2"),
        ("[ui]\ntheme = 'x'\n", {P + "UI__BELL": "0"}, {}, "ui.bell", "variable DYDX_CONSOLE_UI__BELL"),
        ("[ui]\ntheme = 'x'\n", {}, {}, "ui.bell", "default"),
        ("", {P + "UI": '{"bell": false}'}, {}, "ui.bell", "variable DYDX_CONSOLE_UI"),
        ("ui = {bell = false}\n", {}, {}, "ui.bell", "{file}:1"),
        ("ui.bell = false\n", {}, {}, "ui.bell", "{file}:1"),
    ],
)  # fmt: skip
def test_who_decided_a_setting(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    variables: dict[str, str],
    options: dict[str, object],
    name: str,
    origin: str,
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    file = write(tmp_path, text)
    assert load(file, options).origin_of(name) == origin.format(file=file)


@pytest.mark.parametrize(
    ("text", "variables", "sentences"),
    [
        ("", {P + "ENVIRONMENT": "prod"}, ["variable DYDX_CONSOLE_ENVIRONMENT: environment: Input should be"]),
        ("", {P + "NETWORK": "tesnet"}, ["variable DYDX_CONSOLE_NETWORK: network: unknown network 'tesnet'"]),
        ("", {P + "ADDRESS": ""}, ["variable DYDX_CONSOLE_ADDRESS: is set and empty"]),
        ("", {P + "NETWORK": " "}, ["variable DYDX_CONSOLE_NETWORK: is set and empty"]),
        ("", {P + "ENV": "production"}, ["variable DYDX_CONSOLE_ENV: there is no such setting; there are: address"]),
        ("", {P + "ENVIROMENT": "production"}, ["did you mean 'environment'?"]),
        ("", {P + "NETWORK__NAME": "x"}, ["variable DYDX_CONSOLE_NETWORK__NAME: there is no such setting"]),
        ("", {P + "UI__BEL": "0"}, ["variable DYDX_CONSOLE_UI__BEL: there is no such setting; did you mean 'bell'?"]),
        ("", {P: "x"}, ["variable DYDX_CONSOLE_: there is no such setting"]),
        ("", {P + "UI": "yes"}, ["variable DYDX_CONSOLE_UI: is a table or a list, and its value is not JSON"]),
        ("", {P + "UI": "5"}, ["variable DYDX_CONSOLE_UI: ui: Input should be"]),
        ("", {P + "UI": '{"bel": false}'}, ["variable DYDX_CONSOLE_UI: ui.bel: there is no such key"]),
        ("", {NESTED + "NODES": "e.org:1"}, [f"variable {NESTED}NODES: is a table or a list"]),
        ("", {NESTED + "CHAIN_ID": "a"}, [f"variable {NESTED}CHAIN_ID: networks.x.indexer_rest: is required",
                                         f"variable {NESTED}CHAIN_ID: networks.x.indexer_websocket: is required"]),
        ("", {P + "HEALTH__LISTEN": "0.0.0.0:80"}, ["variable DYDX_CONSOLE_HEALTH__LISTEN: health.listen"]),
        ("", {P + "NETWORK": "testnet", "dydx_console_network": "mainnet"},
         ["variables DYDX_CONSOLE_NETWORK and dydx_console_network: name one setting and differ"]),
        ("", {P + "UI": '{"bell": false}', P + "UI__BELL": "true"},
         ["variables DYDX_CONSOLE_UI and DYDX_CONSOLE_UI__BELL: the first names the whole table"]),
        ('network = "mainnet"\n', {P + "NETWORK": "testnet"},
         ["{file}:1 says network = 'mainnet', variable DYDX_CONSOLE_NETWORK says 'testnet'"]),
        ('\nenvironment = "production"\n', {P + "ENVIRONMENT": "development"},
         ["{file}:2 says environment = 'production', variable DYDX_CONSOLE_ENVIRONMENT says 'development'"]),
    ],
)  # fmt: skip
def test_a_variable_that_is_wrong_or_contradicts_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, variables: dict[str, str], sentences: list[str]
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    said = problem(tmp_path, text).splitlines()
    assert len(said) == len(sentences)
    for sentence, line in zip(sentences, said, strict=True):
        assert sentence.format(file=tmp_path / "config.toml") in line


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ('network = "testnet"\n', {P + "NETWORK": "testnet"}),
        ("", {P + "NETWORK": "testnet", "dydx_console_network": "testnet"}),
        ("", {"DYDX_OTHER": "", "CONSOLE": "x"}),
        ("[ui]\nbell = true\n", {P + "UI__BELL": "false"}),
    ],
)
def test_saying_the_same_twice_contradicts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, variables: dict[str, str]
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    loaded = load(write(tmp_path, text), {})
    assert loaded.settings.network in (None, "testnet")
    assert loaded.settings.ui.bell is True


def test_a_network_may_be_described_in_variables_and_in_the_file_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NESTED + "CHAIN_ID", "a")
    monkeypatch.setenv(NESTED + "NODES", '["e.org:1"]')
    text = '[networks.x]\nindexer_rest = "https://e.org"\nindexer_websocket = "wss://e.org/v4/ws"\n'
    loaded = load(write(tmp_path, text), {"network": "x"})
    assert loaded.settings.networks["x"].chain_id == "a"
    assert loaded.settings.networks["x"].nodes == ("e.org:1",)
    assert loaded.origin_of("networks.x.chain_id") == f"variable {NESTED}CHAIN_ID"
    assert loaded.origin_of("networks.x.indexer_rest").endswith("config.toml:2")


TOML = """\
network = "x"
[networks.x]  # mine
chain_id = "a"
nodes = [
  "e.org:1",
]

[ networks . "y" ]
chain_id = "b"
[[array]]
key = 1
[ui]
keys.a = "b"
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("network", 1),
        ("networks.x", 2),
        ("networks.x.chain_id", 3),
        ("networks.x.nodes", 4),
        ("networks.x.nodes.0", 4),
        ("networks.x.faucet", 2),
        ("networks.y.chain_id", 9),
        ("array.key", 11),
        ("ui.keys.a", 13),
        ("ui.bell", 12),
        ("environment", None),
        ("networks.z.chain_id", None),
    ],
)
def test_the_line_of_a_key_or_of_the_nearest_table_around_it(path: str, line: int | None) -> None:
    assert line_of(path.split("."), TOML) == line
