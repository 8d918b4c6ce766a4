"""Settings: a wrong one is named with its place and what is allowed."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from config.config_help import problem, write
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.config.load import ConfigError, load_settings
from dydx_console.config.settings import Settings
from dydx_console.domain.risk import DEFAULT_LIMITS

ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"
OWN = '[networks.x]\nchain_id = "a"\nindexer_rest = "https://e.org"\nindexer_websocket = "wss://e.org/v4/ws"\n'


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, ""), {})
    assert settings.environment == "development"
    assert settings.network is None
    assert settings.ui.bell is True
    assert settings.proxy.allow is False
    assert settings.health.listen is None
    assert settings.networks == {}
    assert settings.leverage == {}
    assert settings.risk.limits == DEFAULT_LIMITS


def test_levels_and_leverages_are_exact(tmp_path: Path) -> None:
    text = '[risk]\nmargin_usage_warn = 0.1\n[leverage]\nBTC-USD = 2.5\n"A,B_9/X-USD" = "10"\n'
    settings = load_settings(write(tmp_path, text), {})
    assert settings.risk.limits == replace(DEFAULT_LIMITS, margin_usage_warn=Decimal("0.1"))
    assert settings.leverage == {"BTC-USD": Decimal("2.5"), "A,B_9/X-USD": Decimal(10)}


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
        ('_env_file = "/etc/x"\n', ":1", ("_env_file", "there is no such key")),
        ("\n[ui]\nbel = true\n", ":3", ("ui.bel", "did you mean 'bell'?")),
        ("[ui]\nqqqqqq = true\n", ":2", ("ui.qqqqqq", "there are: bell, keys")),
        ('environment = "prod"\n', ":1", ("environment", "development", "staging", "production")),
        ('environment = "prodction"\n', ":1", ("did you mean 'production'?",)),
        ('environment = "Production"\n', ":1", ("did you mean 'production'?",)),
        ("environment = 1\n", ":1", ("'development', 'staging' or 'production'",)),
        ('network = "tesnet"\n', ":1", ("network", "known are: local, mainnet, testnet", "did you mean 'testnet'?")),
        ('network = ""\n', ":1", ("network", "known are: local, mainnet, testnet")),
        ("network = 4\n", ":1", ("network", "string")),
        ("parent_subaccount = 128\n", ":1", ("parent_subaccount", "127")),
        ('address = "cosmos1abc"\n', ":1", ("address", "dydx1")),
        ("[record]\nmax_megabytes = 0\n", ":2", ("record.max_megabytes", "1")),
        ('[log]\nlevel = "warn"\n', ":2", ("log.level", "'debug', 'info', 'warning' or 'error'", "mean 'warning'?")),
        ('[health]\nlisten = "0.0.0.0:8788"\n', ":2", ("health.listen", "127.0.0.1:port", "unix:/path")),
        ('[proxy]\nallow = "perhaps"\n', ":2", ("proxy.allow", "boolean")),
        ("[risk]\nmargin_usage_warn = 1.5\n", ":2", ("risk.margin_usage_warn", "less than or equal to 1")),
        ("[risk]\nmargin_usage_alarm = 0\n", ":2", ("risk.margin_usage_alarm", "greater than 0")),
        ("[risk]\nliquidation_distance_warn = nan\n", ":2", ("risk.liquidation_distance_warn", "finite")),
        ("[risk]\nmargin_usage_warn = 0.9\n", ":2",
         ("risk.margin_usage_warn", "(0.9) has to be below margin_usage_alarm (0.8)")),
        ("[risk]\n\nmargin_usage_alarm = 0.4\n", ":3",
         ("risk.margin_usage_alarm", "(0.5) has to be below margin_usage_alarm (0.4)")),
        ("[risk]\nliquidation_distance_warn = 0.05\n", ":2",
         ("liquidation_distance_warn", "(0.05) has to be above liquidation_distance_alarm (0.05)")),
        ("[risk]\nmargin_usage = 0.5\n", ":2", ("there is no such key", "did you mean 'margin_usage_")),
        ("leverage = 3\n", ":1", ("leverage", "dictionary")),
        ("[leverage]\nBTC-USD = 5\nETH-USD = 0.5\n", ":3", ("leverage.ETH-USD", "greater than or equal to 1")),
        ("[leverage]\nBTC-USD = 2000\n", ":2", ("leverage.BTC-USD", "less than or equal to 1000")),
        ("[leverage]\nbitcoin = 5\n", ":2", ("leverage.bitcoin", "is no name of a market; they are like BTC-USD")),
        ('[leverage]\nBTC-USD = "much"\n', ":2", ("leverage.BTC-USD", "decimal")),
        ("networks = 5\n", ":1", ("networks", "dictionary")),
        ("[networks]\nx = 5\n", ":2", ("networks.x", "CustomNetwork")),
    ],
)  # fmt: skip
def test_a_wrong_key_or_value_is_named_with_its_line(
    tmp_path: Path, text: str, place: str, words: tuple[str, ...]
) -> None:
    said = problem(tmp_path, text)
    assert f"config.toml{place}:" in said
    assert len(said.splitlines()) == 1
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("https://e.org", "http://e.org", ":3", ("networks.x.indexer_rest", "https://")),
        ("https://e.org", "https://u:p@e.org", ":3", ("networks.x.indexer_rest", "user name or password")),
        ("https://e.org", "https://indexer.dydx.trade.e.org", ":3", ("indexer_rest", "looks like")),
        ("https://e.org", "https://indexer.dydx.trade", ":3", ("indexer_rest", "belongs to mainnet", "'a'")),
        ("wss://e.org/v4/ws", "wss://e.org", ":4", ("networks.x.indexer_websocket", "/v4/ws")),
        ("wss://e.org/v4/ws", "wss://indexer.dydx.trade/v4/ws", ":4", ("indexer_websocket", "belongs to mainnet")),
        ('indexer_rest = "https://e.org"\n', "", ":1", ("networks.x.indexer_rest", "is required")),
        ('chain_id = "a"\n', "", ":1", ("networks.x.chain_id", "is required")),
        ('chain_id = "a"', 'chain_id = "a b"', ":2", ("networks.x.chain_id", "1 to 50")),
        ('chain_id = "a"', "chain_id = 4", ":2", ("networks.x.chain_id", "string")),
        ('chain_id = "a"', 'chain_di = "a"', ":2", ("networks.x.chain_di", "did you mean 'chain_id'?")),
        ('chain_id = "a"', 'chain_id = "a"\nnodes = "e.org:1"', ":3", ("networks.x.nodes", "tuple")),
        ('chain_id = "a"', 'chain_id = "a"\nnodes = [\n  "e.org:1",\n  "e.org"\n]', ":3", ("nodes.1", "host:port")),
        ('chain_id = "a"', 'chain_id = "a"\nnodes = ["e.org:1", "e.org:1"]', ":3", ("nodes", "twice")),
        ('chain_id = "a"', 'chain_id = "a"\nnodes = ["oegs.dydx.trade:443"]', ":3", ("nodes", "mainnet")),
        ('chain_id = "a"', 'chain_id = "a"\nfaucet = "ftp://e.org"', ":3", ("faucet", "https://")),
        ('chain_id = "a"', 'chain_id = "a"\nethereum_chain_id = 0', ":3", ("ethereum_chain_id", "1")),
        ('chain_id = "a"', 'chain_id = "a"\nnative_denom = "?"', ":3", ("native_denom", "denom")),
        ("[networks.x]", "[networks.testnet]", ":2", ("chain_id", "testnet is dydx-testnet-4")),
        ("[networks.x]", '[networks."X y"]', ":1", ("networks.X y", "a–z")),
    ],
)  # fmt: skip
def test_a_wrong_network_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, place: str, words: tuple[str, ...]
) -> None:
    assert old in OWN
    said = problem(tmp_path, OWN.replace(old, new))
    sentence = next((line for line in said.splitlines() if f"config.toml{place}:" in line and words[0] in line), "")
    for word in words:
        assert word in sentence, said


def test_every_wrong_key_is_named_at_once(tmp_path: Path) -> None:
    said = problem(tmp_path, "a_key = 1\n[log]\nlevle = 'info'\n")
    assert ":1: a_key" in said
    assert ":3: log.levle" in said
    assert "did you mean 'level'?" in said


def test_a_wrong_option_is_named_as_an_option(tmp_path: Path) -> None:
    assert problem(tmp_path, "", environment="prod").startswith("option --environment: environment")
    assert problem(tmp_path, 'network = "testnet"', network="tesnet").startswith("option --network: network: unknown")


@pytest.mark.parametrize("text", ["network = \n", "[networks.x\n", "\x00", "a = 1\na = 2\n", '"' * 5, "\ufeff"])
def test_not_toml_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    said = problem(tmp_path, text)
    assert "config.toml: not TOML" in said
    assert "at line" in said or "at end" in said


def test_what_is_nested_beyond_reason_is_refused(tmp_path: Path) -> None:
    assert "not TOML" in problem(tmp_path, "a = " + "[" * 20_000)


def test_no_sentence_can_steer_the_terminal(tmp_path: Path) -> None:
    said = problem(tmp_path, '"\\u001b[2J\\u202e" = 1\n[networks."\\u001b]0;x\\u0007"]\nchain_id = "a"\n')
    assert "\x1b" not in said
    assert "\u202e" not in said


def test_a_password_in_an_address_is_not_repeated(tmp_path: Path) -> None:
    assert "hunter2" not in problem(tmp_path, OWN.replace("https://e.org", "https://me:hunter2@e.org"))


def settings_or_refusal(file: Path) -> Settings | str:
    try:
        return load_settings(file, {})
    except ConfigError as error:
        return str(error)


@given(text=st.text(max_size=120))
def test_any_text_is_read_or_refused_in_a_sentence(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = write(tmp_path_factory.mktemp("any"), text)
    outcome = settings_or_refusal(file)
    assert outcome == load_settings(write(file.parent, ""), {}) or str(file) in str(outcome)


KEYS = st.sampled_from(
    ["environment", "network", "address", "ui", "networks", "networks.testnet", "networks.x", "health", "proxy.allow",
     "networks.x.nodes", "networks.x.chain_id", "health.listen", "_cli_parse_args", "self", "model_config"]
)  # fmt: skip
VALUES = st.sampled_from(
    [
        '""',
        '"production"',
        '"testnet"',
        "5",
        "-1",
        "true",
        "[]",
        "[1]",
        '["a.b:1"]',
        "{}",
        "{a = 1}",
        "1979-05-27",
        "nan",
    ]
)


@given(lines=st.lists(st.tuples(KEYS, VALUES), max_size=3, unique_by=lambda line: line[0]))
def test_any_keys_and_values_are_read_or_refused_with_their_place(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str]]
) -> None:
    file = write(tmp_path_factory.mktemp("keys"), "".join(f"{key} = {value}\n" for key, value in lines))
    outcome = settings_or_refusal(file)
    if isinstance(outcome, str):
        assert all(str(file) in line for line in outcome.splitlines())
    else:
        assert outcome.environment in ("development", "production")


def test_addresses_come_back_in_one_spelling(tmp_path: Path) -> None:
    text = (
        f'address = "{ADDRESS}"\n[networks.x]\nchain_id = "a"\n'
        'indexer_rest = "http://LOCALHOST:1/v4/"\nindexer_websocket = "ws://localhost:2/v4/ws"\n'
        'nodes = ["https://Node.example:443", "http://127.0.0.1:9090"]\nfaucet = "https://e.org/"\n'
    )
    network = load_settings(write(tmp_path, text), {}).networks["x"]
    assert network.indexer_rest == "http://localhost:1"
    assert network.indexer_websocket == "ws://localhost:2/v4/ws"
    assert network.nodes == ("node.example:443", "http://127.0.0.1:9090")
    assert network.faucet == "https://e.org"


@pytest.mark.parametrize("listen", ["127.0.0.1:8788", "[::1]:1", "localhost:0", "unix:/run/user/1000/dydx.sock"])
def test_health_listens_on_this_machine(tmp_path: Path, listen: str) -> None:
    assert load_settings(write(tmp_path, f'[health]\nlisten = "{listen}"\n'), {}).health.listen == listen
