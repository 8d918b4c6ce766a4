"""How long the feed waits for what, and how much it takes."""

from dataclasses import dataclass

__all__ = ["FeedLimits"]


@dataclass(frozen=True, slots=True)
class FeedLimits:
    """All in seconds, but for counts and bytes.

    A connection has `open_s` to be opened and `greeting_s` to be greeted. It is pinged every `ping_s` and given up
    when no pong comes within `pong_s`: a half-open socket would stay silent for ever. `silence_s` without a block, or
    blocks that come `late_s` later than they did, raise a doubt, which REST settles: if it knows a newer block that
    the connection does not bring within `recheck_s`, the connection is given up, else the Indexer itself stands still.
    A connection that lived `lived_s` with data makes the delays, up to `longest_delay_s`, begin anew.

    A subscription without an answer for `answer_s` is left and asked for again, the same id at most once in
    `spacing_s`, with delays from `retry_s` to `longest_retry_s`. What misses messages is joined anew, and where that
    does not help within `heal_s`, the connection is made anew. A public channel that is quiet for `quiet_s` while
    blocks come is joined anew too. The account is read again after every answer, once more after `second_reread_s` and
    every `reread_s` from then on, and its newest block is compared with the stream's every `audit_s`.

    After `attempts_before_polling` failed attempts in a row the picture is read by HTTP every `poll_s`.
    """

    open_s: float = 5.0
    greeting_s: float = 5.0
    ping_s: float = 2.0
    pong_s: float = 2.5
    silence_s: float = 5.0
    late_s: float = 5.0
    recheck_s: float = 1.0
    lived_s: float = 10.0
    first_delay_s: float = 1.0
    longest_delay_s: float = 30.0
    answer_s: float = 8.0
    spacing_s: float = 1.1
    retry_s: float = 1.0
    longest_retry_s: float = 60.0
    heal_s: float = 15.0
    second_reread_s: float = 5.0
    reread_s: float = 60.0
    audit_s: float = 5.0
    quiet_s: float = 15.0
    tick_s: float = 0.25
    attempts_before_polling: int = 5
    poll_s: float = 2.5
    most_bytes: int = 16 * 1024 * 1024
