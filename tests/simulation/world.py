"""The joined world: our protocol, supervisor and reducers on one side, the simulated venue on the other, no socket.

Everything that is left to chance hangs on one seed, and all time is the loop's, so a run is told exactly by its seed.
"""

import asyncio
import hashlib
import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from dydx_console.domain import events as ev
from dydx_console.domain.chain import BlockHead
from dydx_console.domain.events import ChannelKey
from dydx_console.domain.stream import StreamCondition
from dydx_console.engine.watching import ChainWatch, KnownLosses
from dydx_console.sim.faults.director import Note
from dydx_console.sim.faults.kinds import Kind
from dydx_console.sim.faults.schedules import RECOVERABLE, FaultPlan, Schedule
from dydx_console.sim.indexer.session import Session
from dydx_console.sim.venue import Venue, VenueOptions
from dydx_console.state.ages import LIVE_S, PictureState
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.venue.indexer.channels import MOST_ON_CONNECTION, parent_key
from dydx_console.venue.indexer.feed import FeedLimits, FeedPlan, IndexerFeed
from dydx_console.venue.indexer.rest import IndexerRest
from tests.simulation.memory import Line, MemoryTransport, Ways
from tests.simulation.truth import Holding, differences, held_by, held_by_chain
from tests.virtual_time import run_virtually

MIDNIGHT_MS = 1_767_225_600_000
HOUR_S = 3_600
SAMPLE_S = 0.2
RECOVERY_S = 150.0
"""After the faults the picture is live again within this."""
BETWEEN_S = 0.5
"""So long after a block nothing is on its way any more."""
MOST_ATTEMPTS = 15
MOST_REQUESTS = 100
"""A window of the venue's allows so many, of one kind of several."""
PONG_S = 10.0
LIE_S = 15.0
"""A loss that no message number shows is found out within this."""
SILENT_S = 12.0
"""A stream that keeps silent about the account, or has lost what became of an order, is found out within this."""
SHOWS_S = 7.0
"""A lost message shows within this, so that what has been live for as long is."""
EXTRA = tuple(
    ChannelKey(channel, market)
    for market in ("BTC-USD", "ETH-USD", "SOL-USD")
    for channel in ("v4_orderbook", "v4_trades")
)


class WorldClock:
    """Our clocks: the loop's seconds, and a wall clock that is `ahead_s` wrong."""

    def __init__(self, line: Line, ahead_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._line = line
        self._ahead_s = ahead_s

    def monotonic(self) -> float:
        """Return the loop's seconds."""
        return self._loop.time()

    def utc(self) -> datetime:
        """Return the wall clock."""
        return datetime.fromtimestamp(self._line.now_ms / 1000, UTC) + timedelta(seconds=self._ahead_s)


class Digest:
    """Hears the wire and sums up all of it: equal runs have equal sums."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()

    def add(self, *what: object) -> None:
        """Add something that happened."""
        self._sum.update(repr(what).encode())

    def opened(self, connection: int, url: str, at: float) -> None:
        """A socket was opened."""
        self.add("opened", connection, url, at)

    def closed(self, connection: int, code: int | None, reason: str, at: float) -> None:
        """A socket ended."""
        self.add("closed", connection, code, reason, at)

    def sent(self, connection: int, text: str, at: float) -> None:
        """A text was sent."""
        self.add("sent", connection, text, at)

    def received(self, connection: int, text: str, at: float) -> None:
        """A text was received."""
        self.add("received", connection, text, at)

    def exchanged(self, path: str, status: int, body: str, at: float, took_ms: float) -> None:
        """A GET was answered."""
        self.add("exchanged", path, status, body, at, took_ms)

    def __str__(self) -> str:
        return self._sum.hexdigest()


@dataclass(frozen=True)
class Chances:
    """What a seed makes of a run. `until_hour_s` is how long after the start an hour is full, which settles funding."""

    seed: int
    plan: FaultPlan
    faults_s: float
    has_node: bool
    until_hour_s: float
    ahead_s: float
    most: dict[str, int]
    gap_ms: tuple[int, int]

    @classmethod
    def of(cls, seed: int) -> "Chances":
        """Return what a seed stands for."""
        rng = random.Random(f"chances {seed}")
        kinds = list(RECOVERABLE)
        rng.shuffle(kinds)
        faults_s = rng.uniform(20.0, 60.0)
        schedule = Schedule(
            tuple(kinds[: rng.choice((2, 4, 8, len(kinds)))]), every_ms=rng.choice((1_500, 3_000, 6_000))
        )
        return cls(
            seed,
            FaultPlan(schedule, None, int(faults_s * 1000)),
            faults_s,
            has_node=rng.random() < 0.5,
            until_hour_s=rng.uniform(5.0, 60.0) if rng.random() < 0.1 else HOUR_S / 2,
            ahead_s=rng.uniform(-5.0, 5.0),
            most=MOST_ON_CONNECTION | ({"v4_orderbook": 1} if rng.random() < 0.3 else {}),
            gap_ms=rng.choice(((0, 0), (15, 60), (15, 60))),
        )


@dataclass
class Outcome:
    """What a run has shown. `complaints` is empty where all that is promised was kept."""

    seed: int
    complaints: list[str] = field(default_factory=list)
    digest: str = ""
    recovery_s: float = 0.0
    length_s: float = 0.0
    attempts: int = 0
    most_attempts: int = 0
    requests: int = 0
    most_requests: int = 0
    worst_pong_s: float = 0.0
    worst_live_age_s: float = 0.0
    worst_lie_s: float = 0.0
    story: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Return the figures by name."""
        return {
            "seconds to recover": self.recovery_s,
            "attempts to connect in 10 s": self.most_attempts,
            "attempts to connect a minute": 60 * self.attempts / max(self.length_s, 1.0),
            "requests in 10 s": self.most_requests,
            "requests a minute": 60 * self.requests / max(self.length_s, 1.0),
            "seconds to a pong": self.worst_pong_s,
            "seconds of age while live": self.worst_live_age_s,
            "seconds live and not so": self.worst_lie_s,
        }


class World:
    """One run. Must be made inside the loop."""

    limits = FeedLimits()

    def __init__(self, chances: Chances) -> None:
        self.chances = chances
        self.outcome = Outcome(chances.seed)
        self._loop = asyncio.get_running_loop()
        start_ms = MIDNIGHT_MS + int((HOUR_S - chances.until_hour_s) * 1000)
        options = VenueOptions(
            seed=chances.seed,
            history_hours=0,
            rate=0,
            registration_delay_ms=chances.gap_ms,
            fault_plan=chances.plan,
        )
        self.venue = Venue(options, start_ms)
        self.line = Line(self.venue, start_ms, random.Random(f"ways {chances.seed}"), Ways())
        self.clock = WorldClock(self.line, chances.ahead_s)
        self.digest = Digest()
        self.state = ConsoleState(Watched(options.account, 0))
        self.key = parent_key(options.account, 0)
        self._account = (self.key.channel, self.key.id)
        self.told: list[ev.StreamChanged] = []
        self._wanted: tuple[ChannelKey, ...] = ()
        self._wishes = random.Random(f"wishes {chances.seed}")
        rng = random.Random(f"client {chances.seed}")
        self.rest = IndexerRest(
            "http://venue.test",
            self.clock,
            self.digest,
            rng,
            "test/1",
            sink=self.take,
            transport=MemoryTransport(self.line),
        )
        self.feed = IndexerFeed(
            FeedPlan(
                "ws://venue.test/v4/ws",
                options.account,
                0,
                self._some(),
                limits=self.limits,
                most_on_connection=chances.most,
            ),
            self.rest,
            self.take,
            clock=self.clock,
            tap=self.digest,
            rng=rng,
            log=self._log,
            losses=KnownLosses(self.state.freshness, self.clock),
            connect=self.line.connect,
        )
        self._watch = ChainWatch(self.state.freshness, self.take, self.clock)
        self._chain: list[tuple[float, tuple[Holding, ...]]] = []
        """Since when the chain has held what, the newest last."""
        self._height = 0
        self._lying_since: float | None = None
        self._block_s: dict[int, float] = {}
        self._deaf: list[Session] = []
        self.venue.director.told = self._noted

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return self._loop.time()

    def take(self, event: ev.Event) -> None:
        """Apply an event."""
        if isinstance(event, ev.Frame):
            for fact in event.facts:
                if isinstance(fact, ev.BlockHeight):
                    self._block_s[event.connection] = fact.time.timestamp()
        else:
            self.digest.add(event)
            if isinstance(event, ev.StreamChanged):
                self.told.append(event)
                self._log(f"told: {event.what}: {event.text}")
        self.state.apply(event)

    async def run(self) -> Outcome:
        """Live through the faults and what comes after; returns what was seen."""
        self.line.turn()
        tasks = [asyncio.create_task(work) for work in (self.feed.run(), self._watch.run(), self._wish(), self._node())]
        try:
            await self.live()
        finally:
            for task in tasks:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            await self.rest.close()
            self.line.stop()
        errors = [repr(error) for error in done if error and not isinstance(error, asyncio.CancelledError)]
        self.outcome.complaints += errors
        self._judge_told()
        self._sum_up()
        return self.outcome

    async def live(self) -> None:
        """Go through the faults, what comes after, and the comparison."""
        while not self.venue.faults_over or self.now < self.chances.faults_s:
            await self._sampled()
        if not await self._is_well_again():
            self.outcome.complaints.append(f"not live {RECOVERY_S:g} s after the faults: {self._words()}")
            return
        if self.chances.until_hour_s < HOUR_S / 2:
            await self._pass(90.0)  # the hour's funding is read late, and again where that failed
        self.stop_trading()
        await self._pass(SILENT_S)
        settled_at = self.now
        await self._between_blocks()
        while not self._is_well() and self.now < settled_at + RECOVERY_S:
            await self._between_blocks()
        if not self._is_well():
            self.outcome.complaints.append(f"not live after a while in health: {self._words()}")
        found = self._differences()
        self.outcome.complaints += [f"{name}: held and not so, so and not held: {what}" for name, what in found.items()]

    def stop_trading(self) -> None:
        """Have nobody at the venue act any more; blocks go on."""
        self.venue.options = replace(self.venue.options, trader=False, makers=False)

    async def _is_well_again(self) -> bool:
        """Wait until the picture is live, and has been for as long as a loss may take to show."""
        over_at = well_since = self.now
        while self.now < well_since + SHOWS_S:
            await self._sampled()
            if not self._is_well():
                well_since = self.now
            if well_since > over_at + RECOVERY_S:
                return False
        self.outcome.recovery_s = well_since - over_at
        return True

    async def _between_blocks(self) -> None:
        """Wait until nothing is on its way."""
        next_s = (self.venue.exchange.next_block_ms - self.line.now_ms) / 1000
        await asyncio.sleep(next_s + BETWEEN_S)

    def _differences(self) -> dict[str, object]:
        return differences(self.venue, self.state, self.line.now_ms, self._books())

    async def _pass(self, for_s: float) -> None:
        until = self.now + for_s
        while self.now < until:
            await self._sampled()

    async def _sampled(self) -> None:
        await asyncio.sleep(SAMPLE_S)
        self._note_chain()
        view = self.state.freshness.channel(self.key, self.now)
        is_live = view is not None and view.state is PictureState.LIVE
        if not is_live:
            self._lying_since = None
            return
        self._judge_age()
        self._judge_holdings()

    def _judge_age(self) -> None:
        """What is called live rests on a block that is as young as that asks."""
        freshness, outcome = self.state.freshness, self.outcome
        block_s = self._block_s.get(freshness.newest_connection)
        age_s = float("inf") if block_s is None else self.line.now_ms / 1000 - block_s
        outcome.worst_live_age_s = max(outcome.worst_live_age_s, age_s)
        most_s = LIVE_S + self.line.counted.worst_time_error_s + 0.1
        if age_s > most_s:
            self._complain(f"called live at an age of {age_s:.1f} s (up to {most_s:.1f} s)")

    def _judge_holdings(self) -> None:
        """What is called live was so within the last seconds."""
        most_s = self.state.freshness.live_limit_s + 2.0
        held = held_by(self.state)
        ends = [*(since for since, _ in self._chain[1:]), self.now]
        if any(held == was and end >= self.now - most_s for (_, was), end in zip(self._chain, ends, strict=True)):
            self._lying_since = None
            return
        if self._lying_since is None:
            self._lying_since = self.now
        self.outcome.worst_lie_s = max(self.outcome.worst_lie_s, self.now - self._lying_since)

    def _note_chain(self) -> None:
        if self.venue.exchange.height == self._height:
            return
        self._height = self.venue.exchange.height
        held = held_by_chain(self.venue)
        if not self._chain or self._chain[-1][1] != held:
            self._chain.append((self.now, held))

    def _judge_told(self) -> None:
        """Each trouble is told once until it is over, and over in the end."""
        open_: set[tuple[int, StreamCondition]] = set()
        for event in self.told:
            open_ -= {(event.lane, what) for what in event.over}
            if event.what is StreamCondition.RESTORED:
                continue
            if (event.lane, event.what) in open_:
                self.outcome.complaints.append(f"told twice: {event.what}")
            open_.add((event.lane, event.what))
        if open_:
            self.outcome.complaints.append(f"told and never over: {sorted(what for _, what in open_)}")

    def _sum_up(self) -> None:
        outcome, counted = self.outcome, self.line.counted
        self.digest.add(self._differences(), len(self.state.fills), self.told)
        outcome.digest = str(self.digest)
        outcome.length_s = self.now
        outcome.attempts, outcome.requests = len(counted.attempts), len(counted.requests)
        outcome.most_attempts = _most_at_once(counted.attempts)
        outcome.most_requests = _most_at_once([at for at, _ in counted.requests])
        outcome.worst_pong_s = counted.worst_pong_s
        bounds = (
            ("connections in 10 s", outcome.most_attempts, MOST_ATTEMPTS),
            ("requests in 10 s", outcome.most_requests, MOST_REQUESTS),
            ("requests refused for being too many", counted.refused, 0),
            ("seconds to a pong", outcome.worst_pong_s, PONG_S),
            ("seconds of holdings called live that were not so", outcome.worst_lie_s, LIE_S),
        )
        outcome.complaints += [f"{what}: {value} (up to {most})" for what, value, most in bounds if value > most]
        outcome.complaints += ["taken for a chain that has begun anew"] if self.state.epoch.has_begun else []

    def _is_well(self) -> bool:
        return (
            self.state.freshness.view(self.now).state is PictureState.LIVE
            and not self.state.freshness.view(self.now).trouble
        )

    def _words(self) -> str:
        view = self.state.freshness.view(self.now)
        channels = [(channel.key.channel, channel.state.value) for channel in view.channels]
        return f"{view.state} {view.age_s} {view.trouble} {view.fallback} {channels}"

    def _some(self) -> tuple[ChannelKey, ...]:
        self._wanted = tuple(self._wishes.sample(EXTRA, self._wishes.randrange(4)))
        return self._wanted

    def _books(self) -> tuple[str, ...]:
        return tuple(key.id for key in self._wanted if key.channel == "v4_orderbook")

    async def _wish(self) -> None:
        """Be the person: look at other markets now and then, and ask for a fresh connection."""
        while True:
            await asyncio.sleep(self._wishes.uniform(5.0, 60.0))
            if self.now > self.chances.faults_s:
                return
            if self._wishes.random() < 0.3:
                self._log("a fresh connection is wished")
                self.feed.reconnect()
            else:
                self.feed.want(self._some())

    async def _node(self) -> None:
        """Be the node: tell of its newest block every second, while it can be asked."""
        while self.chances.has_node:
            await asyncio.sleep(1.0)
            if self.venue.node_trouble is None:
                exchange = self.venue.exchange
                time = datetime.fromtimestamp(exchange.time_ms / 1000, UTC)
                self.take(ev.NodeHead(BlockHead(exchange.height, time, "node.test"), self.now))

    def _noted(self, note: Note) -> None:
        """A subscription that is deaf to the account stays so until it is made anew: no venue hears again by itself."""
        self._log(f"** {note} ({note.connections} connections)")
        if note.fault.kind is Kind.DEAF:
            self._deaf += [session for session in self.venue.socks.sessions if self._account in session.deaf]
        for session in self._deaf:
            if self._account in session.subscriptions:
                session.deaf.add(self._account)

    def _complain(self, text: str) -> None:
        if not any(text[:20] in said for said in self.outcome.complaints):
            self.outcome.complaints.append(f"at {self.now:.1f} s: {text}")

    def _log(self, line: str) -> None:
        self.outcome.story.append(f"{self.now:8.3f} {line}")


def _most_at_once(moments: list[float], within_s: float = 10.0) -> int:
    """Return the most moments in any stretch of time."""
    first, most = 0, 0
    for last, at in enumerate(moments):
        while moments[first] < at - within_s:
            first += 1
        most = max(most, last - first + 1)
    return most


def simulated(seed: int) -> Outcome:
    """Run the world of a seed."""

    async def main() -> Outcome:
        return await World(Chances.of(seed)).run()

    return run_virtually(main())
