"""Funding: payments by REST, and what the stream has moved since, never counted twice."""

import random
from decimal import Decimal

import pytest
from builders import at_height, child, position, version
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.flows import FundingPayment
from dydx_console.domain.ids import PositionKey
from dydx_console.state.funding import Funding

D = Decimal
KEY = PositionKey(0, "BTC-USD")


def payment(amount: str, height: int, market: str = "BTC-USD", subaccount: int = 0) -> FundingPayment:
    return FundingPayment(subaccount, market, D(amount), D(0), D(1), D(100), at_height(height), height)


def row(figure: str | None, position_id: str = "a", status: str = "OPEN", height: int | None = None):  # type: ignore[no-untyped-def]
    net = None if figure is None else D(figure)
    return position("1", position_id=position_id, status=status, net_funding=net, height=height)


def reread(figure: str, height: int = 10, opened: int | None = 1):  # type: ignore[no-untyped-def]
    return child(position("1", net_funding=D(figure), opened_at_height=opened), height=height, read_at=height)


def test_unknown_until_payments_are_read() -> None:
    funding = Funding()
    funding.take_rows([row("3")], version(1))
    assert (funding.total(KEY), funding.is_known) == (None, False)
    funding.take_payments([])
    assert funding.is_known
    assert funding.total(PositionKey(0, "ETH-USD")) == 0


def test_payments_are_summed_and_known_once() -> None:
    funding = Funding()
    funding.take_payments([payment("1", 5), payment("-3", 9)])
    funding.take_payments([payment("-3", 9), payment("0.5", 12)])
    assert funding.total(KEY) == D("-1.5")
    assert [p.height for p in funding.payments] == [12, 9, 5]
    assert funding.keys() == {KEY}


def test_the_stream_moves_from_the_rest_figure_of_the_re_read() -> None:
    """Settled and unsettled by REST: 15, of which payments tell; the stream then settles 17."""
    funding = Funding()
    funding.rebase(reread("15"), None)
    funding.take_payments([payment("10", 5), payment("5", 9)])
    assert funding.total(KEY) == D(15)
    funding.take_rows([row("15")], version(3))
    assert funding.total(KEY) == D(15)
    funding.take_rows([row("17")], version(5))
    funding.take_rows([row("16")], version(4))
    assert funding.total(KEY) == D(17)


def test_a_position_opened_later_starts_at_nothing_and_a_closed_one_keeps_its_last_figure() -> None:
    funding = Funding()
    funding.rebase(child(height=10, read_at=10), None)
    funding.take_payments([])
    funding.take_rows([row("2")], version(1))
    funding.take_rows([row("3", status="CLOSED"), row("0", "b")], version(2))
    funding.take_rows([row("-1", "b")], version(3))
    funding.take_rows([row(None, "b")], version(4))
    assert funding.total(KEY) == D(2)


def test_a_new_list_replaces_what_had_moved() -> None:
    funding = Funding()
    funding.rebase(reread("0"), None)
    funding.take_payments([])
    funding.take_rows([row("4")], version(2))
    assert funding.total(KEY) == D(4)
    funding.rebase(reread("4", height=20), None)
    assert funding.total(KEY) == D(4)
    funding.take_payments([payment("4", 15)])
    assert funding.total(KEY) == D(4)


def test_a_payment_between_the_two_reads_is_not_counted_again_when_it_is_settled() -> None:
    funding = Funding()
    funding.rebase(reread("1", height=10), None)
    funding.take_payments([payment("1", 9), payment("7", 11)])
    assert funding.total(KEY) == D(8)
    funding.take_rows([row("8")], version(3))
    assert funding.total(KEY) == D(8)


def test_a_re_read_of_the_account_alone_loses_nothing() -> None:
    funding = Funding()
    funding.rebase(reread("0"), None)
    funding.take_payments([])
    funding.take_rows([row("2", status="CLOSED"), row("1", "b")], version(2))
    funding.rebase(reread("1.5", height=20), None)
    assert funding.total(KEY) == D("3.5")
    funding.rebase(reread("2", height=30), None)
    assert funding.total(KEY) == D(4)
    funding.rebase(reread("0.25", height=40, opened=35), None)
    assert funding.total(KEY) == D("4.25")
    funding.rebase(child(height=50, read_at=50), None)
    assert funding.total(KEY) == D("4.25")
    assert funding.keys() == {KEY}


def test_a_position_that_closed_unseen_keeps_what_the_stream_had_told() -> None:
    funding = Funding()
    funding.rebase(reread("1"), None)
    funding.take_payments([payment("1", 9)])
    funding.take_rows([row("3")], version(2))
    funding.rebase(child(height=20, read_at=20), None)
    assert funding.total(KEY) == D(3)


def test_rows_after_a_snapshot_or_of_later_blocks_stay() -> None:
    funding = Funding()
    funding.take_payments([])
    funding.take_rows([row("5", height=30)], version(9))
    funding.rebase(reread("1"), version(4))
    assert funding.total(KEY) == D(5)
    funding.rebase(reread("1"), None)
    assert funding.total(KEY) == D(5)
    funding.rebase(reread("5", height=30), version(12))
    assert funding.total(KEY) == D(5)


def test_payments_of_one_subaccount_say_nothing_of_another() -> None:
    funding = Funding()
    other = PositionKey(128, "BTC-USD")
    funding.take_payments([])
    for number in (0, 128):
        funding.rebase(child(position("1", subaccount=number), number=number, read_at=1), None)
        funding.rebase(child(position("1", subaccount=number, net_funding=D(2)), number=number, read_at=2), None)
    funding.take_payments([payment("2", 2)], 0)
    assert (funding.total(KEY), funding.total(other)) == (D(2), D(2))
    funding.take_payments([], 128)
    assert funding.total(other) == 0


def test_a_read_without_its_height_covers_all_payments() -> None:
    funding = Funding()
    funding.rebase(child(position("1", net_funding=D(3), opened_at=at_height(1)), height=None), None)
    funding.take_payments([payment("3", 9)])
    funding.take_rows([row("4")], version(1))
    assert funding.total(KEY) == D(4)


@given(st.integers(0, 2**32))
def test_the_total_is_all_settled_funding_whatever_the_order_of_rows(seed: int) -> None:
    """A day of ticks, settlements, closes and re-reads: settled funding, and what a re-read knew to be unsettled."""
    rng = random.Random(seed)
    funding = Funding()
    funding.rebase(child(height=0, read_at=0), None)
    funding.take_payments([])
    settled_before, settled, unsettled, known_unsettled = D(0), D(0), D(0), D(0)
    payments: list[FundingPayment] = []
    life, opened = 0, 1
    pending: list[tuple[str, str, int, int]] = []
    for height in range(1, 30):
        what = rng.random()
        if what < 0.4:
            tick = D(rng.randint(-5, 5))
            unsettled += tick
            payments.append(payment(str(tick), height))
        elif what < 0.8:
            settled, unsettled, known_unsettled = settled + unsettled, D(0), D(0)
            status = rng.choice(["OPEN", "OPEN", "CLOSED"])
            pending.append((str(settled), str(life), height, status == "CLOSED"))
            if status == "CLOSED":
                settled_before, settled, life, opened = settled_before + settled, D(0), life + 1, height
        else:
            rng.shuffle(pending)
            for figure, name, at, closed in pending:
                funding.take_rows([row(figure, name, "CLOSED" if closed else "OPEN", at)], version(at))
            pending.clear()
            funding.rebase(
                child(
                    position("1", net_funding=settled + unsettled, opened_at_height=opened),
                    height=height,
                    read_at=height,
                ),
                None,
            )
            if rng.random() < 0.7:
                funding.take_payments(payments)
            known_unsettled = unsettled
            assert funding.total(KEY) == settled_before + settled + unsettled
    rng.shuffle(pending)
    for figure, name, at, closed in pending:
        funding.take_rows([row(figure, name, "CLOSED" if closed else "OPEN", at)], version(at))
    assert funding.total(KEY) == settled_before + settled + known_unsettled


@pytest.mark.parametrize("known", [True, False])
def test_a_first_read_of_the_account_moves_nothing_by_itself(known: bool) -> None:
    funding = Funding()
    if known:
        funding.take_payments([])
    funding.rebase(reread("0"), None)
    funding.take_payments([])
    assert funding.total(KEY) == 0
