"""An account's past for the History screen: orders, bookings, payments, transfers and lives."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tui.fakes import FakePort
from tui.pictures import ADDRESS, HEIGHT, NOW, fill, order, picture
from tui.shelf import FakeDesk, Shelf

from dydx_console.domain.flows import FundingPayment, Transfer
from dydx_console.ports.history import NO_PROGRESS, HistoryProgress
from dydx_console.ports.journal import BookedFill, History, OrderHop, OrderRecord, PositionLife

D = Decimal
STATUSES = ("FILLED", "CANCELLED", "OPEN", "EXPIRED")
OTHER = "dydx1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnqqqqqq"


def record(number: int, **changes: Any) -> OrderRecord:
    """Return an order of so many hours ago."""
    at = NOW - timedelta(hours=number)
    made = order(number, created_at=at, **changes)
    return OrderRecord(made, STATUSES[number % 4], at, NOW)


def hop(at: datetime, shown: str, **changes: Any) -> OrderHop:
    """Return a standing of an order."""
    told = OrderHop(at, HEIGHT, "STREAM", shown, shown, None, None, D(0), D("0.250"), D("15041"), None, None, HEIGHT)
    return replace(told, **changes)


def booked(number: int, **changes: Any) -> BookedFill:
    """Return a fill that closed something where its number is odd."""
    given = {"closed_pnl": D(number) / 10 if number % 2 else None, "net_size": D("0.4"), "average_cost": D("15000.25")}
    given.update({name: changes.pop(name) for name in tuple(given) if name in changes})
    return BookedFill(fill(number, **changes), **given)


def life(market: str = "BTC-USD", **changes: Any) -> PositionLife:
    """Return a position that was opened three days ago and is still open."""
    made = PositionLife(0, market, "fill-1", "LONG", NOW - timedelta(days=3), HEIGHT, None, None, D("1.4"), D("15002"),
                        None, D("240.10"), D("1.50"), D("-0.78"), 12, True)  # fmt: skip
    return replace(made, **changes)


def payment(number: int) -> FundingPayment:
    """Return a payment of so many hours ago."""
    at = NOW - timedelta(hours=number)
    return FundingPayment(0, "ETH-USD", D("-0.012345"), D("0.0000125"), D("0.40"), D("999.61"), at, HEIGHT - number)


def transfers() -> list[Transfer]:
    """Return a deposit of last year and a transfer between subaccounts."""
    base = Transfer(
        "t1", "DEPOSIT", D("1000"), "USDC", OTHER, None, ADDRESS, 0, NOW - timedelta(days=400), 9, "AB" * 32
    )
    own = replace(base, id="t2", type="TRANSFER_OUT", size=D("50.125"), sender=ADDRESS, sender_subaccount=0,
                  recipient_subaccount=128, created_at=NOW - timedelta(days=2))  # fmt: skip
    return [base, own]


def shelf(orders: int = 170, **rows: Any) -> Shelf:
    """Return an account's past; the first order has three fills and two standings."""
    records = [record(number) for number in range(orders)]
    first = replace(records[0].order, filled=D("0.450"), size=D("0.450"), status="FILLED")
    records[0] = replace(records[0], order=first)
    kinds = {
        History.ORDERS: records,
        History.FILLS: [booked(n, order_id="order-0" if n < 3 else f"order-{n}", market="BTC-USD") for n in range(60)],
        History.FUNDING: [payment(number) for number in range(30)],
        History.TRANSFERS: transfers(),
        History.LIVES: [
            life("ETH-USD", opened_by=None, opened_at=NOW - timedelta(days=5), closed_at=NOW - timedelta(days=2),
                 exit_price=D("990"), is_complete=False, funding=None, side="SHORT"),
            life(opened_by="fill-0"),
        ],
    }  # fmt: skip
    hops = {
        "order-0": (
            hop(NOW - timedelta(seconds=9), "OPEN"),
            hop(NOW, "FILLED", filled=D("0.450"), height=None, source="REST", removal_reason="FULLY_FILLED"),
        )
    }
    return Shelf({**kinds, **{History[name.upper()]: given for name, given in rows.items()}}, hops)


def live(
    shown: Shelf | None = None, *, progress: HistoryProgress = NO_PROGRESS, is_held: bool = False, **changes: Any
) -> FakePort:
    """Return a port over a live account with a past."""
    port = FakePort(now=0.0)
    port.history = FakeDesk(shelf() if shown is None else shown, progress, is_held)
    port.show(picture(**changes))
    return port
