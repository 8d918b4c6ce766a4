"""Homes with a configuration in them, and a venue with a long past behind it."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from builders import ADDRESS
from cli.terminals import Ran, ran, short_home
from venue.old_venue import OldVenue, at_block, fill, order, payment, transfer
from venues import written


@dataclass(frozen=True, slots=True)
class Place:
    """A home with the configuration of a venue in it."""

    home: Path
    config: Path

    def run(self, *words: str) -> Ran:
        done = ran(self.home, *words, "--config", str(self.config))
        assert "Traceback" not in done.stderr
        return done

    def left_over(self) -> list[str]:
        return sorted(path.name for path in self.home.iterdir() if path.name.endswith(".part"))


@contextmanager
def past(venue: OldVenue) -> Iterator[Place]:
    """Serve a venue with a long past, and configure it."""
    with venue.served() as (url, _), short_home() as home:
        lines = [
            'network = "old"',
            f'address = "{ADDRESS}"',
            "[networks.old]",
            'chain_id = "localdydxprotocol"',
            f'indexer_rest = "{url}"',
            'indexer_websocket = "ws://127.0.0.1:1/v4/ws"',
            'nodes = ["http://127.0.0.1:1"]',
        ]
        yield Place(home, written(home / "config.toml", "\n".join(lines) + "\n"))


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def some_past(count: int = 2_345) -> OldVenue:
    return OldVenue(
        fills=[fill(number) for number in range(1, count + 1)],
        transfers=[transfer(number) for number in range(1, 6)],
        payments=[payment(number * 3600) for number in range(1, 8)],
        orders=[order(number, time=at_block(number)) for number in range(1, 21)],
        height=count + 500,
    )
