"""A process that runs the whole engine with a journal, as `watch` does, and tells what it shows; to be killed.

usage: python -m tests.engine.watcher URLS FOLDER BEGAN

URLS is the JSON of the exchange's URLs, BEGAN the system's monotonic clock when this process was started. Each change
of what it shows is a line of JSON; the end of its standard input ends it. `after_s` is the time since the process was
started, `own_s` the same without what its threads, one after the other, had to wait for a processor.
"""

import json
import select
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from dydx_console.domain.numbers import ZERO
from dydx_console.engine.child import SimUrls
from dydx_console.state.snapshot import Snapshot
from tests.venues import engine_on, network_of

LOOK_S = 0.01


def shown(snapshot: Snapshot) -> dict[str, Any]:
    """Return what a picture has that an exchange can be asked for; `booked` is the position by its fills alone."""
    positions = snapshot.positions
    return {
        "state": str(snapshot.stream.state),
        "mode": str(snapshot.journal.mode),
        "fills": snapshot.fills_known,
        "position": str(sum((view.position.net_size for view in positions), Decimal(ZERO))),
        "booked": str(sum((view.ledger.net_size for view in positions), Decimal(ZERO))),
    }


def queued_s(thread: str) -> float:
    """Return how long a thread was ready and had no processor; 0 where the system does not tell."""
    for found in threading.enumerate():
        file = Path(f"/proc/self/task/{found.native_id}/schedstat")
        if found.name == thread and file.exists():
            return int(file.read_text().split()[1]) / 1e9
    return 0.0


def _main() -> int:
    venue, root, began = SimUrls(**json.loads(sys.argv[1])), Path(sys.argv[2]), float(sys.argv[3])
    engine = engine_on(network_of(venue), venue.account, journal=root, program="watch")
    queued_before_s = queued_s("MainThread")
    engine.start()
    told: dict[str, Any] = {}
    while not select.select([sys.stdin], [], [], LOOK_S)[0]:
        snapshot = engine.mailbox.latest()
        if snapshot is None or (now := shown(snapshot)) == told:
            continue
        told = now
        after_s = time.monotonic() - began
        times = {"after_s": after_s, "own_s": after_s - queued_before_s - queued_s("engine")}
        print(json.dumps({**told, **times, "failure": engine.failure}), flush=True)
    return 0 if engine.stop() else 1


if __name__ == "__main__":
    sys.exit(_main())
