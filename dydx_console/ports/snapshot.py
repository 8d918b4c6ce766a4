"""The picture that the engine publishes, under the name by which screens may import it."""

from dydx_console.state.console import Section, Watched
from dydx_console.state.snapshot import Snapshot

__all__ = ["Section", "Snapshot", "Watched"]
