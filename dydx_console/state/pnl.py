"""PNL of the account from its books, funding and oracle prices."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import ONE, Market
from dydx_console.domain.numbers import divide, sum_known
from dydx_console.domain.position import Position
from dydx_console.state.accounting import Ledger

__all__ = [
    "CostBasis",
    "MarketPnl",
    "PnlTotals",
    "cost_of",
    "funding_estimate",
    "market_pnl",
    "open_pnl",
    "pnl_totals",
    "unrealized_fraction",
    "unrealized_pnl",
]


@dataclass(frozen=True, slots=True)
class CostBasis:
    """A position's average cost and where it comes from: FILLS, or VENUE where the known fills do not explain it.

    `cost` is what the whole position cost by the fills, in USDC and with the sign of its size; None by the venue.
    """

    average_cost: Decimal | None
    source: str
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class MarketPnl:
    """PNL of one subaccount and market in USDC; None is unknown (fills or payments not read, no oracle price).

    `realized` is price PNL alone, `fees` positive when paid, `funding` positive when received, and
    net = realized + unrealized − fees + funding. `funding_estimate` is what the running hour would bring; it is in
    neither of the others.
    """

    key: PositionKey
    realized: Decimal | None
    unrealized: Decimal | None
    fees: Decimal | None
    funding: Decimal | None
    net: Decimal | None
    since: datetime | None
    funding_estimate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PnlTotals:
    """PNL of the account, and by subaccount and market. `since` is from when the figures hold: the first known fill,
    or later where a position ran whose cost is not known.
    """

    realized: Decimal | None
    unrealized: Decimal | None
    fees: Decimal | None
    funding: Decimal | None
    net: Decimal | None
    since: datetime | None
    by_market: tuple[MarketPnl, ...]
    funding_estimate: Decimal | None = None


def cost_of(position: Position, ledger: Ledger) -> CostBasis:
    """Return what the position cost: by fills where they explain its size, else by the venue's entry price."""
    if ledger.is_complete and ledger.net_size == position.net_size:
        return CostBasis(ledger.average_cost, "FILLS", ledger.cost)
    return CostBasis(position.entry_price, "VENUE")


def unrealized_pnl(position: Position, cost: Decimal | None, market: Market | None) -> Decimal | None:
    """Return signed size × (oracle − average cost), None where either price is unknown."""
    if cost is None or market is None or market.oracle_price is None:
        return None
    return position.net_size * (market.oracle_price - cost)


def open_pnl(position: Position, basis: CostBasis, market: Market | None) -> Decimal | None:
    """Return signed size × oracle − cost, exact where the fills tell the cost, None where a figure is unknown."""
    if basis.cost is None or market is None or market.oracle_price is None:
        return unrealized_pnl(position, basis.average_cost, market)
    return position.net_size * market.oracle_price - basis.cost


def funding_estimate(position: Position, market: Market | None) -> Decimal | None:
    """Return what the running hour would bring at its present rate and price: −size × oracle × rate.

    A positive rate is paid by longs (dydxprotocol/v4-chain protocol/x/perpetuals). None where a figure is unknown.
    """
    if market is None or market.oracle_price is None or market.next_funding_rate is None:
        return None
    return -position.net_size * market.oracle_price * market.next_funding_rate


def unrealized_fraction(
    position: Position, cost: Decimal | None, market: Market | None, leverage: Decimal | None
) -> Decimal | None:
    """Return unrealized PNL ÷ (|size × cost| ÷ max(leverage, 1)).

    Source: dydxprotocol/v4-web src/bonsai/calculators/subaccount.ts.
    """
    gained = unrealized_pnl(position, cost, market)
    if gained is None or cost is None:
        return None
    return divide(gained * max(leverage or ONE, ONE), abs(position.net_size * cost))


def pnl_totals(rows: Iterable[MarketPnl]) -> PnlTotals:
    """Return the account's totals; one unknown part makes its total unknown."""
    listed = tuple(rows)
    return PnlTotals(
        realized=sum_known(row.realized for row in listed),
        unrealized=sum_known(row.unrealized for row in listed),
        fees=sum_known(row.fees for row in listed),
        funding=sum_known(row.funding for row in listed),
        net=sum_known(row.net for row in listed),
        since=min((row.since for row in listed if row.since is not None), default=None),
        by_market=listed,
        funding_estimate=sum_known(row.funding_estimate for row in listed),
    )


def market_pnl(
    key: PositionKey,
    ledger: Ledger | None,
    unrealized: Decimal | None,
    funding: Decimal | None,
    estimate: Decimal | None = None,
) -> MarketPnl:
    """Return the PNL of one subaccount and market; `ledger` is None while its fills have not been read."""
    if ledger is None:
        return MarketPnl(key, None, unrealized, None, funding, None, None, estimate)
    if not ledger.is_known:
        return MarketPnl(key, None, unrealized, ledger.fees, funding, None, ledger.since, estimate)
    net = None
    if unrealized is not None and funding is not None:
        net = ledger.realized + unrealized - ledger.fees + funding
    return MarketPnl(key, ledger.realized, unrealized, ledger.fees, funding, net, ledger.since, estimate)
