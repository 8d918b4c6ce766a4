"""An order book is completed by REST: what changes between its contents and its registration comes no other way."""

from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from builders import at_height
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain import events as ev
from dydx_console.domain.events import BOOK_CHANNEL, ChannelKey
from dydx_console.domain.ids import StreamVersion
from dydx_console.domain.tape import Level
from dydx_console.state.ages import PictureState
from dydx_console.state.books import MOST_LISTED, Books
from dydx_console.state.console import ConsoleState

D = Decimal
BTC = "BTC-USD"
KEY = ChannelKey(BOOK_CHANNEL, BTC)
Sides = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]


def listed(side: dict[Decimal, Decimal]) -> tuple[Level, ...]:
    return tuple(side.items())


@dataclass
class Question:
    """A read on its way: what it will tell once it is served, in the end."""

    asked_at: float
    answer: Sides | None = None


@dataclass
class Wire:
    """A venue with one book, one connection to it, and reads that overtake everything."""

    state: ConsoleState = field(default_factory=lambda: ConsoleState(None))
    book: Sides = field(default_factory=lambda: ({}, {}))
    now: float = 1.0
    message_id: int = 0
    reserved: int = 0
    contents: Sides | None = None
    is_registered: bool = False
    underway: list[ev.Frame] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state.apply(ev.ConnectionOpened(1, 0.0))
        self.state.apply(ev.ConnectionReady(1, "c", 0.0))
        self.state.apply(ev.BlockHeight(StreamVersion(1, 0), 1, at_height(1), 0.0))

    def do(self, what: str, number: int) -> None:
        """Take one step; what makes no sense now is left out."""
        self.now += 1.0
        getattr(self, what)(number)

    def change(self, number: int) -> None:
        """Have an order come or go."""
        is_ask, place, size = number % 2, number // 2 % 4, number // 8 % 3
        price = D(101 + place if is_ask else 99 - place)
        side = self.book[is_ask]
        side[price] = D(size)
        if not size:
            del side[price]
        if self.is_registered:
            rows = ((price, D(size)),)
            version = self._next()
            update = ev.BookUpdate(version, BTC, () if is_ask else rows, rows if is_ask else ())
            self.underway.append(ev.Frame(1, version.message_id, KEY, (update,), self.now))

    def subscribe(self, _number: int = 0) -> None:
        """Have the venue read what it will send as first contents."""
        if self.contents is None and not self.is_registered:
            self.reserved = self._next().message_id
            self.state.apply(ev.SubscribeSent(1, KEY, False, self.now))
            self.contents = (dict(self.book[0]), dict(self.book[1]))

    def register(self, _number: int = 0) -> None:
        """Have it send them, and tell of changes from now on."""
        if self.contents is not None:
            version, (bids, asks), self.contents = StreamVersion(1, self.reserved), self.contents, None
            facts = (ev.Subscribed(version, KEY, self.now), ev.BookSnapshot(version, BTC, listed(bids), listed(asks)))
            self.underway.append(ev.Frame(1, self.reserved, KEY, facts, self.now))
            self.is_registered = True

    def leave(self, _number: int) -> None:
        """End the subscription."""
        self.is_registered = False

    def deliver(self, _number: int = 0) -> None:
        """Have the oldest message arrive."""
        if self.underway:
            frame = self.underway.pop(0)
            facts = tuple(
                ev.Subscribed(fact.version, fact.key, self.now) if isinstance(fact, ev.Subscribed) else fact
                for fact in frame.facts
            )
            self.state.apply(ev.Frame(1, frame.message_id, KEY, facts, self.now))

    def ask(self, _number: int = 0) -> None:
        """Send a read."""
        self.questions.append(Question(self.now))

    def serve(self, number: int = 0) -> None:
        """Have the venue answer one of those that wait."""
        waiting = [question for question in self.questions if question.answer is None]
        if waiting:
            waiting[number % len(waiting)].answer = (dict(self.book[0]), dict(self.book[1]))

    def answer(self, number: int = 0) -> None:
        """Have one of the answers arrive."""
        served = [question for question in self.questions if question.answer is not None]
        if served:
            question = served[number % len(served)]
            self.questions.remove(question)
            assert question.answer is not None
            bids, asks = question.answer
            self.state.apply(ev.BookRead(BTC, listed(bids), listed(asks), self.now, question.asked_at))

    def _next(self) -> StreamVersion:
        self.message_id += 1
        return StreamVersion(1, self.message_id)

    @property
    def picture(self) -> PictureState:
        """What is said of the book, as of the block's time."""
        view = self.state.freshness.channel(KEY, 0.0)
        assert view is not None
        return view.state

    @property
    def held(self) -> Sides:
        """The book that is shown."""
        view = self.state.books.view(BTC)
        return dict(view.bids), dict(view.asks)


STEPS = ("change", "change", "change", "subscribe", "register", "leave", "deliver", "ask", "serve", "answer")


@given(
    st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 23)), max_size=60),
    st.lists(st.integers(0, 23), max_size=5),
    st.lists(st.sampled_from(("change", "deliver", "ask", "serve", "answer")), max_size=20),
)
def test_however_changes_contents_and_answers_fall_the_book_is_the_venues_in_the_end(
    steps: list[tuple[str, int]], unheard: list[int], last: list[str]
) -> None:
    wire = Wire()
    for what, number in steps:
        wire.do(what, number)
    for what, numbers in (("leave", [0]), ("subscribe", [0]), ("change", unheard), ("register", [0])):
        for number in numbers:
            wire.do(what, number)
    while any(isinstance(fact, ev.Subscribed) for frame in wire.underway for fact in frame.facts):
        wire.do("deliver", 0)
    wire.do("ask", 0)
    for place, what in enumerate(last):
        wire.do(what, place)
    while any(question.answer is None for question in wire.questions):
        wire.do("serve", 0)
    while wire.questions or wire.underway:
        wire.do("answer", 0)
        wire.do("deliver", 0)
    assert wire.held == wire.book
    assert wire.picture is PictureState.LIVE


@pytest.mark.parametrize(
    ("steps", "want"),
    [
        (["subscribe", "register", "deliver"], PictureState.SYNCING),
        (["ask", "subscribe", "register", "deliver", "serve", "answer"], PictureState.SYNCING),
        (["subscribe", "register", "deliver", "ask", "serve", "answer"], PictureState.LIVE),
        (
            ["subscribe", "register", "deliver", "ask", "serve", "answer", "leave", "subscribe", "register", "deliver"],
            PictureState.SYNCING,
        ),
    ],
    ids=["unread", "asked too early", "read", "joined anew"],
)
def test_a_book_syncs_until_it_is_read_after_its_newest_contents(steps: list[str], want: PictureState) -> None:
    wire = Wire()
    for what in steps:
        wire.do(what, 0)
    assert wire.picture is want


def test_a_level_that_changed_unheard_is_as_rest_says_and_one_that_was_heard_of_stays() -> None:
    books, told = Books(), StreamVersion(1, 9)
    books.take_snapshot(BTC, ((D(99), D(1)), (D(98), D(1)), (D(97), D(1))), (), StreamVersion(1, 5))
    books.take_levels(BTC, ((D(98), D(7)), (D(96), D(0))), (), told)
    books.take_read(BTC, ((D(99), D(2)), (D(98), D(1)), (D(96), D(1)), (D(95), D(3))), (), 10.0)
    assert books.view(BTC).bids == ((D(99), D(2)), (D(98), D(7)), (D(95), D(3)))
    books.take_read(BTC, ((D(1), D(1)),), (), 9.0)
    assert books.view(BTC).bids[0] == (D(99), D(2)), "an older answer takes nothing back"


@pytest.mark.parametrize(("count", "is_kept"), [(MOST_LISTED, True), (MOST_LISTED - 1, False)])
def test_a_full_list_says_nothing_of_what_lies_beyond_it(count: int, is_kept: bool) -> None:
    books = Books()
    first = D(1000)
    asks = tuple((first + place, D(1)) for place in range(count))
    beyond = (first + 5000, D(4))
    books.take_snapshot(BTC, (), (*asks, beyond), StreamVersion(1, 5))
    books.take_read(BTC, (), asks[1:] if not is_kept else (*asks[1:], (first + count, D(1))), 10.0)
    held = dict(books.view(BTC).asks)
    assert first not in held
    assert (beyond[0] in held) is is_kept


def test_an_answer_for_a_book_that_nobody_follows_changes_nothing() -> None:
    state = ConsoleState(None)
    assert state.apply(ev.BookRead(BTC, ((D(1), D(1)),), (), 1.0, 0.5)).sections == set()
    assert BTC not in state.books
