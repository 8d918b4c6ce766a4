"""docs/pnl.md says what the console reckons: every example is reckoned from its own text, and by the console."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from builders import D, at_height, child, fill, position
from state.test_margin_docs import as_written, reckoned, written

from dydx_console.domain.events import AccountRead, FillsRead, FundingRead, MarketsRead
from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import FundingPayment
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import Market
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.reconcile import Why
from dydx_console.state.snapshot import snapshot_of
from dydx_console.state.venue_books import by_order, trade_lines, venue_rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pnl.md"
KEY = PositionKey(0, "BTC-USD")
ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"
SIDES = {"LONG": "of the long position", "SHORT": "of the short position"}


def examples() -> list[tuple[str, str, str]]:
    """Return name, reckoning and result of every example; where nothing is reckoned, the result is the reckoning."""
    blocks = re.findall(r"```text\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    found = [[part.strip() for part in line.split(" = ")] for block in blocks for line in block.splitlines()]
    return [(parts[0], parts[1], parts[-1]) for parts in found]


def fills_of_the_table() -> tuple[Fill, ...]:
    cells = r"^\| ([a-z]) \| (buy|sell) \| (\d+) \| (\d+) \| ([−\d.]+) \| ([\d.]*) ?\|"
    rows = re.findall(cells, PAGE.read_text("utf-8"), re.MULTILINE)
    return tuple(
        fill(
            name,
            side.upper(),
            size,
            price,
            place + 1,
            fee=written(fee),
            builder_fee=written(extra or "0"),
            order_id=name,
        )
        for place, (name, side, size, price, fee, extra) in enumerate(rows)
    )


def payment(amount: str, height: int, size: str) -> FundingPayment:
    return FundingPayment(0, "BTC-USD", D(amount), D(0), D(size), D(110), at_height(height), height)


@pytest.fixture(scope="module")
def state() -> ConsoleState:
    market = Market("BTC-USD", oracle_price=D(112), next_funding_rate=D("0.0001"))
    account = ConsoleState(Watched(ADDRESS))
    for event in (
        MarketsRead((market,), 1.0),
        AccountRead(ADDRESS, 0, None, True, (child(position("-1"), height=6),), 0, 1.0, 1.0),
        FillsRead(ADDRESS, fills_of_the_table(), True, 1.0, 0),
        FundingRead(ADDRESS, (payment("-0.40", 3, "2"), payment("0.15", 5, "-2")), 1.0, 1.0),
    ):
        account.apply(event)
    return account


@pytest.fixture(scope="module")
def figures(state: ConsoleState) -> dict[str, Decimal | None]:
    """What the console reckons, by the names of the page."""
    done = {booking.fill.id: booking for booking in state.bookings(KEY)}
    (pnl,) = snapshot_of(state, 1.0, 1).pnl.by_market
    told: dict[str, Decimal | None] = {
        "realized": pnl.realized,
        "fees": pnl.fees,
        "funding": pnl.funding,
        "unrealized": pnl.unrealized,
        "net": pnl.net,
        "estimate at 0.0001 an hour": pnl.funding_estimate,
        "fees of e in the long position": done["e"].closed_fees,
        "fees of e in the short position": done["e"].fill.paid - done["e"].closed_fees,
    }
    told |= {f"average cost after {name}": booking.average_cost for name, booking in done.items()}
    told |= {f"realized by {name}": booking.closed_pnl for name, booking in done.items()}
    return told | of_lives(state) | by_the_indexer(state)


def of_lives(state: ConsoleState) -> dict[str, Decimal | None]:
    told: dict[str, Decimal | None] = {}
    for life in state.lives(KEY):
        which = SIDES[life.side]
        told |= {f"entry price {which}": life.entry_price, f"exit price {which}": life.exit_price}
        told |= {f"realized {which}": life.realized, f"fees {which}": life.fees, f"net {which}": life.net}
    return told


def by_the_indexer(state: ConsoleState) -> dict[str, Decimal | None]:
    told: dict[str, Decimal | None] = {}
    for row in venue_rows(state.bookings(KEY)):
        which = SIDES["LONG" if row.is_long else "SHORT"]
        told[f"entry price by the Indexer {which}"] = row.entry_price
        told[f"realized by the Indexer {which}"] = row.realized
    for line in trade_lines(state.fills.of(KEY), by_order):
        if line.life == 0:
            told["realized by the trade history of the long position"] = line.net_realized
            told["fees by the trade history of the long position"] = line.net_fee
    return told


@pytest.mark.parametrize(("name", "reckoning", "result"), examples())
def test_an_example_comes_to_what_it_says(
    figures: dict[str, Decimal | None], name: str, reckoning: str, result: str
) -> None:
    assert as_written(reckoned(reckoning), result) == written(result)
    ours = figures[name]
    assert ours is not None
    assert as_written(ours, result) == written(result)


def test_the_page_reckons_every_kind_of_figure() -> None:
    assert len(fills_of_the_table()) == 6
    assert len(examples()) >= 27


def test_every_reason_is_documented() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)) == set(Why)
    assert all(why.text for why in Why)
