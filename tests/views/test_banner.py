"""The banner: network, account and state in one line or two."""

from dataclasses import replace
from typing import Any

import pytest
from builders import D
from hypothesis import given
from hypothesis import strategies as st
from tui.pictures import picture

from dydx_console.domain.ids import PositionKey
from dydx_console.domain.journal import JournalMode, JournalView
from dydx_console.domain.risk import RiskLevel
from dydx_console.state.freshness import PictureState
from dydx_console.state.node import NodeView
from dydx_console.state.risk import NO_RISK, Gauge, Nearest, RiskView
from dydx_console.views.banner import FAR_BEHIND, BannerFacts, banner_lines, joined
from dydx_console.views.panes import PaneHealth
from dydx_console.views.table import Cell, Ink, Line, line_width

FACTS = BannerFacts("testnet", "testnet", "dydx-testnet-4", "development", True)
MISPLACED = BannerFacts("mainnet", "mainnet", "dydx-mainnet-1", "development", True, is_out_of_place=True)
LIVE = PaneHealth(PictureState.LIVE, 0.8)
KINDS = ("mainnet", "testnet", "local", "sim", "custom", "replay")


def words(lines: list[Line]) -> str:
    """Return lines as text."""
    return "\n".join("".join(cell.text for cell in line) for line in lines)


def with_node(**told: Any) -> list[Line]:
    """Return a wide banner over a node that said something."""
    return banner_lines(FACTS, picture(node=NodeView(**told)), LIVE, 200, 2)


def node_cell(**told: Any) -> Cell:
    """Return what the banner says of the node."""
    return next(cell for cell in with_node(**told)[1] if "node" in cell.text.lower())


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 160, 220])
def test_it_fits_and_the_network_never_leaves(width: int) -> None:
    for height in (1, 2):
        lines = banner_lines(FACTS, picture(), LIVE, width, height)
        assert len(lines) == height
        assert "TESTNET" in words(lines)
        assert all(line_width(line) <= max(width, 24) for line in lines)


def test_everything_is_there_where_there_is_room() -> None:
    text = words(banner_lines(FACTS, picture(), LIVE, 200, 1))
    for word in ("dydx-testnet-4", "development", "dydx1n88u…565lnf", "parent 0 of 2 funded", "VIEW ONLY",
                 "● LIVE 0.8 s", "#48,112,907", "node —", "margin 0.0 %", "liq −31 % ETH", "outlive 1"):  # fmt: skip
        assert word in text, word
    assert "DISARMED" in words(banner_lines(replace(FACTS, read_only=False), picture(), LIVE, 200, 1))


@pytest.mark.parametrize(
    ("mode", "word", "ink"),
    [
        (JournalMode.OFF, "JOURNAL OFF", Ink.ALARM),
        (JournalMode.LOOKING, "ONLY LOOKS", Ink.WARN),
        (JournalMode.KEPT, None, None),
        (JournalMode.NONE, None, None),
    ],
)
@pytest.mark.parametrize("height", [1, 2])
def test_a_journal_that_is_not_written_here_is_said(
    mode: JournalMode, word: str | None, ink: Ink | None, height: int
) -> None:
    lines = banner_lines(FACTS, picture(journal=JournalView(mode, "because")), LIVE, 220, height)
    found = [cell for line in lines for cell in line if "JOURNAL" in cell.text or "LOOKS" in cell.text]
    assert [cell.ink for cell in found] == ([] if word is None else [ink])
    assert word is None or word in found[0].text


def test_each_kind_of_network_has_words_and_an_ink_of_its_own() -> None:
    badges = [banner_lines(replace(FACTS, name="desk", kind=kind), None, LIVE, 80, 1)[0][0] for kind in KINDS]
    assert len({badge.text for badge in badges}) == len({badge.ink for badge in badges}) == len(KINDS)
    assert all(badge.text.startswith(" DESK · ") for badge in badges)
    assert banner_lines(replace(FACTS, kind="what"), None, LIVE, 80, 1)[0][0].ink is Ink.MAINNET


@pytest.mark.parametrize(
    ("name", "kind", "badge"),
    [("testnet", "testnet", " TESTNET "), ("sim", "sim", " SIMULATOR "), ("demo", "sim", " DEMO · SIMULATOR "),
     ("testnet", "mainnet", " TESTNET · MAINNET "), ("mine", "custom", " MINE · UNKNOWN CHAIN ")],
)  # fmt: skip
def test_a_name_cannot_hide_the_kind(name: str, kind: str, badge: str) -> None:
    assert banner_lines(replace(FACTS, name=name, kind=kind), None, LIVE, 80, 1)[0][0].text == badge


class TestRealMoneyOutOfPlace:
    def test_it_is_said_in_the_alarms_colour(self) -> None:
        badge = banner_lines(MISPLACED, picture(), LIVE, 120, 2)[0][0]
        assert badge == Cell(" MAINNET · REAL MONEY · development ", Ink.ALARM)

    @given(st.integers(12, 220), st.integers(1, 2))
    def test_nothing_stays_for_which_it_was_shortened(self, width: int, height: int) -> None:
        lines = banner_lines(MISPLACED, picture(), LIVE, width, height)
        badge = lines[0][0]
        assert "REAL MONEY" in badge.text
        assert badge.ink is Ink.ALARM
        assert line_width(lines[0]) <= width
        if "development" not in badge.text:
            assert len(lines[0]) == 1
            assert width < len(" MAINNET · REAL MONEY · development ")

    @pytest.mark.parametrize(("kind", "environment", "mark"), [
        ("mainnet", "staging", "MAINNET · REAL MONEY"), ("custom", None, "MAINNET · UNKNOWN CHAIN · REAL MONEY"),
    ])  # fmt: skip
    def test_what_covers_the_banner_has_a_mark(self, kind: str, environment: str | None, mark: str) -> None:
        facts = replace(MISPLACED, kind=kind, environment=environment)
        assert facts.mark == mark
        assert (environment or "no environment") in words(banner_lines(facts, None, LIVE, 120, 2))

    def test_in_its_place_it_is_quiet(self) -> None:
        facts = replace(MISPLACED, environment="production", is_out_of_place=False)
        assert "REAL MONEY" not in words(banner_lines(facts, picture(), LIVE, 200, 2))
        assert facts.mark == ""


class TestNode:
    @pytest.mark.parametrize(
        ("told", "text", "ink"),
        [({}, "node —", Ink.DIM),
         ({"lag_blocks": 1}, "node +1", Ink.DIM),
         ({"lag_blocks": 0, "age_s": 1.0}, "node +0", Ink.DIM),
         ({"lag_blocks": FAR_BEHIND}, "node +5", Ink.DIM),
         ({"lag_blocks": FAR_BEHIND + 1}, "node +6", Ink.WARN),
         ({"lag_blocks": 12_000}, "node +12,000", Ink.WARN),
         ({"lag_blocks": -3}, "node −3", Ink.DIM),
         ({"lag_blocks": -3000, "syncing": True}, "node −3,000 catching up", Ink.WARN),
         ({"lag_blocks": 1, "age_s": 14.2}, "node +1 14 s ago", Ink.WARN),
         ({"lag_blocks": 1, "age_s": 40.0, "failure": "refused"}, "node silent 40 s", Ink.WARN),
         ({"failure": "refused"}, "node silent", Ink.WARN)],
    )  # fmt: skip
    def test_how_far_the_indexer_trails(self, told: dict[str, Any], text: str, ink: Ink) -> None:
        assert node_cell(**told) == Cell(text, ink)

    @pytest.mark.parametrize(
        ("told", "text"),
        [({"chain_id": "dydx-mainnet-1", "lag_blocks": 1}, " NODE IS ON dydx-mainnet-1 "),
         ({"chain_id": "dydx-testnet-4", "binding": "MISMATCH"}, " INDEXER IS NOT ON THE NODE'S CHAIN "),
         ({"contradiction": "something else"}, " NODE: something else ")],
    )  # fmt: skip
    def test_a_contradiction_takes_the_place_of_everything_about_the_node(
        self, told: dict[str, Any], text: str
    ) -> None:
        assert node_cell(**told) == Cell(text, Ink.ALARM)

    @pytest.mark.parametrize("width", [40, 58, 80, 120])
    @pytest.mark.parametrize("height", [1, 2])
    def test_a_contradiction_is_not_shortened_away(self, width: int, height: int) -> None:
        snapshot = picture(node=NodeView(chain_id="somewhere-1"))
        assert "NODE" in words(banner_lines(FACTS, snapshot, LIVE, width, height))
        assert width < 58 or "NODE" in words(banner_lines(MISPLACED, snapshot, LIVE, width, height))

    @pytest.mark.parametrize("binding", [None, "BOUND", "UNKNOWN"])
    def test_what_could_not_be_compared_is_no_contradiction(self, binding: str | None) -> None:
        assert node_cell(chain_id="dydx-testnet-4", binding=binding, lag_blocks=1).text == "node +1"


def test_a_masked_banner_hides_the_address() -> None:
    assert "565lnf" not in words(banner_lines(FACTS, picture(), LIVE, 200, 1, masked=True))


def test_before_the_first_picture() -> None:
    text = words(banner_lines(FACTS, None, PaneHealth(PictureState.SYNCING, None), 120, 2))
    assert "SYNCING" in text
    assert "outlive —" in text


def test_joined_shortens_before_it_leaves_out() -> None:
    items = [((Cell("network long"),), (Cell("net"),)), ((Cell("account"),),)]
    assert words([joined(items, (1, 0), 30)]) == "network long │ account"
    assert words([joined(items, (0, 1), 14)]) == "net │ account"
    assert words([joined(items, (1, 0), 5)]) == "net"


NEAR = Nearest(PositionKey(0, "ETH-USD"), D("-0.042"), D("0.042"))
CALM, WARNED, ALARMED = (Gauge(level, None, is_known=True) for level in RiskLevel)


def risk_cells(risk: RiskView, width: int = 200, height: int = 2) -> list[Cell]:
    """Return what the banner says of the risk, piece by piece."""
    cells = [cell for line in banner_lines(FACTS, picture(risk=risk), LIVE, width, height) for cell in line]
    return [cells[i + 1] for i, cell in enumerate(cells) if cell.text in ("margin ", "liq ")]


class TestRisk:
    @pytest.mark.parametrize(
        ("risk", "shown"),
        [
            (RiskView(D("0.125"), NEAR, (), CALM, CALM), [Cell("12.5 %"), Cell("−4.2 % ETH")]),
            (RiskView(D("0.5"), NEAR, (), WARNED, CALM), [Cell("50.0 % WARN", Ink.WARN), Cell("−4.2 % ETH")]),
            (RiskView(D("0.8"), NEAR, (), ALARMED, ALARMED),
             [Cell("80.0 % ALARM", Ink.ALARM), Cell("−4.2 % ETH ALARM", Ink.ALARM)]),
            (NO_RISK, [Cell("— %", Ink.DIM), Cell("—", Ink.DIM)]),
            (RiskView(None, None, (), WARNED, WARNED), [Cell("— % WARN", Ink.WARN), Cell("— WARN", Ink.WARN)]),
            (RiskView(None, NEAR, (0, 128), CALM, ALARMED),
             [Cell("— %", Ink.DIM), Cell("POSSIBLE NOW, subaccount 0, 128", Ink.ALARM)]),
        ],
    )  # fmt: skip
    def test_each_figure_has_its_level_in_ink_and_as_a_word(self, risk: RiskView, shown: list[Cell]) -> None:
        assert risk_cells(risk) == shown

    @given(st.integers(44, 220), st.integers(1, 2), st.sampled_from([(WARNED, CALM), (CALM, WARNED), (CALM, ALARMED)]))
    def test_a_level_stays_in_sight_with_its_word(self, width: int, height: int, gauges: tuple[Gauge, Gauge]) -> None:
        cells = risk_cells(RiskView(D("0.6"), NEAR, (), *gauges), width, height)
        assert any(cell.text.endswith(("WARN", "ALARM")) for cell in cells)

    @pytest.mark.parametrize("width", [60, 80, 100])
    @pytest.mark.parametrize("height", [1, 2])
    def test_it_leaves_after_what_is_not_about_the_figures(self, width: int, height: int) -> None:
        assert risk_cells(RiskView(D("0.1"), NEAR, (), CALM, CALM), width, height)


@pytest.mark.parametrize(
    ("origin", "shown"),
    [
        ("default", "development (default)"),
        ("variable DYDX_CONSOLE_ENVIRONMENT", "development (variable)"),
        ("option --environment", "development (option)"),
        ("/etc/dydx/config.toml:3", "development (file)"),
        (None, "development"),
    ],
)
def test_the_banner_says_who_named_the_environment_where_there_is_room(origin: str | None, shown: str) -> None:
    assert replace(FACTS, environment_from=origin).where == shown
    assert replace(MISPLACED, environment_from=origin).where == shown
