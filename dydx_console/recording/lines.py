"""The JSON-lines form of a recording; docs/recordings.md describes it.

Every line is an object with `t` (monotonic seconds) and `ev`: `open`, `closed`, `<` (text received), `>` (text sent),
`http` (an exchange). `c` names the connection. Other kinds are ignored.
"""

from collections.abc import Iterable, Iterator

import msgspec

__all__ = ["BadLineError", "Entry", "encode", "read_entries"]


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a recording; the fields that its kind does not use are absent.

    `ms` is the duration of an HTTP exchange, which ended at `t`.
    """

    t: float
    ev: str
    c: str | None = None
    text: str | None = None
    code: int | None = None
    reason: str | None = None
    method: str | None = None
    url: str | None = None
    status: int | None = None
    headers: tuple[tuple[str, str], ...] | dict[str, str] | None = None
    body: str | None = None
    ms: float | None = None


class BadLineError(ValueError):
    """A line that is not a whole entry of a recording; `number` counts from 1."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"line {number}: {reason}")
        self.number = number


class _Head(msgspec.Struct):
    ev: str


_USED = frozenset({"open", "closed", "<", ">", "http"})
_head = msgspec.json.Decoder(_Head)
_entry = msgspec.json.Decoder(Entry)
_encoder = msgspec.json.Encoder()


def encode(entry: Entry) -> bytes:
    """Return one entry as a line, without its newline."""
    return _encoder.encode(entry)


def read_entries(lines: Iterable[str]) -> Iterator[Entry]:
    """Yield the entries of a recording in order; blank lines and unknown kinds are passed over.

    Raises BadLineError at the first line that is cut, not JSON, or lacks what its kind needs; what was yielded before
    it is whole.
    """
    is_empty = True
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        is_empty = False
        try:
            if _head.decode(line).ev in _USED:
                yield _entry.decode(line)
        except msgspec.ValidationError as error:
            raise BadLineError(number, f"not an entry of a recording: {error}") from None
        except (msgspec.DecodeError, UnicodeError):
            whole = line.endswith("\n")
            raise BadLineError(number, "not JSON" if whole else "the line is cut short") from None
        except RecursionError:
            raise BadLineError(number, "not an entry of a recording: it nests too deeply") from None
    if is_empty:
        raise BadLineError(1, "the recording is empty")
