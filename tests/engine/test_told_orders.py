"""What a connection told of orders, held against what REST lists: what is a loss, and what proves nothing."""

from dydx_console.domain.order import OrderPatch
from dydx_console.venue.indexer.told import ToldOrders

HEIGHT = 100


def short_term(order_id: str, status: str, good_til_block: int = 120) -> OrderPatch:
    return OrderPatch(id=order_id, status=status, flags="0", good_til_block=good_til_block)


def stateful(order_id: str, status: str) -> OrderPatch:
    return OrderPatch(id=order_id, status=status, flags="64")


def doubted(told: ToldOrders, *listed: OrderPatch) -> frozenset[str]:
    """Return what is unlike a listing that was asked for now."""
    return told.unlike(listed, told.working(HEIGHT), HEIGHT)


def test_an_order_that_is_listed_and_was_never_told_is_a_loss() -> None:
    told = ToldOrders()
    told.begin([stateful("a", "OPEN")])
    assert doubted(told, stateful("a", "OPEN"), stateful("b", "OPEN")) == {"b"}
    told.take([stateful("b", "CANCELED")])
    assert doubted(told, stateful("a", "OPEN"), stateful("b", "OPEN")) == set()


def test_a_stateful_order_that_was_told_to_work_and_is_not_listed_is_a_loss() -> None:
    told = ToldOrders()
    told.begin([stateful("a", "OPEN"), stateful("b", "UNTRIGGERED")])
    assert doubted(told, stateful("a", "OPEN")) == {"b"}


def test_a_short_term_order_that_is_not_listed_proves_nothing_where_none_ever_is() -> None:
    told = ToldOrders()
    told.begin([stateful("a", "OPEN")])
    told.take([short_term("s", "BEST_EFFORT_OPENED"), short_term("p", "OPEN")])
    assert doubted(told, stateful("a", "OPEN")) == {"p"}
    assert doubted(told, stateful("a", "OPEN"), short_term("o", "BEST_EFFORT_OPENED")) == {"p", "s", "o"}
    assert doubted(told, stateful("a", "OPEN")) == {"p", "s"}


def test_first_contents_tell_as_well_whether_short_term_orders_are_listed() -> None:
    told = ToldOrders()
    told.begin([short_term("s", "BEST_EFFORT_OPENED")])
    assert doubted(told) == {"s"}
    assert told.unlike([], told.working(120), 120) == set()


def test_an_end_that_was_read_is_no_loss_any_more_unless_it_is_of_an_older_life() -> None:
    told = ToldOrders()
    told.begin([short_term("a", "BEST_EFFORT_OPENED"), short_term("b", "BEST_EFFORT_OPENED", 140)])
    told.end([short_term("a", "FILLED"), short_term("b", "FILLED"), short_term("c", "FILLED")])
    assert doubted(told) == {"b"}
    told.take([short_term("d", "OPEN")])
    told.end([short_term("d", "OPEN", 150)])
    assert told.working(120) == {"b"}
