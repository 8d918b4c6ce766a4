"""The document: what was reckoned stands in it exactly, and what is unknown is null."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from builders import ADDRESS, D, balance, child, fill, position
from tui.pictures import NOW, picture

from dydx_console.domain import events as ev
from dydx_console.domain.flows import FundingPayment
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import Market
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.pnl_days import Span
from dydx_console.state.reconcile import Difference, Drift, Source, Why
from dydx_console.state.snapshot import Snapshot, next_snapshot, snapshot_of
from dydx_console.views.compose import document_of
from dydx_console.views.documents import Document, NetworkSection

NETWORK = NetworkSection(
    name="testnet", chain_id="dydx-testnet-4", environment="development", environment_from="default",
    confirmed=True, read_only=True, warnings=(),
)  # fmt: skip
DIFFERENCES = (
    Difference(Source.POSITIONS, "realized", 0, "ETH-USD", D("240.10"), D("239.90"), (Why.FEES, Why.FUNDING)),
    Difference(Source.PNL, "total_pnl", None, None, None, D("-2"), (), D("-2"), NOW),
)
FILLS = (
    fill("a", "BUY", "2", "100", 1, fee=D("0.1")),
    fill("b", "SELL", "1", "110", 2, fee=D("0.1"), builder_fee=D("0.02")),
)


def written(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot's document as it is printed; what is printed is what the schema describes."""
    text = document_of(snapshot, NETWORK).model_dump_json()
    assert Document.model_validate_json(text).model_dump_json() == text
    told: dict[str, Any] = json.loads(text)
    return told


def traded() -> ConsoleState:
    """Return an account that bought 2, sold 1 and was paid funding."""
    state = ConsoleState(Watched(ADDRESS))
    at = datetime(2026, 11, 21, tzinfo=UTC)
    market = Market("BTC-USD", oracle_price=D(120), next_funding_rate=D("0.0001"),
                    initial_margin_fraction=D("0.1"), maintenance_margin_fraction=D("0.05"))  # fmt: skip
    rows = (child(position("1", height=5), balance("30", height=5), height=5),)
    state.apply(ev.AccountRead(ADDRESS, 0, None, True, rows, 0, 1.0, 1.0))
    state.apply(ev.MarketsRead((market,), 1.0))
    state.apply(ev.FillsRead(ADDRESS, FILLS, True, 1.0, 0))
    payment = FundingPayment(0, "BTC-USD", D("0.25"), D("0.0001"), D(1), D(120), at, 3)
    state.apply(ev.FundingRead(ADDRESS, (payment,), 1.0, 1.0))
    state.apply(ev.HeightRead(5, at.replace(hour=1), 1.0))
    return state


def test_pnl_has_its_estimate_its_ranges_and_what_each_fill_closed() -> None:
    told = written(snapshot_of(traded(), 1.0, 1))
    pnl = told["pnl"]
    assert (pnl["realized"], pnl["fees"], pnl["funding"], pnl["net"]) == ("10", "0.22", "0.25", "30.03")
    assert pnl["funding_estimate"] == pnl["by_market"][0]["funding_estimate"] == "-0.012"
    assert pnl["since"] == "2026-11-21T00:00:01.000Z"
    assert {row["id"]: row["closed_pnl"] for row in told["fills"]} == {"a": "0", "b": "10"}
    spans = {row["span"]: row for row in pnl["spans"]}
    assert set(spans) == set(Span)
    assert (spans["ALL"]["realized"], spans["ALL"]["net"], spans["ALL"]["start"]) == ("10", "30.03", None)
    assert (spans["TODAY"]["start"], spans["TODAY"]["fees"]) == ("2026-11-21T00:00:00.000Z", "0.22")
    (row,) = spans["TODAY"]["by_market"]
    assert (row["market"], row["volume"], row["fills"], row["funding"]) == ("BTC-USD", "310", 2, "0.25")


def test_before_fills_and_payments_are_read_there_are_no_ranges() -> None:
    told = written(snapshot_of(ConsoleState(Watched(ADDRESS)), 1.0, 1))
    assert told["pnl"]["spans"] == []
    assert (told["account"]["risk"], told["pnl"]["drift_at"], told["as_of"]["clock_skew_ms"]) == (None, None, None)


def test_differences_stand_with_their_reasons_and_alarms_without() -> None:
    told = written(picture(drift=Drift(DIFFERENCES, NOW, "half of it")))["pnl"]
    assert (told["drift_at"], told["drift_problem"]) == ("2026-11-21T01:49:30.000Z", "half of it")
    known, alarm = told["drift"]
    assert known == {
        "subaccount": 0, "market": "ETH-USD", "source": "POSITIONS", "what": "realized", "at": None,
        "ours": "240.1", "indexer": "239.9", "why": f"{Why.FEES.text}; {Why.FUNDING.text}",
        "reasons": ["FEES", "FUNDING"], "alarm": False,
    }  # fmt: skip
    assert (alarm["why"], alarm["reasons"], alarm["alarm"], alarm["subaccount"], alarm["ours"]) == (
        None, [], True, None, None,
    )  # fmt: skip


def test_risk_stands_with_its_levels_and_the_nearest_liquidation() -> None:
    snapshot = snapshot_of(traded(), 1.0, 1)
    assert written(snapshot)["account"]["risk"] == {
        "level": "NONE", "margin_usage_level": "NONE", "liquidation_level": "NONE", "nearest": None, "liquidatable": [],
    }  # fmt: skip
    state = traded()
    rows = (child(position("1", height=6), balance("-110", height=6), height=6),)
    state.apply(ev.AccountRead(ADDRESS, 0, None, True, rows, 0, 2.0, 2.0))
    risk = written(snapshot_of(state, 2.0, 1))["account"]["risk"]
    assert (risk["level"], risk["margin_usage_level"], risk["liquidation_level"]) == ("ALARM", "ALARM", "ALARM")
    assert (risk["nearest"]["market"], risk["nearest"]["distance"][:6]) == ("BTC-USD", "-0.035")


def test_the_selected_leverage_is_the_configured_one_where_no_node_told_another() -> None:
    state = traded()
    state.leverages.configured = {"BTC-USD": D(4)}
    snapshot = snapshot_of(state, 1.0, 1)
    (row,) = written(snapshot)["positions"]
    assert (row["selected_leverage"], row["initial_margin"]) == ("4", "30")
    assert snapshot.leverages == {PositionKey(0, "BTC-USD"): 4}


@pytest.mark.parametrize("ahead_ms", [-1500, 0, 42])
def test_this_machines_clock_is_compared_with_the_venues(ahead_ms: int) -> None:
    state = traded()
    state.apply(ev.TimeRead(NOW, 10.0, 10.0))
    utc = NOW.fromtimestamp(NOW.timestamp() + ahead_ms / 1000, UTC)
    snapshot = next_snapshot(state, None, 10.0, frozenset(), revision=1, utc=utc)
    assert written(snapshot)["as_of"]["clock_skew_ms"] == ahead_ms
