"""What an earlier run knew, in the state: merged with what the venue says in any order, and never over it."""

from datetime import timedelta
from itertools import permutations

import pytest
from builders import ADDRESS, START, D, at_height, fill, patch, version
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.events import AccountSnapshot, FillsRead, FundingRead, OrdersRead, Recalled, TransfersRead
from dydx_console.domain.flows import FundingPayment, Transfer
from dydx_console.domain.order import display_status
from dydx_console.state.console import ConsoleState, Watched

FILLS = tuple(fill(f"f{number}", height=number + 1, order_id="o") for number in range(6))
PAYMENTS = tuple(
    FundingPayment(0, "BTC-USD", D(number), D(0), D(1), D(1), at_height(number), number) for number in (1, 2, 3)
)
TRANSFERS = tuple(
    Transfer(f"t{number}", "DEPOSIT", D(10), "USDC", "x", None, ADDRESS, 0, at_height(number), number, f"h{number}")
    for number in (1, 2, 3)
)


def recalled(*, fills: int = 4, orders: tuple[str, ...] = ()) -> Recalled:
    placed = tuple((each, place) for place, each in enumerate(FILLS[:fills]))
    held = tuple(patch(name, flags="64", good_til_time=START + timedelta(days=9)) for name in orders)
    return Recalled(ADDRESS, placed, held, TRANSFERS[:2], PAYMENTS[:2], 0.0)


def listing(*ids: str) -> AccountSnapshot:
    orders = tuple(patch(name, flags="64") for name in ids)
    return AccountSnapshot(version(1), ADDRESS, 0, None, True, (), orders, 10)


def known(state: ConsoleState) -> tuple[object, ...]:
    return (
        tuple(state.fills),
        tuple(state.orders),
        state.transfers.newest,
        state.funding.payments,
        [state.funding.total(key) for key in sorted(state.funding.keys())],
    )


def test_it_comes_to_the_same_whenever_it_becomes_known() -> None:
    events = (
        recalled(orders=("o", "gone")),
        listing("o"),
        FillsRead(ADDRESS, FILLS[2:], True, 0.0, 2, 6),
        FundingRead(ADDRESS, PAYMENTS[1:], 0.0, 0.0),
        TransfersRead(ADDRESS, TRANSFERS[1:], 0.0),
    )
    found = []
    for order in permutations(events):
        state = ConsoleState(Watched(ADDRESS))
        for event in order:
            state.apply(event)
        found.append(known(state))
    assert all(each == found[0] for each in found)
    fills, orders, transfers, payments, totals = found[0]
    assert fills == FILLS
    assert {each.id: display_status(each, 10, START) for each in orders} == {"o": "FILLED", "gone": "CANCELLED"}  # type: ignore[attr-defined]
    assert len(transfers) == len(payments) == 3  # type: ignore[arg-type]
    assert totals == [D(6)]


def test_it_does_not_count_as_read() -> None:
    state = ConsoleState(Watched(ADDRESS))
    changes = state.apply(recalled())
    assert changes.new_fills == ()
    assert not state.fills.is_known
    assert not state.funding.is_known
    assert state.coverage.end == 0
    assert state.exists is None


def test_another_account_is_left_alone() -> None:
    state = ConsoleState(Watched("dydx1other"))
    assert state.apply(recalled()).sections == set()
    assert len(state.fills) == 0


@given(st.integers(0, 6), st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6)), max_size=6))
def test_unwritten_names_every_fill_once_per_piece_of_news(begin: int, reads: list[tuple[int, int]]) -> None:
    state = ConsoleState(Watched(ADDRESS))
    state.apply(recalled(fills=begin))
    unwritten = state.note_unwritten()
    seen = set(range(begin))
    for first, count in reads:
        rows = FILLS[first : first + count]
        state.apply(FillsRead(ADDRESS, rows, True, 0.0, first, 6))
        fresh = set(range(first, first + len(rows))) - seen
        assert unwritten.taken().fills == {f"f{number}" for number in fresh}
        seen |= fresh


@pytest.mark.parametrize("source", ["STREAM", "REST"])
def test_an_order_that_the_venue_tells_of_again_goes_on(source: str) -> None:
    state = ConsoleState(Watched(ADDRESS))
    state.apply(recalled(orders=("o",)))
    if source == "STREAM":
        state.apply(listing("o"))
    else:
        state.apply(listing())
        state.apply(OrdersRead(ADDRESS, (patch("o", flags="64"),), 1, 0.0, 0.0))
    order = state.orders.get("o")
    assert order is not None
    assert order.status == "OPEN"
