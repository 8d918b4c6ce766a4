"""The paint scheduler."""

from dataclasses import dataclass, field

from dydx_console.tui.frames import MOST_BACKLOG, SHARE, SLOWEST_S, TICK_S, Frames


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Painter:
    clock: Clock
    cost_s: float = 0.0
    is_on_screen: bool = True
    wake_s: float | None = None
    painted: list[tuple[float, bool]] = field(default_factory=list)

    def paint(self, now: float, *, is_dirty: bool) -> float | None:
        self.painted.append((now, is_dirty))
        self.clock.now += self.cost_s
        return None if self.wake_s is None else now + self.wake_s


def run(frames: Frames, clock: Clock, seconds: float) -> None:
    end = clock.now + seconds
    while clock.now < end:
        frames.tick()
        clock.now += TICK_S


def test_a_pane_is_painted_at_its_rate_however_often_it_changes() -> None:
    clock = Clock()
    frames, pane = Frames(clock, lambda: 0), Painter(clock)
    frames.add("pane", pane, 10.0, ("orders",))
    for _ in range(80):
        frames.mark({"orders"})
        frames.tick()
        clock.now += TICK_S
    assert 18 <= len(pane.painted) <= 21


def test_a_change_after_a_quiet_time_is_painted_at_the_next_tick() -> None:
    clock = Clock()
    frames, pane = Frames(clock, lambda: 0), Painter(clock)
    frames.add("pane", pane, 4.0, ("orders",))
    run(frames, clock, 0.5)
    pane.painted.clear()
    frames.mark({"fills"})
    frames.tick()
    assert not pane.painted
    frames.mark({"orders"})
    frames.tick()
    assert [dirty for _, dirty in pane.painted] == [True]


def test_ages_are_painted_once_a_second_for_all_together() -> None:
    clock = Clock()
    frames = Frames(clock, lambda: 0)
    panes = [Painter(clock) for _ in range(3)]
    for number, pane in enumerate(panes):
        frames.add(str(number), pane, 10.0, ())
    frames.tick()
    for pane in panes:
        pane.painted.clear()
    run(frames, clock, 3.01)
    for pane in panes:
        assert [dirty for _, dirty in pane.painted] == [False] * 3
    assert len({tuple(at for at, _ in pane.painted) for pane in panes}) == 1


def test_nothing_is_painted_while_the_terminal_is_behind_and_nothing_is_forgotten() -> None:
    clock, backlog = Clock(), [MOST_BACKLOG + 1]
    frames, pane = Frames(clock, lambda: backlog[0]), Painter(clock)
    frames.add("pane", pane, 10.0, ("orders",))
    run(frames, clock, 8.0)
    assert not pane.painted
    assert frames.stats.skipped == frames.stats.ticks
    backlog[0] = 0
    frames.tick()
    assert [dirty for _, dirty in pane.painted] == [True]


def test_the_budget_spreads_panes_over_ticks_and_each_has_its_turn() -> None:
    clock = Clock()
    frames = Frames(clock, lambda: 0)
    panes = [Painter(clock, cost_s=0.005) for _ in range(4)]
    for number, pane in enumerate(panes):
        frames.add(str(number), pane, 40.0, ("orders",))
    frames.tick()
    assert sum(len(pane.painted) for pane in panes) == 1
    for _ in range(60):
        frames.mark({"orders"})
        clock.now += TICK_S
        frames.tick()
    assert min(len(pane.painted) for pane in panes) >= 1


def test_a_dear_pane_takes_a_tenth_of_the_time_and_recovers() -> None:
    clock = Clock()
    frames, pane = Frames(clock, lambda: 0), Painter(clock)
    frames.add("pane", pane, 40.0, ("orders",))

    def paints(seconds: float) -> int:
        pane.painted.clear()
        end = clock.now + seconds
        while clock.now < end:
            frames.mark({"orders"})
            frames.tick()
            clock.now += TICK_S
        return len(pane.painted)

    assert paints(2.0) >= 78
    for cost_s in (0.006, 0.012, 0.03):
        pane.cost_s = cost_s
        paints(2.0)
        assert 4.0 * SHARE * 0.6 <= paints(4.0) * cost_s <= 4.0 * SHARE * 1.1, cost_s
    pane.cost_s = 0.2
    paints(4.0)
    assert 8 <= paints(4.0) <= 4.0 / SLOWEST_S + 1, "it is never painted less often than that"
    pane.cost_s = 0.0
    paints(3.0)
    assert paints(1.0) >= 38
    assert frames.stats.longest_s >= 0.2


def test_a_pane_is_woken_when_it_asked_for_it() -> None:
    clock = Clock()
    frames, pane = Frames(clock, lambda: 0), Painter(clock, wake_s=0.5)
    frames.add("pane", pane, 40.0, ())
    run(frames, clock, 0.6)
    assert [dirty for _, dirty in pane.painted] == [True, True]


def test_a_pane_that_is_not_shown_is_not_painted_until_it_is() -> None:
    clock = Clock()
    frames, pane = Frames(clock, lambda: 0), Painter(clock, is_on_screen=False)
    frames.add("pane", pane, 10.0, ("orders",))
    run(frames, clock, 2.0)
    assert not pane.painted
    pane.is_on_screen = True
    frames.tick()
    assert [dirty for _, dirty in pane.painted] == [True]
