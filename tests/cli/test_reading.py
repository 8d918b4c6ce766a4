"""`account`, `positions`, `orders` and `markets` against an exchange, and what ends them before they read."""

import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from builders import ADDRESS
from cli.pasts import Place, table
from cli.terminals import environment, networks_file, ran, short_home, urls_at, venue
from venues import console, written

from dydx_console.views.documents import MarketItem, OrderItem, PositionItem
from dydx_console.views.exports import columns_of
from dydx_console.views.pages import READINGS

READERS = ("account", "positions", "orders", "markets", "fills", "funding", "transfers", "pnl")


@pytest.fixture(scope="module")
def busy() -> Iterator[Place]:
    with venue() as served, short_home() as home:
        yield Place(home, networks_file(home, {"mine": served.urls}, "mine"))


@pytest.mark.parametrize("command", ["account", "positions", "orders", "markets"])
def test_a_document_of_now(busy: Place, command: str) -> None:
    done = busy.run(command, "--json")
    assert done.returncode == 0, done.stderr
    READINGS[command].model_validate_json(done.stdout)
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["as_of"]["height"] > 0
    assert told["as_of"]["state"] in ("POLLING", "STALE", "OFFLINE")
    assert told["as_of"]["age_s"] >= 0
    assert told["network"]["name"] == "mine"
    assert told["network"]["read_only"]


@pytest.mark.nightly
def test_tables_and_csv_of_now(busy: Place) -> None:
    account = busy.run("account").stdout
    assert account.splitlines()[0].startswith("mine (dydx-sim-1")
    assert "free collateral" in account
    assert "USDC" in account
    for command, model in (("positions", PositionItem), ("orders", OrderItem), ("markets", MarketItem)):
        done = busy.run(command, "--csv")
        assert done.returncode == 0, done.stderr
        assert tuple(done.stdout.splitlines()[0].split(",")) == columns_of(model)
    markets = table(busy.run("markets", "--csv", "--market", "btc-usd", "--market", "ETH-USD").stdout)
    assert [row["ticker"] for row in markets] == ["BTC-USD", "ETH-USD"]
    assert all("E" not in row["oracle_price"] for row in markets)


@pytest.mark.nightly
def test_filters_of_now(busy: Place) -> None:
    shorts = json.loads(busy.run("positions", "--side", "short", "--json").stdout)["positions"]
    assert all(row["net_size"].startswith("-") for row in shorts)
    none = busy.run("positions", "--subaccount", "127")
    assert none.stdout.splitlines()[1:] == ["no open positions"]
    wrong = busy.run("markets", "--market", "BTC")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "BTC is no market here; near it: BTC-USD" in wrong.stderr


def test_markets_need_no_account(busy: Place) -> None:
    text = "\n".join(line for line in busy.config.read_text().splitlines() if not line.startswith("address"))
    config = written(busy.home / "nobody.toml", text + "\n")
    nobody = Place(busy.home, config)
    assert nobody.run("markets").returncode == 0
    done = nobody.run("account")
    assert (done.returncode, done.stdout) == (2, "")
    assert "which account?" in done.stderr


@pytest.mark.nightly
@pytest.mark.parametrize("command", READERS)
def test_mainnet_is_read_only_after_confirmation(command: str) -> None:
    with short_home() as home:
        done = ran(home, command, "--network", "mainnet", "--environment", "development", "--address", ADDRESS)
    assert (done.returncode, done.stdout) == (77, "")
    assert "confirm" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("account", "--network", "nowhere"), 78, "nowhere"),
        (("account", "--network", "gone"), 69, "cannot reach 127.0.0.1:9"),
        (("fills", "--network", "gone"), 69, "nothing of the history is here"),
        (("account", "--address", "dydx1nope", "--network", "nowhere"), 2, "address"),
        (("account", "--parent", "128"), 78, "less than or equal to 127"),
    ],
    ids=str,
)
def test_the_order_of_refusal(words: tuple[str, ...], code: int, told: str) -> None:
    with short_home() as home:
        config = networks_file(home, {"gone": urls_at("127.0.0.1:9", "localdydxprotocol")}, "gone")
        done = ran(home, *words, "--config", str(config))
    assert (done.returncode, done.stdout.replace("no fills match\n", "")) == (code, ""), done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.nightly
def test_a_reader_that_leaves_early_ends_it_quietly(busy: Place) -> None:
    process = subprocess.Popen(
        console("account", "--json", "--config", str(busy.config)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=environment(busy.home), cwd=busy.home,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 128 + signal.SIGPIPE
    assert "rror" not in told
