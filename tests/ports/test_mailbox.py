"""The mailbox: latest snapshot, every changed section, bounded notices."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from dydx_console.ports.mailbox import Mailbox
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
