"""Themes of the console, and what its style names mean in any theme."""

from collections.abc import Mapping

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

from dydx_console.views.table import Ink

__all__ = ["DEFAULT_THEME", "LOOKS", "OWN_THEMES", "VARIABLES", "ink_style", "look_style", "next_theme"]

DEFAULT_THEME = "console-dark"

VARIABLES = {
    "gain": "#5fc88f",
    "loss": "#ef7d7d",
    "quiet": "#8b93a3",
    "label": "#a3abbb",
    "rule": "#3d4453",
    "mark": "#242b3a",
    "mark-idle": "#1a1f2a",
    "net-mainnet": "#d6293e",
    "net-testnet": "#2f6fd0",
    "net-local": "#2c8a57",
    "net-sim": "#8a4fc4",
    "net-replay": "#5d6678",
    "net-text": "#ffffff",
}
"""Colours that a theme may set; these stand where it does not."""

_LIGHT = {
    "gain": "#0a7a3d",
    "loss": "#b3202c",
    "quiet": "#6a7180",
    "label": "#505868",
    "rule": "#c3c8d2",
    "mark": "#dde6f5",
    "mark-idle": "#eceff4",
}
_SAFE = {
    "gain": "#5ab4f0",
    "loss": "#f0a040",
    "net-mainnet": "#c85200",
    "net-testnet": "#1f5fa8",
    "net-local": "#4a6d8c",
    "net-sim": "#6f6f8f",
}
_MONO = {
    "gain": "#e8e8e8",
    "loss": "#e8e8e8",
    "quiet": "#8c8c8c",
    "label": "#a8a8a8",
    "rule": "#4a4a4a",
    "mark": "#333333",
    "mark-idle": "#262626",
    "net-mainnet": "#7a7a7a",
    "net-testnet": "#4a4a4a",
    "net-local": "#3a3a3a",
    "net-sim": "#3a3a3a",
    "net-replay": "#3a3a3a",
}


def _dark(name: str, variables: dict[str, str], **colours: str) -> Theme:
    base = {
        "primary": "#6ea8fe",
        "secondary": "#8b93a3",
        "accent": "#6ea8fe",
        "foreground": "#d7dce5",
        "background": "#11141b",
        "surface": "#171b24",
        "panel": "#1e2430",
        "success": "#5fc88f",
        "warning": "#e6b455",
        "error": "#ef7d7d",
    }
    return Theme(name=name, dark=True, variables={**VARIABLES, **variables}, **{**base, **colours})  # type: ignore[arg-type]


def _light(name: str, variables: dict[str, str]) -> Theme:
    return Theme(
        name=name,
        dark=False,
        primary="#1f5fbf",
        secondary="#6a7180",
        accent="#1f5fbf",
        foreground="#1c2230",
        background="#fbfcfd",
        surface="#f1f3f7",
        panel="#e4e8ef",
        success="#0a7a3d",
        warning="#9a6200",
        error="#b3202c",
        variables={**VARIABLES, **variables},
    )


OWN_THEMES: tuple[Theme, ...] = (
    _dark(DEFAULT_THEME, {}),
    _light("console-light", _LIGHT),
    _dark("console-colour-blind", _SAFE, accent="#5ab4f0", success="#5ab4f0", warning="#e8d060", error="#f0a040"),
    _dark(
        "console-mono",
        _MONO,
        primary="#ffffff",
        accent="#ffffff",
        foreground="#d0d0d0",
        background="#121212",
        surface="#1a1a1a",
        panel="#242424",
        success="#e8e8e8",
        warning="#ffffff",
        error="#ffffff",
    ),
)


def next_theme(name: str) -> str:
    """Return the own theme that follows `name`; the first where `name` is not one of them."""
    names = [theme.name for theme in OWN_THEMES]
    return names[(names.index(name) + 1) % len(names)] if name in names else names[0]


_INKS: dict[Ink, tuple[str, str | None, bool]] = {
    Ink.PLAIN: ("foreground", None, False),
    Ink.DIM: ("quiet", None, False),
    Ink.LABEL: ("label", None, False),
    Ink.STRONG: ("foreground", None, True),
    Ink.ACCENT: ("accent", None, False),
    Ink.GAIN: ("gain", None, False),
    Ink.LOSS: ("loss", None, False),
    Ink.WARN: ("warning", None, False),
    Ink.BAD: ("error", None, True),
    Ink.GOOD: ("success", None, False),
    Ink.ALARM: ("background", "error", True),
    Ink.MAINNET: ("net-text", "net-mainnet", True),
    Ink.TESTNET: ("net-text", "net-testnet", True),
    Ink.LOCAL: ("net-text", "net-local", True),
    Ink.SIM: ("net-text", "net-sim", True),
    Ink.REPLAY: ("net-text", "net-replay", True),
}
"""Colour, paper and weight of every ink, colours by their names in a theme."""

LOOKS: dict[str, tuple[str | None, str | None, bool | None]] = {
    "over": ("quiet", None, False),
    "stale": ("quiet", None, False),
    "cursor": (None, "mark", None),
    "idle": (None, "mark-idle", None),
    "rule": ("rule", None, None),
    "focus": ("accent", None, True),
}
"""What a look of a whole line changes; None leaves it."""


def ink_style(ink: Ink, variables: Mapping[str, str]) -> Style:
    """Return the style of an ink under a theme's variables."""
    return _style(*_INKS[ink], variables)


def look_style(look: str, variables: Mapping[str, str]) -> Style:
    """Return what a look changes under a theme's variables."""
    return _style(*LOOKS[look], variables)


def _style(colour: str | None, paper: str | None, bold: bool | None, variables: Mapping[str, str]) -> Style:
    return Style(
        color=None if colour is None else Color.parse(variables[colour]).rich_color,
        bgcolor=None if paper is None else Color.parse(variables[paper]).rich_color,
        bold=bold,
    )
