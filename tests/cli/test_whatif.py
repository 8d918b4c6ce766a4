"""`whatif`: what it reads, what it prints, and what it ends with."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from builders import D
from cli.sites import Site, site
from cli.terminals import ADDRESS, Ran, ended, environment, networks_file, short_home, urls_at
from venues import exchange, network_of, toml_of, written

from dydx_console.cli.admission import Wanted, admit
from dydx_console.cli.looping import run_briefly
from dydx_console.cli.whatif import Asked, UsageError, Wishes, ask, asked_in
from dydx_console.config.load import load
from dydx_console.domain.enums import Side
from dydx_console.engine.once import account_once
from dydx_console.engine.plan import LivePlan
from dydx_console.safety.policy import Entry
from dydx_console.views.whatif import WhatifDocument

LOCAL = "localdydxprotocol"
AS_A_COMMAND = """
from dydx_console.__main__ import main
from dydx_console.cli import app as line
from dydx_console.cli.whatif import register
if "whatif" not in {command.name for command in line.app.registered_commands}:
    register(line.app)
main()
"""
"""The console with this command, whether or not it is registered already."""
MARKET = {
    "ticker": "BTC-USD",
    "clobPairId": "0",
    "status": "ACTIVE",
    "oraclePrice": "100",
    "priceChange24H": "0",
    "volume24H": "0",
    "trades24H": 0,
    "nextFundingRate": "0",
    "initialMarginFraction": "0.1",
    "maintenanceMarginFraction": "0.05",
    "openInterest": "0",
    "atomicResolution": -10,
    "quantumConversionExponent": -9,
    "tickSize": "0.1",
    "stepSize": "0.01",
    "stepBaseQuantums": 1000000,
    "subticksPerTick": 100000,
    "marketType": "CROSS",
    "openInterestLowerCap": "0",
    "openInterestUpperCap": "0",
    "baseOpenInterest": "0",
    "defaultFundingRate1H": "0",
}
POSITION = {
    "market": "BTC-USD",
    "status": "OPEN",
    "side": "LONG",
    "size": "1",
    "maxSize": "1",
    "entryPrice": "90",
    "exitPrice": None,
    "realizedPnl": "0",
    "unrealizedPnl": "10",
    "createdAt": "2026-11-21T00:00:00.000Z",
    "createdAtHeight": "1",
    "closedAt": None,
    "sumOpen": "1",
    "sumClose": "0",
    "netFunding": "0",
    "subaccountNumber": 0,
}


def subaccount(usdc: str, positions: dict[str, Any]) -> dict[str, Any]:
    cash = {"symbol": "USDC", "assetId": "0", "subaccountNumber": 0}
    side, size = ("SHORT", usdc[1:]) if usdc.startswith("-") else ("LONG", usdc)
    return {
        "address": ADDRESS,
        "subaccountNumber": 0,
        "equity": "0",
        "freeCollateral": "0",
        "openPerpetualPositions": positions,
        "assetPositions": {"USDC": {**cash, "side": side, "size": size}},
        "marginEnabled": True,
        "updatedAtHeight": "5",
        "latestProcessedBlockHeight": "5",
    }


class Indexer:
    """An Indexer with one account: positions at 90, an oracle price of 100, a book around it."""

    def __init__(self, *, usdc: str | None = "50", held: bool = True, markets: dict[str, Any] | None = None) -> None:
        self.markets = {"BTC-USD": MARKET} if markets is None else markets
        self.account: Any = None
        if usdc is not None:
            child = subaccount(usdc, {"BTC-USD": POSITION} if held else {})
            whole = {"address": ADDRESS, "parentSubaccountNumber": 0, "equity": "0", "freeCollateral": "0"}
            self.account = {"subaccount": {**whole, "childSubaccounts": [child]}}
        self.refused: dict[str, tuple[int, Any]] = {}

    def __call__(self, _method: str, path: str, _body: Any) -> tuple[int, Any]:
        path = path.partition("?")[0].removeprefix("/v4")
        for part, refusal in self.refused.items():
            if path.startswith(part):
                return refusal
        if path == "/height":
            return 200, {"height": "12345", "time": "2026-11-21T10:00:00.000Z"}
        if path == "/perpetualMarkets":
            return 200, {"markets": self.markets}
        if path == f"/addresses/{ADDRESS}/parentSubaccountNumber/0":
            if self.account is None:
                return 404, {"errors": [{"msg": "no subaccount"}]}
            return 200, self.account
        if path == "/orders/parentSubaccountNumber":
            return 200, []
        assert path == "/orderbooks/perpetualMarket/BTC-USD"
        rows = {side: [{"price": price, "size": "2"}] for side, price in (("bids", "99"), ("asks", "101"))}
        return 200, rows


@contextmanager
def serving(indexer: Callable[..., tuple[int, Any]]) -> Iterator[tuple[Path, Path, Site]]:
    """Serve an Indexer; yields a home, a configuration with the network, and the site."""
    with short_home() as home, site(indexer) as served:
        yield home, networks_file(home, {"mine": urls_at(served.at, LOCAL)}, "mine"), served


Answers = Callable[..., tuple[int, str, str]]


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Answers:
    """Ask against an Indexer; returns the exit code and what was printed to both streams."""

    def answered_by(indexer: Indexer, words: str, **wishes: Any) -> tuple[int, str, str]:
        with serving(indexer) as (home, config, _):
            monkeypatch.setenv("HOME", str(home))
            admission = admit(load(config, {}), Wanted(Entry.COMMAND))
            try:
                code = ask(admission, asked_in(words.split()), Wishes(**wishes), home / "log")
            except SystemExit as left:
                code = int(left.code or 0)
        told = capsys.readouterr()
        return int(code), told.out, told.err

    return answered_by


def document(answers: Answers, indexer: Indexer, words: str, **wishes: Any) -> WhatifDocument:
    code, out, err = answers(indexer, words, as_json=True, **wishes)
    assert (code, err) == (0, "")
    return WhatifDocument.model_validate_json(out)


@pytest.mark.parametrize(
    ("words", "price"),
    [
        (["buy", "0.1", "BTC-USD", "@", "64000"], "64000"),
        (["BUY", "0.1", "btc-usd", "@64000.5"], "64000.5"),
        (["buy 0.1 BTC-USD@64000"], "64000"),
        (["buy", "0.1", "BTC-USD"], None),
    ],
)
def test_the_words_of_an_order(words: list[str], price: str | None) -> None:
    assert asked_in(words) == Asked(Side.BUY, D("0.1"), "BTC-USD", None if price is None else D(price))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("buy 1", "side, size and market are needed"),
        ("1 buy BTC-USD", "the side comes before the size"),
        ("long 1 BTC-USD", "'long' is no side; write buy"),
        ("hold 1 BTC-USD", "'hold' is no side; write buy or sell"),
        ("buy -1 BTC-USD", "below zero; to go the other way, change the side"),
        ("buy 0 BTC-USD", "the size is zero"),
        ("buy nan BTC-USD", "the size 'nan' is no number"),
        ("buy inf BTC-USD", "the size 'inf' is no number"),
        ("buy 1_000 BTC-USD", "is no number"),
        ("buy ٣ BTC-USD", "is no number"),
        ("buy 1,5 BTC-USD", "write it as 1234.5"),
        ("buy 1 BTC-USD @", "the price after @ is missing"),
        ("buy 1 BTC-USD @ NaN", "the price 'NaN' is no number"),
        ("buy 1 BTC-USD @ -5", "the price -5 is below zero"),
        ("buy 1 BTC-USD 64000", "a price stands after @"),
        ("buy 1 BTC-USD @ 5 6", "is not understood"),
        ("buy 1 BTC-USD --tabel", "there is no option '--tabel'"),
    ],
)
def test_words_that_are_no_order(words: str, told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        asked_in(words.split())


def test_a_limit_order_before_and_after(answered: Answers) -> None:
    told = document(answered, Indexer(), "buy 1 BTC-USD @ 98", table=True)
    assert (told.height, told.order.kind, told.order.fee, told.order.subaccount) == (12345, "LIMIT", D("0.0098"), 0)
    assert (told.before.equity, told.after.equity) == (150, 150 + 2 - D("0.0098"))
    assert (told.before.position, told.after.position) != (None, None)
    assert told.before.position is not None
    assert told.after.position is not None
    assert (told.before.position.net_size, told.before.position.liquidation_price) == (1, None)
    assert (told.after.position.net_size, told.after.position.entry_price) == (2, 94)
    liquidation = told.after.position.liquidation_price
    assert liquidation is not None
    assert abs(liquidation - D("48.0098") / (2 * D("0.95"))) < D("1e-25")
    assert told.after.free_collateral == D("151.9902") - 20
    assert told.after.buying_power == (D("151.9902") - 20) * 10
    assert [row.move for row in told.table][-1] == D("0.5")
    assert told.warnings == ()


def test_a_market_order_walks_the_book(answered: Answers) -> None:
    told = document(answered, Indexer(), "sell 1 BTC-USD")
    assert (told.order.kind, told.order.price, told.order.fee) == ("MARKET", 99, D("0.0495"))
    assert told.order.slippage == D("0.01")
    assert told.after.position is None
    assert told.after.equity == 149 - D("0.0495")


def test_options_change_the_figures(answered: Answers) -> None:
    plain = document(answered, Indexer(), "buy 1 BTC-USD @ 100")
    chosen = document(answered, Indexer(), "buy 1 BTC-USD @ 100", leverage="4", fee_rate="0.001")
    assert (chosen.order.fee, chosen.order.fee_source) == (D("0.1"), "as given")
    assert chosen.after.position is not None
    assert chosen.after.position.selected_leverage == 4
    assert chosen.after.subaccounts[0].initial_margin == 50
    assert plain.after.subaccounts[0].initial_margin == 20
    taken = document(answered, Indexer(), "buy 1 BTC-USD @ 100", takes=True)
    assert taken.order.fee == D("0.05")
    alone = document(answered, Indexer(), "buy 1 BTC-USD @ 100", isolated=True)
    assert not alone.order.isolated, "there is a cross position in the market already"
    opened = document(answered, Indexer(held=False), "buy 1 BTC-USD @ 100", isolated=True)
    assert (opened.order.isolated, opened.order.subaccount) == (True, 128)
    assert opened.order.transfer > 10


@pytest.mark.parametrize(
    ("words", "size", "part"),
    [("sell 5 BTC-USD", "1", "1.00 of it would trade"), ("buy 5 BTC-USD", "0", "there is nothing to reduce")],
)
def test_reduce_only_takes_no_more_than_the_position(answered: Answers, words: str, size: str, part: str) -> None:
    told = document(answered, Indexer(), words, reduce_only=True)
    assert (told.order.size, told.order.asked) == (D(size), 5)
    assert told.order.fee == D(size) * 99 * D("0.0005")
    assert f"reduce-only: {part}" in told.warnings


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("sell 40 BTC-USD @ 99", "the chain would refuse it: subaccount 0"),
        ("buy 100 BTC-USD @ 100", "would be liquidated: subaccount 0"),
        ("buy 5 BTC-USD", "the book holds 2.00 of it"),
        ("buy 1 BTC-USD @ 50", "the price is −50.00 % from the oracle price"),
    ],
)
def test_what_somebody_should_know(answered: Answers, words: str, told: str) -> None:
    code, out, _ = answered(Indexer(), words)
    assert code == 0
    assert told in out


def test_the_lines(answered: Answers) -> None:
    code, out, err = answered(Indexer(), "buy 1 BTC-USD @ 98", table=True, table_market="btc-usd")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "what if: buy 1.00 BTC-USD @ 98.0"
    assert lines[1].startswith("mine, block 12345, ")
    figures = {line[:22].strip(): line[22:].split() for line in lines if len(line) > 40}
    assert figures["equity"] == ["150.00", "151.99"]
    assert figures["position"] == ["1.00", "2.00"]
    assert figures["liquidation price"] == ["none", "25.27"]
    assert "after it, if BTC-USD moved" in lines
    assert next(line.split()[0] for line in lines if re.match(r" +[+−]\d+ ", line)) == "−50"
    assert all(len(line) <= 100 for line in lines)


def test_the_table_names_who_would_fall(answered: Answers) -> None:
    told = document(answered, Indexer(usdc="-60"), "buy 1 BTC-USD @ 100", table=True)
    fallen = {row.move: row.liquidatable for row in told.table}
    assert fallen[D("-0.1")] == ()
    assert fallen[D("-0.2")] == (0,)
    assert fallen[D("0.5")] == ()


@pytest.mark.parametrize(
    ("words", "wishes", "told"),
    [
        ("buy 1 BTC-EUR @ 5", {}, "BTC-EUR is no market here; near it: BTC-USD"),
        ("buy 1 BTC @ 5", {}, "near it: BTC-USD"),
        ("buy 1 ZZZ @ 5", {}, "there are 1, among them BTC-USD"),
        ("buy 0.015 BTC-USD", {}, "no multiple of 0.01, as BTC-USD asks for; nearest: 0.01 or 0.02"),
        ("buy 0.001 BTC-USD", {}, "nearest: 0.01"),
        ("buy 1 BTC-USD @ 98.07", {}, "the price 98.07 is no multiple of 0.1"),
        ("buy 1 BTC-USD", {"fee_rate": "five"}, "--fee-rate 'five' is no number"),
        ("buy 1 BTC-USD", {"fee_rate": "5"}, "--fee-rate 5 is no fee"),
        ("buy 1 BTC-USD", {"leverage": "0"}, "the leverage is zero"),
        ("buy 1 BTC-USD", {"leverage": "1e9"}, "more than any market allows"),
        ("buy 1 BTC-USD", {"table": True, "table_market": "NOPE-USD"}, "NOPE-USD is no market here"),
    ],
)
def test_what_no_market_takes_is_a_usage_error(
    answered: Answers, words: str, wishes: dict[str, Any], told: str
) -> None:
    code, out, err = answered(Indexer(), words, **wishes)
    assert (code, out) == (2, "")
    assert told in err


def test_a_market_without_a_price_is_unknown_and_temporary(answered: Answers) -> None:
    markets = {"BTC-USD": {**MARKET, "oraclePrice": None}}
    code, out, _ = answered(Indexer(markets=markets), "buy 1 BTC-USD @ 98", as_json=True)
    told = json.loads(out)
    assert code == 75
    assert (told["before"]["equity"], told["after"]["equity"]) == (None, None)
    assert "figures are unknown" in told["warnings"][0]
    assert told["order"]["fee"] == "0.0098"


def test_an_account_that_was_never_funded(answered: Answers) -> None:
    told = document(answered, Indexer(usdc=None), "buy 1 BTC-USD @ 98")
    assert told.warnings[0] == "the account was never funded on mine"
    assert told.before.equity == 0


@pytest.mark.parametrize(("status", "code"), [(429, 75), (403, 76), (400, 76), (500, 69), (404, 69)], ids=str)
@pytest.mark.parametrize("path", ["/perpetualMarkets", "/orders"])
def test_half_an_account_is_none(answered: Answers, path: str, status: int, code: int) -> None:
    indexer = Indexer()
    indexer.refused[path] = (status, {"errors": [{"msg": "no\x1b[2J"}]})
    got, out, err = answered(indexer, "buy 1 BTC-USD @ 98")
    assert (got, out) == (code, "")
    assert "log: " in err
    assert "\x1b" not in err


@pytest.mark.parametrize("told", ["not json", {"markets": {"BTC-USD": {"oraclePrice": "NaN"}}}], ids=["text", "NaN"])
def test_an_answer_that_cannot_be_read_is_not_guessed_at(answered: Answers, told: Any) -> None:
    indexer = Indexer()
    indexer.refused["/perpetualMarkets"] = (200, told)
    code, out, _ = answered(indexer, "buy 1 BTC-USD @ 98")
    assert (code, out) == (69, "")


def run(home: Path, *words: str) -> Ran:
    done = ended([sys.executable, "-c", AS_A_COMMAND, "whatif", *words], environment(home))
    assert "Traceback" not in done.stderr
    return done


def test_the_command_against_an_exchange() -> None:
    with exchange() as venue, short_home() as home:
        config = written(home / "config.toml", toml_of(venue))
        done = run(home, "buy", "0.1", "BTC-USD", "--table", "--json", "--config", str(config))
        assert done.returncode == 0, done.stderr
        told = WhatifDocument.model_validate_json(done.stdout)
        assert told.order.fee_source == "fee tier 6 by the node, before discounts"
        again = run(home, "sell", "-1", "BTC-USD", "--config", str(config))
        plan = LivePlan(network_of(venue), venue.account, 0)
        short, whole = (run_briefly(account_once(plan, history=history)).snapshot for history in (False, True))
    assert told.order.size == D("0.1")
    assert told.order.is_filled
    before, after = (row.position.net_size if row.position else Decimal(0) for row in (told.before, told.after))
    assert after - before == D("0.1")
    assert len(told.table) == 14
    assert (again.returncode, again.stdout) == (2, "")
    assert "change the side" in again.stderr
    assert short.fills_known == 0
    assert whole.fills_known > 0
    assert whole.height is not None
    assert short.height is not None
    assert whole.height >= short.height
    assert {view.position.market for view in short.positions} <= set(whole.markets)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("buy", "1", "BTC-USD", "--network", "nowhere"), 78, "nowhere"),
        (("buy", "1", "BTC-USD", "--network", "mainnet", "--environment", "development"), 77, "confirm"),
        (("buy", "1", "BTC-USD", "--address", "dydx1nope"), 2, "address"),
        (("buy", "1", "BTC-USD", "--network", "gone"), 69, "cannot reach 127.0.0.1:9"),
    ],
    ids=["no such network", "mainnet", "address", "unreachable"],
)
def test_what_ends_it_before_it_reads(words: tuple[str, ...], code: int, told: str) -> None:
    with short_home() as home:
        config = networks_file(home, {"gone": urls_at("127.0.0.1:9", LOCAL)})
        done = run(home, *words, "--config", str(config))
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert told in done.stderr


def test_without_an_account_there_is_nothing_to_ask() -> None:
    with short_home() as home:
        done = run(home, "buy", "1", "BTC-USD", "--network", "testnet")
    assert (done.returncode, done.stdout) == (2, "")
    assert "which account?" in done.stderr
