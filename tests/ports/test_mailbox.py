"""The mailbox: latest snapshot, every changed section, bounded notices."""

import threading
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dydx_console.ports.mailbox import MOST_KEPT, Mailbox
from dydx_console.ports.notices import Level, Notice
from dydx_console.state.console import ConsoleState, Section
from dydx_console.state.snapshot import snapshot_of


def picture(revision: int):
    return snapshot_of(ConsoleState(None), 0.0, revision)


def test_an_empty_mailbox_brings_nothing() -> None:
    mail = Mailbox().take()
    assert mail.snapshot is None
    assert mail.changed == frozenset()
    assert mail.notices == ()


@given(st.lists(st.frozensets(st.sampled_from(list(Section))), min_size=1, max_size=8))
def test_sections_add_up_until_taken_and_the_newest_snapshot_wins(batches: list[frozenset[Section]]) -> None:
    mailbox = Mailbox()
    for revision, changed in enumerate(batches):
        mailbox.publish(picture(revision), changed)
    mail = mailbox.take()
    assert mail.snapshot is not None
    assert mail.snapshot.revision == len(batches) - 1
    assert mail.changed == frozenset().union(*batches)
    assert mailbox.take().snapshot is None
    assert mailbox.latest() is mail.snapshot


def test_too_many_notices_become_one_that_counts_them_and_lose_no_lasting_one() -> None:
    mailbox = Mailbox(most_notices=3)
    lasting = Notice("liquidated", Level.ERROR, stays=True)
    mailbox.notify(lasting)
    for number in range(5):
        mailbox.notify(Notice(f"fill {number}"))
    notices = mailbox.take().notices
    assert notices[0].text.startswith("3 more notices")
    assert lasting in notices
    assert [notice.text for notice in notices[2:]] == ["fill 3", "fill 4"]
    assert mailbox.take().notices == ()


def test_the_newest_notices_of_a_run_can_be_read_again() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    mailbox = Mailbox(most_notices=3, utc=lambda: at)
    own = Notice("with its time", at=at + timedelta(hours=1))
    mailbox.notify(own)
    mailbox.remember(Notice("told by the screen"))
    assert mailbox.kept() == (Notice("told by the screen", at=at), own)
    assert [notice.text for notice in mailbox.take().notices] == ["with its time"]
    for number in range(MOST_KEPT + 10):
        mailbox.notify(Notice(f"fill {number}"))
    assert mailbox.take().notices[0].text == f"{MOST_KEPT + 7} more notices came at once; the log has them"
    assert [notice.text for notice in mailbox.kept()] == [f"fill {n}" for n in reversed(range(10, MOST_KEPT + 10))]
    assert mailbox.told == MOST_KEPT + 12


def test_readers_and_writer_of_two_threads_lose_no_section() -> None:
    mailbox = Mailbox()
    sections = list(Section)
    rounds = 2_000

    def write() -> None:
        for number in range(rounds):
            mailbox.publish(picture(number) if number == rounds - 1 else first, {sections[number % len(sections)]})

    first = picture(0)
    seen: set[Section] = set()
    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        seen |= mailbox.take().changed
    writer.join()
    last = mailbox.take()
    seen |= last.changed
    assert seen == set(sections)
    newest = mailbox.latest()
    assert newest is not None
    assert newest.revision == rounds - 1
