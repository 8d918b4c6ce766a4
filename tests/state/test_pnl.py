"""PNL of positions and of the account: what is not known stays unknown, and estimates are in no sum."""

from decimal import Decimal

import pytest
from builders import ADDRESS, child, fill, position

from dydx_console.domain.events import AccountRead, FillsRead, FundingRead, MarketsRead
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import Market
from dydx_console.state.accounting import ledger_of
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.pnl import cost_of, funding_estimate, market_pnl, open_pnl, pnl_totals
from dydx_console.state.snapshot import snapshot_of

D = Decimal
KEY = PositionKey(0, "BTC-USD")
KNOWN = Market("BTC-USD", oracle_price=D(110), next_funding_rate=D("0.0002"))
THIRDS = (fill("a", "BUY", "1", "100", 1), fill("b", "BUY", "2", "101", 2), fill("c", "SELL", "1", "105", 3))


def test_open_pnl_is_exact_where_a_quotient_is_not() -> None:
    """Three bought for 302, one sold: the average has no end, but what is left cost what the sale did not take."""
    ledger = ledger_of(THIRDS, None)
    basis = cost_of(position("2"), ledger)
    gained = open_pnl(position("2"), basis, KNOWN)
    assert gained is not None
    assert ledger.realized + gained == D(105) + 2 * D(110) - D(302)


def test_open_pnl_by_the_venues_entry_price_where_the_fills_do_not_tell() -> None:
    basis = cost_of(position("5", entry_price=D(90)), ledger_of(THIRDS, None))
    assert (basis.source, basis.cost) == ("VENUE", None)
    assert open_pnl(position("5"), basis, KNOWN) == D(100)


@pytest.mark.parametrize("market", [None, Market("BTC-USD"), Market("BTC-USD", next_funding_rate=D(1))])
def test_without_an_oracle_price_nothing_is_reckoned(market: Market | None) -> None:
    basis = cost_of(position("2"), ledger_of(THIRDS, None))
    assert open_pnl(position("2"), basis, market) is None
    assert funding_estimate(position("2"), market) is None


def test_the_running_hour_is_paid_by_longs_and_is_in_no_sum() -> None:
    assert funding_estimate(position("2"), KNOWN) == D("-0.044")
    assert funding_estimate(position("-2"), KNOWN) == D("0.044")
    row = market_pnl(KEY, ledger_of(THIRDS, None), D(1), D(1), D(99))
    totals = pnl_totals([row, row])
    assert totals.funding_estimate == D(198)
    assert row.net == row.realized + 1 - row.fees + 1  # type: ignore[operator]


@pytest.mark.parametrize("price", [None, D(110)])
def test_a_missing_oracle_leaves_the_account_unknown_and_the_rest_told(price: Decimal | None) -> None:
    state = ConsoleState(Watched(ADDRESS))
    market = Market("BTC-USD", oracle_price=price, next_funding_rate=D("0.0002"))
    for event in (
        MarketsRead((market,), 1.0),
        AccountRead(ADDRESS, 0, None, True, (child(position("2"), height=3),), 0, 1.0, 1.0),
        FillsRead(ADDRESS, (*THIRDS, fill("n", market="NEW-USD", height=4)), True, 1.0, 0),
        FundingRead(ADDRESS, (), 1.0, 1.0),
    ):
        state.apply(event)
    pnl = snapshot_of(state, 1.0, 1).pnl
    known = price is not None
    assert [(row.key.market, row.net is not None) for row in pnl.by_market] == [("BTC-USD", known), ("NEW-USD", True)]
    assert (pnl.net is not None, pnl.unrealized is not None, pnl.funding_estimate is not None) == (known, known, known)
    assert pnl.realized is not None
    assert pnl.fees == D("0.2")
