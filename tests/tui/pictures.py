"""Pictures of an account, made by hand: two positions, six orders, a handful of fills."""

from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from dydx_console.domain.events import ChannelKey
from dydx_console.domain.fill import Fill
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import Market
from dydx_console.domain.order import Order
from dydx_console.domain.position import Balance, Position
from dydx_console.domain.risk import DEFAULT_LIMITS
from dydx_console.state.accounting import Ledger
from dydx_console.state.console import Watched
from dydx_console.state.freshness import ChannelView, PictureState, StreamView
from dydx_console.state.margin import AccountMargin, ChildMargin, PositionMargin
from dydx_console.state.pnl import MarketPnl, PnlTotals
from dydx_console.state.risk import risk_view
from dydx_console.state.snapshot import PositionView, Snapshot

ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"
NOW = datetime(2026, 11, 21, 1, 49, 30, tzinfo=UTC)
HEIGHT = 48_112_907
D = Decimal

MARKETS = {
    "BTC-USD": Market("BTC-USD", oracle_price=D("15041"), tick_size=D("1"), step_size=D("0.001")),
    "ETH-USD": Market("ETH-USD", oracle_price=D("999.6"), tick_size=D("0.1"), step_size=D("0.01")),
    "ISO-USD": Market("ISO-USD", oracle_price=D("0.984"), tick_size=D("0.001"), step_size=D("1")),
}


def stream(state: PictureState = PictureState.LIVE, age_s: float | None = 0.8) -> StreamView:
    """Return a stream with the account's and the markets' channels in one state."""
    channels = tuple(
        ChannelView(ChannelKey(name, id_), state, age_s, 10)
        for name, id_ in (("v4_parent_subaccounts", f"{ADDRESS}/0"), ("v4_markets", ""))
    )
    return StreamView(state, age_s, 1.0, 0, 0, 1, 0, channels)


def position(market: str, sub: int, size: str, cost: str, pnl: str, liquidation: str | None = None) -> PositionView:
    """Return a position."""
    oracle = MARKETS[market].oracle_price
    assert oracle is not None
    margin = PositionMargin(
        notional=abs(D(size) * oracle),
        initial_margin=D("19.99"),
        maintenance_margin=D("11.99"),
        effective_leverage=D("0.5"),
        liquidation_price=None if liquidation is None else D(liquidation),
        selected_leverage=D(20),
    )
    return PositionView(
        position=Position(sub, market, D(size), "OPEN", HEIGHT - 5, entry_price=D(cost)),
        average_cost=D(cost),
        cost_basis="FILLS",
        oracle_price=oracle,
        unrealized_pnl=D(pnl),
        unrealized_fraction=D(pnl) / 400,
        funding=D("-0.78"),
        ledger=Ledger(),
        margin=margin,
    )


def order(number: int, **changes: Any) -> Order:
    """Return a working long-term limit order."""
    base = Order(
        id=f"order-{number}",
        subaccount=0,
        client_id=str(number),
        market="BTC-USD",
        side="BUY",
        type="LIMIT",
        time_in_force="GTT",
        flags="64",
        price=D("15041"),
        size=D("0.250"),
        status="OPEN",
        good_til_time=NOW + timedelta(days=7),
        created_at=NOW - timedelta(seconds=number),
        updated_at=NOW - timedelta(seconds=number),
    )
    return replace(base, **changes)


def fill(number: int, **changes: Any) -> Fill:
    """Return a fill; higher numbers are newer."""
    base = Fill(
        id=f"fill-{number}",
        subaccount=0,
        market="BTC-USD" if number % 2 else "ETH-USD",
        side="BUY" if number % 3 else "SELL",
        liquidity="TAKER",
        type="LIMIT",
        price=D("15041"),
        size=D("0.150"),
        fee=D("1.128"),
        height=HEIGHT - 100 + number,
        created_at=NOW - timedelta(seconds=100 - number),
    )
    return replace(base, **changes)


def orders() -> tuple[Order, ...]:
    """Return orders of every kind that the pane tells apart."""
    return (
        order(1, filled=D("0.150"), flags="0", good_til_block=HEIGHT + 12, good_til_time=None),
        order(2, market="ETH-USD", side="SELL", type="STOP_LIMIT", client_metadata="1", size=D("0.40"),
              price=D("900"), trigger_price=D("948"), status="UNTRIGGERED", flags="32", reduce_only=True),
        order(3, side="SELL", status="BEST_EFFORT_CANCELED", removal_reason="USER_CANCELED", flags="0",
              good_til_block=HEIGHT + 3, good_til_time=None),
        order(4, status="FILLED", filled=D("0.250")),
        order(5, status="CANCELED", removal_reason="USER_CANCELED"),
        order(6, status="SOMETHING_NEW", market="ISO-USD"),
    )  # fmt: skip


def picture(at: float = 0.0, revision: int = 1, **changes: Any) -> Snapshot:
    """Return a picture of a live account, with `changes`."""
    views = (
        position("ETH-USD", 0, "0.40", "1002.01", "-0.96", "688.10"),
        position("ISO-USD", 128, "976", "0.9903", "-6.17"),
    )
    children = (
        ChildMargin(0, D("379015.28"), D("379415.08"), D("379395.09"), D("379395.09"), D("0.00005"), D("0.001"),
                    D("19.99"), D("11.99")),
        ChildMargin(128, D("5837.48"), D("6797.86"), D("6700"), D("6700"), D("0.0153"), D("0.14"), D("103"), D("48")),
    )  # fmt: skip
    margin = AccountMargin(
        D("403105.93"), D("379395.09"), D("379395.09"), D("0.00005"), D("0.001"), children,
        {PositionKey(v.position.subaccount, v.position.market): v.margin for v in views if v.margin is not None},
    )  # fmt: skip
    rows = (
        MarketPnl(PositionKey(0, "ETH-USD"), D("240.10"), D("-0.96"), D("30.11"), D("3.44"), D("212.47"), NOW),
        MarketPnl(PositionKey(128, "ISO-USD"), D("0"), D("-6.17"), D("0.29"), D("-0.17"), D("-6.63"), NOW),
    )
    base: dict[str, Any] = {
        "revision": revision,
        "at": at,
        "watched": Watched(ADDRESS, 0),
        "exists": True,
        "funded_parents": 2,
        "height": HEIGHT,
        "block_time": NOW,
        "venue_time": NOW,
        "stream": stream(),
        "margin": margin,
        "balances": (Balance(0, "USDC", D("379015.28"), 1), Balance(128, "USDC", D("-37.48"), 1)),
        "positions": views,
        "orders": orders(),
        "fills": tuple(fill(number) for number in range(40, 0, -1)),
        "fills_known": 162,
        "transfers": (),
        "pnl": PnlTotals(D("240.10"), D("-7.13"), D("30.40"), D("3.27"), D("205.84"), NOW, rows),
        "markets": MARKETS,
        "risk": risk_view(changes.get("margin", margin), changes.get("positions", views), 0, DEFAULT_LIMITS),
    }
    return Snapshot(**{**base, **changes})


HOSTILE = (
    "[/x]",
    "[/",
    "[b",
    "[@click=app.quit]go[/]",
    "[$foo]\\",
    "\x1b[2J\x1b[Hgone",
    "\x1b]52;c;aGk=\x07",
    "\x1b]0;title\x07",
    "\x9b31m\x90x\x9c",
    "\u202egnihton\u202c\u2066x\u2069",
    "zero\u200bwidth\ufeff",
    "bell\x07 back\x08 feed\x0c\r\n",
    "全角の市場 é\u0301 👩\u200d👩",
    "x" * 300,
)


def poisoned(value: Any, text: str, path: str = "") -> Any:
    """Return `value` with every external string in it, however deep, begun with `text`; names stay apart."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return f"{text}{path}"
    if isinstance(value, PositionKey):
        return PositionKey(value.subaccount, poisoned(value.market, text, path))
    if isinstance(value, tuple):
        return tuple(poisoned(part, text, f"{path}{index}") for index, part in enumerate(value))
    if isinstance(value, dict):
        return {poisoned(key, text, f"{path}{i}"): poisoned(part, text, f"{path}{i}")
                for i, (key, part) in enumerate(value.items())}  # fmt: skip
    if is_dataclass(value) and not isinstance(value, type) and not isinstance(value, StreamView):
        return replace(value, **{f.name: poisoned(getattr(value, f.name), text, path) for f in fields(value)})
    return value
