"""Diagnostics: every figure in its place, at every width, whatever the venue wrote into its texts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tui.pictures import ADDRESS, HOSTILE, NOW, picture, poisoned

from dydx_console.domain.events import ChannelKey
from dydx_console.domain.faults import FaultCount, FaultKind, FaultSource
from dydx_console.domain.journal import JournalMode, JournalView
from dydx_console.domain.limits import BreakerState, BreakerStatus, Budget
from dydx_console.domain.stream import StreamCondition
from dydx_console.state.freshness import ChannelView, PictureState, StreamView
from dydx_console.state.limits import LimitsView
from dydx_console.state.node import NodeView
from dydx_console.state.snapshot import Snapshot
from dydx_console.views.diagnostics import MOST_FAULTS, ScreenFigures, diagnostics_lines
from dydx_console.views.table import Ink, line_width

SCREEN = ScreenFigures(paints=12_345, longest_s=0.0042, skipped=7, backlog=2, events=98_765)
HOST = "indexer.v4testnet.dydx.exchange"
BUDGETS = (
    Budget(HOST, "candles", 1_000, 1_000, None, None, 0, 0.0),
    Budget(HOST, "get", 100, 0, 108.0, NOW, 4, 12.4),
)
BREAKERS = (
    BreakerStatus("fills", BreakerState.OPEN, 5, 107.5, "HTTP 503: upstream"),
    BreakerStatus("orders", BreakerState.CLOSED, 0, None, ""),
)
FAULTS = (
    FaultCount(FaultKind.SERVER, FaultSource.REST, f"{HOST}/v4/fills", 1_234, NOW, "HTTP 503: upstream",
               NOW - timedelta(minutes=2)),
    FaultCount(FaultKind.TIMEOUT, FaultSource.GRPC, "node.example:443/GetLatestBlock", 2, NOW + timedelta(seconds=9),
               f"no account {ADDRESS}", NOW - timedelta(days=1)),
)  # fmt: skip
CHANNELS = (
    ChannelView(ChannelKey("v4_block_height"), PictureState.LIVE, 0.8, 1_500),
    ChannelView(ChannelKey("v4_parent_subaccounts", f"{ADDRESS}/3"), PictureState.SUSPECT, 1.5, 42),
)
STREAM = StreamView(
    PictureState.SUSPECT, 1.5, 40.0, 3, 9, 5, 1, CHANNELS, block_interval_s=1.1, fallback="POLLING",
    trouble=StreamCondition.GAP, open_gaps=2,
)  # fmt: skip
JOURNAL = JournalView(
    JournalMode.OFF, "the disk is full", NOW - timedelta(minutes=2), None, missed=9, rejected=1, epoch=2,
    fill_place=12_345, waiting=678, error="the disk is full", error_at=NOW - timedelta(minutes=1),
)  # fmt: skip
NODE = NodeView(
    height=48_112_910, endpoint="node.example:443", chain_id="dydx-testnet-4", version="9.6.0", syncing=True,
    binding="BOUND", age_s=0.4, lag_blocks=8, failure="node.example:443: no answer within 3.0 s",
)  # fmt: skip


def troubled(**changes: Any) -> Snapshot:
    limits = LimitsView(BUDGETS, BREAKERS, FAULTS)
    told = {"stream": STREAM, "node": NODE, "limits": limits, "journal": JOURNAL, "node_account_failures": 3, **changes}
    return picture(at=100.0, **told)


def text_of(snapshot: Snapshot | None, elapsed_s: float = 0.0, width: int = 120) -> str:
    lines = diagnostics_lines(snapshot, elapsed_s, SCREEN, width)
    return "\n".join("".join(cell.text for cell in line) for line in lines)


@pytest.mark.parametrize("width", [56, 76, 100, 156])
def test_every_figure_is_there_at_every_width(width: int) -> None:
    text = " ".join(text_of(troubled(), width=width).split())
    for words in (
        "SUSPECT", "age 1.5 s", "connected for 60 s", "blocks every 1.1 s", "reconnects 3", "gaps 9 (2 open)",
        "resyncs 5", "unreadable 1", "fallback POLLING", "trouble GAP",
        "block_height LIVE 0.8 s 1,500", "parent_subaccounts 3 SUSPECT 1.5 s 42",
        "node.example:443", "height #48,112,910", "Indexer 8 blocks behind", "heard 0.4 s ago", "version 9.6.0",
        "on the Indexer's chain BOUND", "catching up", "no answer within 3.0 s",
        "candles 1,000/1,000 now 0 no", "get 0/100 8.0 s 4 12 s",
        "fills OPEN 7.5 s 5", "HTTP 503: upstream", "orders CLOSED — 0",
        "SERVER REST 1,234 01:47:30 01:49:30", f"{HOST}/v4/fills", "TIMEOUT GRPC 2 20 Nov 01:49:39",
        "node.example:443/GetLatestBlock",
        "account not told 3",
        "OFF", "written by nobody now", "epoch 2", "newest fill's place 12,345", "rows waiting 678", "missed 9",
        "rejected 1", "since 01:47:30", "last error 01:48:30", "the disk is full",
        "paints 12,345", "longest 4.2 ms", "left out for a slow terminal 7", "frames it has not taken 2",
        "events taken in 98,765",
    ):  # fmt: skip
        assert words in text, words


def test_ages_and_waits_go_on_between_pictures() -> None:
    text = " ".join(text_of(troubled(), elapsed_s=5.0).split())
    for words in ("connected for 65 s", "block_height DELAYED 5.8 s", "heard 5.4 s ago", "get 0/100 3.0 s",
                  "fills OPEN 2.5 s"):  # fmt: skip
        assert words in text, words
    assert "fills OPEN 0.0 s" in " ".join(text_of(troubled(), elapsed_s=60.0).split())


def test_the_newest_failure_stands_first_and_the_oldest_are_counted() -> None:
    text = text_of(troubled())
    assert text.index("GetLatestBlock") < text.index("/v4/fills")
    many = tuple(
        FaultCount(FaultKind.SERVER, FaultSource.REST, f"/{number}", 1, NOW + timedelta(seconds=number), "x")
        for number in range(MOST_FAULTS + 7)
    )
    text = text_of(troubled(limits=LimitsView(faults=many)))
    assert "and 7 kinds that were seen before these" in text
    assert f"/{MOST_FAULTS + 6}  x" in text
    assert "/6  x" not in text


def test_what_is_not_known_is_said_in_words() -> None:
    quiet = replace(STREAM, channels=(), connected_since=None, fallback=None, trouble=None, age_s=None)
    text = text_of(picture(stream=quiet))
    for words in ("none is followed", "none has been asked", "none has been used", "none has opened",
                  "nothing has failed", "none is kept", "connected for —", "trouble —"):  # fmt: skip
        assert words in text, words
    assert "waiting for the first picture" in text_of(None)


def test_whose_account_it_is_is_not_told() -> None:
    assert ADDRESS not in text_of(troubled(), width=400)
    assert "parent_subaccounts 3" in text_of(troubled())
    assert "no account dydx1…" in text_of(troubled())


def test_what_is_wrong_does_not_rest_on_colour_and_has_one() -> None:
    lines = diagnostics_lines(troubled(), 0.0, SCREEN, 120)
    bad = {cell.text.strip() for line in lines for cell in line if cell.ink is Ink.BAD}
    assert {"SUSPECT", "OPEN", "0/100", "GAP"} <= bad


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("width", [56, 120])
def test_hostile_texts_fit_and_steer_nothing(text: str, width: int) -> None:
    snapshot = troubled(node=poisoned(NODE, text), limits=poisoned(LimitsView(BUDGETS, BREAKERS, FAULTS), text))
    stream = replace(STREAM, channels=(replace(CHANNELS[0], key=ChannelKey(text, text)),))
    snapshot = replace(snapshot, stream=stream, journal=poisoned(JOURNAL, text))
    for line in diagnostics_lines(snapshot, 0.0, SCREEN, width):
        assert all(cell.text.isprintable() for cell in line)
        assert line_width(line) <= width


NUMBERS = st.integers(0, 10**15)
SECONDS = st.floats(0.0, 1e9)


@given(st.integers(56, 200), NUMBERS, SECONDS, SECONDS, st.text(max_size=120))
def test_any_figures_fit(width: int, number: int, seconds: float, elapsed_s: float, text: str) -> None:
    limits = LimitsView(
        (Budget(text, text, number, number, seconds, NOW, number, seconds),),
        (BreakerStatus(text, BreakerState.HALF_OPEN, number, seconds, text),),
        (FaultCount(FaultKind.UNREACHABLE, FaultSource.WEBSOCKET, text, number, NOW, text),),
    )
    channel = ChannelView(ChannelKey(text, text), PictureState.CHAIN_HALTED, seconds, number)
    stream = replace(STREAM, channels=(channel,), gaps=number, resyncs=number, connected_since=seconds)
    node = replace(NODE, height=number, endpoint=text, failure=text, age_s=seconds, lag_blocks=-number)
    journal = replace(JOURNAL, text=text, error=text, epoch=number, fill_place=number, waiting=number, missed=number)
    snapshot = troubled(stream=stream, limits=limits, node=node, journal=journal, node_account_failures=number)
    for line in diagnostics_lines(snapshot, elapsed_s, ScreenFigures(number, seconds, number, number, number), width):
        assert line_width(line) <= width


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        (None, "Indexer —"),
        (0, "Indexer at the same block"),
        (1, "Indexer 1 block behind"),
        (-2, "Indexer 2 blocks ahead"),
    ],
)
def test_how_far_the_indexer_is_from_the_node_is_said_in_words(blocks: int | None, words: str) -> None:
    assert words in text_of(troubled(node=replace(NODE, lag_blocks=blocks)))


@pytest.mark.parametrize(
    ("journal", "words"),
    [
        (JournalView(JournalMode.OPENING, since=NOW), ("OPENING", "written by nobody now", "epoch —", "place —")),
        (JournalView(JournalMode.KEPT, since=NOW, epoch=1), ("KEPT", "written by this console", "last error none")),
        (
            JournalView(JournalMode.LOOKING, "The journal belongs to pid 77 (watch since 01:40 UTC)", NOW, 77),
            ("LOOKING", "written by process 77", "belongs to pid 77 (watch since 01:40 UTC)"),
        ),
        (JournalView(JournalMode.LOOKING, "which does not answer", NOW), ("written by another console",)),
        (
            JournalView(JournalMode.KEPT, since=NOW, epoch=1, error="the disk is full", error_at=NOW),
            ("KEPT", "last error 01:49:30", "the disk is full"),
        ),
        (JournalView(JournalMode.KEPT, "ValueError: x", NOW, rejected=1), ("rejected 1", "ValueError: x")),
    ],
)
def test_whose_the_journal_is_and_what_became_of_it_is_told(journal: JournalView, words: tuple[str, ...]) -> None:
    text = text_of(troubled(journal=journal))
    part = text[text.index("\n Journal\n") : text.index("\n Screen\n")]
    for each in words:
        assert each in part, each


def test_an_error_that_goes_on_is_told_once() -> None:
    assert text_of(troubled()).count("the disk is full") == 1
