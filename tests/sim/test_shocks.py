"""Shocks and risky positions: from the command line to what two independent clients read of a liquidation."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_demo import NOW, play, subscribed
from test_process import ROOT, client_script, end, start

from dydx_console.cli.live import DemoOptions
from dydx_console.domain.events import AccountUpdate, FillsRead, TradesUpdate
from dydx_console.domain.fill import Fill
from dydx_console.sim.__main__ import parse
from dydx_console.sim.actors.shocks import Shock, parse_shock
from dydx_console.sim.core.insurance import CROSS_FUND
from dydx_console.sim.venue import Venue, VenueOptions
from dydx_console.venue.indexer.answers import Answer, facts_of_answer
from dydx_console.venue.indexer.protocol import IndexerProtocol

FALL = (Shock("BTC-USD", -200_000, 25_000), Shock("EIGEN-USD", -400_000, 25_000))


@pytest.mark.parametrize(
    ("text", "shock"),
    [
        ("BTC-USD=-20%@30s", Shock("BTC-USD", -200_000, 30_000)),
        ("EIGEN-USD=+7.5%@2m", Shock("EIGEN-USD", 75_000, 120_000)),
        ("SOL-USD=0.0001%@500ms", Shock("SOL-USD", 1, 500)),
    ],
)
def test_a_shock_is_read(text: str, shock: Shock) -> None:
    assert parse_shock(text) == shock
    assert parse(["--shock", text, "--shock", "ETH-USD=1%@0s"]).venue.shocks[0] == shock


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("BTC-USD", "not of the form"),
        ("BTC-USD=20@30s", "not of the form"),
        ("BTC-USD=-20%", "not of the form"),
        ("BTC-USD=-20%@-3s", "not of the form"),
        ("BTC-USD=nan%@3s", "not of the form"),
        ("BTC-USD=-20%@3s\n", "not of the form"),
        ("DOGE-USD=-20%@3s", "no such market"),
        ("BTC-USD=-71%@3s", "-70 % to +200 %"),
        ("BTC-USD=+201%@3s", "-70 % to +200 %"),
    ],
)
def test_a_bad_shock_is_told(text: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="^" + text.partition("=")[0]) as told:
        parse_shock(text)
    assert words in str(told.value)
    with pytest.raises(SystemExit) as ended:
        parse(["--shock", text])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_what_demo_is_asked_is_what_sim_reads() -> None:
    asked = DemoOptions(seed=3, faults="rough", shocks=("BTC-USD=-20%@30s", "ETH-USD=1%@0s"), risky=True)
    read = parse(asked.arguments()).venue
    assert (read.seed, read.risky, [shock.ticker for shock in read.shocks]) == (3, True, ["BTC-USD", "ETH-USD"])
    assert DemoOptions().arguments() == ()
    assert (VenueOptions().risky, VenueOptions().shocks) == (False, ())


@pytest.mark.parametrize("command", ["demo", "sim"])
def test_a_bad_shock_ends_the_command_in_a_sentence(command: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dydx_console", command, "--shock", "DOGE-USD=-20%@3s"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "DOGE-USD=-20%@3s: no such market; there are BTC-USD, ETH-USD, SOL-USD, EIGEN-USD" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_tells_of_both_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "such as BTC-USD=-20%@30s after the start" in told
    assert "--risky" in told


def test_a_shock_comes_at_its_time_and_only_to_its_market() -> None:
    venue = Venue(VenueOptions(history_hours=0, makers=False, trader=False), NOW)
    btc, eth = venue.exchange.market("BTC-USD"), venue.exchange.market("ETH-USD")
    venue.advance(NOW + 1_000)
    calm = venue.exchange.oracle_value(btc), venue.exchange.oracle_value(eth)
    venue.shock(Shock("BTC-USD", -100_000, 3_000), NOW + 1_000)
    venue.advance(NOW + 3_900)
    assert (venue.exchange.oracle_value(btc), venue.exchange.oracle_value(eth)) == calm
    venue.advance(NOW + 6_100)
    assert venue.exchange.oracle_value(btc) == calm[0] * 9 // 10
    assert venue.exchange.oracle_value(eth) == calm[1]


def facts(frames: list[str]) -> list[Any]:
    """What our own client makes of frames."""
    protocol = IndexerProtocol(1)
    return [fact for frame in frames for fact in protocol.receive(frame, 1.0).facts]


def test_the_console_reads_both_ways_out_of_a_risky_position() -> None:
    venue = Venue(VenueOptions(seed=7, history_hours=0, risky=True, shocks=FALL), NOW)
    frames = play(venue, subscribed(venue, NOW), NOW, [1_000] * 35)
    heard = facts(frames)
    updates = [fact for fact in heard if isinstance(fact, AccountUpdate)]
    fills = {fill.id: fill for update in updates for fill in update.fills if fill.type != "LIMIT"}
    kinds = {(fill.subaccount, fill.market, fill.type) for fill in fills.values()}
    assert kinds == {
        (0, "BTC-USD", "LIQUIDATED"),
        (0, "BTC-USD", "DELEVERAGED"),
        (128, "EIGEN-USD", "DELEVERAGED"),
    }
    closed = {(u.subaccount, p.market) for u in updates for p in u.positions if p.status == "CLOSED"}
    assert closed >= {(0, "BTC-USD"), (128, "EIGEN-USD")}
    trades = [trade for fact in heard if isinstance(fact, TradesUpdate) for trade in fact.trades]
    assert {trade.type for trade in trades} == {"LIMIT", "LIQUIDATED", "DELEVERAGED"}
    path = f"/v4/fills/parentSubaccountNumber?address={venue.options.account}&parentSubaccountNumber=0&page=1"
    query = {"address": venue.options.account, "parentSubaccountNumber": "0", "page": "1"}
    body = venue.comlink.fetch("/v4/fills/parentSubaccountNumber", NOW, query).json()
    (read,) = facts_of_answer(Answer(path, 200, json.dumps(body), 1.0, 2.0, 1))
    assert isinstance(read, FillsRead)
    assert {f.id for f in read.fills if f.type != "LIMIT"} == set(fills)
    assert_named(venue, list(fills.values()))


def assert_named(venue: Venue, fills: list[Fill]) -> None:
    """The fees of the account's liquidation fills are the cross fund's flows, one by one."""
    fees = [int(fill.fee.scaleb(6)) for fill in fills if fill.type == "LIQUIDATED"]
    own = [flow for flow in venue.insurance_flows if flow.subaccount.owner == venue.options.account]
    assert [flow.quote_quantums for flow in own] == fees
    assert {flow.fund for flow in own} == {CROSS_FUND}
    assert sum(fees) < 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_venue_in_shock_keeps_its_money_and_its_story(seed: int) -> None:
    stories = []
    for steps in ([1_000] * 40, [40_000]):
        venue = Venue(VenueOptions(seed=seed, history_hours=0, risky=True, shocks=FALL), NOW)
        session = subscribed(venue, NOW)
        stories.append([text for text in play(venue, session, NOW, steps) if "LIQUIDATED" in text])
        accounts, insured = venue.exchange.state.accounts, venue.exchange.state.insurance.total
        held = sum(account.usdc_quantums for account in accounts.all())
        assert held + accounts.collected_fees + accounts.funding_pool + insured == accounts.net_deposits
        assert [account for account in accounts.all() if accounts.equity(account) < 0] == []
    assert stories[0]
    assert stories[0] == stories[1]


def test_a_ruined_account_begins_anew() -> None:
    venue = Venue(VenueOptions(seed=7, history_hours=0, risky=True, shocks=FALL[:1]), NOW)
    held = []
    for second in range(60):
        venue.advance(NOW + second * 1_000)
        held.append(venue.exchange.position_quantums(venue.trader.main, venue.exchange.market("BTC-USD")) > 0)
    story = [now for before, now in zip([False, *held], held, strict=False) if before is not now]
    assert story[-3:] == [True, False, True]


def test_stock_clients_read_a_liquidated_account(tmp_path: Path) -> None:
    falls = [f"{fall}@{second}s" for second in (5, 14, 23) for fall in ("BTC-USD=-20%", "EIGEN-USD=-40%")]
    shocks = [argument for fall in falls for argument in ("--shock", fall)]
    process, line = start("--risky", "--no-rate-limits", "--seed", "7", *shocks)
    try:
        found = client_script("official_liquidation.py", line, tmp_path)
    finally:
        process.terminate()
        end(process)
    assert found["errors"] == []
    assert set(found["types"]) >= {"LIMIT", "LIQUIDATED", "DELEVERAGED"}
    assert found["socket"] == found["rest"]
    assert "LIQUIDATION_CLOSE" in found["actions"]
