"""The program that the pty tests run: the screen over a port whose engine is a thread of this file.

usage: child.py MODE FOLDER
"""

import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from tui.fakes import ASKED, HEALTHY, MAINNET, TESTNET, WRONG_NODE, FakePort
from tui.history_thread import ThreadDesk
from tui.pictures import HOSTILE, fill, picture, poisoned, stream

from dydx_console.ports.notices import Level, Notice
from dydx_console.tui.run import UiOptions, run_console


class Engine(FakePort):
    """Publishes forty pictures a second and counts them in a file, beside how often the screen looked."""

    looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        return super().monotonic()

    def run(self, counters: Path) -> None:
        revision = 0
        while True:
            revision += 1
            fills = tuple(fill(number) for number in range(40 + revision % 7, 0, -1))
            self.show(picture(at=time.monotonic(), revision=revision, fills=fills, height=1000 + revision))
            fresh = counters.with_suffix(".fresh")
            fresh.write_text(f"{revision} {self.looks}")
            fresh.replace(counters)
            time.sleep(0.025)


class Crashing(Engine):
    """Fails in the screen's thread once its picture was seen."""

    def monotonic(self) -> float:
        mnemonic = "CANARY-abandon-ability-able"
        if super().monotonic() and self.looks > 20:
            raise RuntimeError(f"boom {len(mnemonic)}")
        return super().monotonic()


def hostile(port: FakePort) -> None:
    """Show every hostile text in every field, one after another."""
    for text in HOSTILE:
        port.mailbox.notify(Notice(text, Level.ERROR, stays=True))
        port.mailbox.notify(Notice(text, Level.WARNING))
        port.show(replace(poisoned(picture(), text), at=time.monotonic(), stream=stream()))
        time.sleep(0.15)
    port.failure = "".join(HOSTILE)
    port.show(picture(at=time.monotonic(), height=777_777))


def asking(port: FakePort, *, timeout_s: float, environment: str = "development") -> None:
    """Have the network wait for confirmation; the checks are made meanwhile."""
    port.network = replace(MAINNET, environment=environment)
    port.asked = replace(ASKED, timeout_s=timeout_s, environment=environment)

    def check() -> None:
        time.sleep(0.3)
        port.checked = HEALTHY

    threading.Thread(target=check, daemon=True).start()


def noisy() -> None:
    """Write to file descriptor 2 as a C library does."""
    while True:
        os.write(2, b"NOISE-from-a-library\n")
        time.sleep(0.05)


def main() -> int:
    mode, folder = sys.argv[1:]
    counters = Path(folder) / "counters"
    port = Crashing() if mode == "crash" else Engine()
    options = UiOptions(log_path=Path(folder) / "ui.log")
    if mode == "hostile":
        port.network = replace(TESTNET, name=HOSTILE[5] + "net", chain_id=HOSTILE[6], environment=HOSTILE[9],
                               warnings=HOSTILE)  # fmt: skip
        threading.Thread(target=hostile, args=(port,), daemon=True).start()
    else:
        threading.Thread(target=port.run, args=(counters,), daemon=True).start()
    if mode == "history":
        port.history = ThreadDesk(next(Path(folder).glob("journal/**/*.db")))  # type: ignore[assignment]
    if mode == "noise":
        threading.Thread(target=noisy, daemon=True).start()
    if mode in ("short", "ask-short"):
        options = replace(options, for_seconds=1.0, screenshot=Path(folder) / "end.svg")
    if mode.startswith("ask"):
        asking(port, timeout_s=1.5 if mode == "ask-late" else 60.0)
    if mode == "misplaced":
        port.network, port.checked = replace(MAINNET, confirmed=True), WRONG_NODE
    return run_console(port, options)


if __name__ == "__main__":
    sys.exit(main())
