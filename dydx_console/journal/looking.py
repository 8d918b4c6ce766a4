"""A look at a journal before anything is begun: whether this version may touch it."""

from pathlib import Path

from dydx_console.journal.names import epochs_in, file_name, name_of
from dydx_console.journal.schema import APPLICATION_ID, MIGRATIONS

__all__ = ["newer_refusal"]

_HEADER = 100
"""Bytes of a database's header; in it stand the schema's number and whose file it is, most significant byte first."""
_SCHEMA, _APPLICATION = slice(60, 64), slice(68, 72)


def newer_refusal(root: Path, network: str, chain_id: str, address: str) -> str | None:
    """Return why a journal that a newer version has written is left alone, None where it may be opened.

    Nothing is changed by looking. Whatever else is wrong with it, opening finds and mends, or tells.
    """
    folder = root / name_of(network) / name_of(address)
    try:
        epochs = epochs_in(folder, chain_id)
        if not epochs:
            return None
        path = folder / file_name(chain_id, epochs[-1])
        with path.open("rb") as file:
            header = file.read(_HEADER)
    except OSError:
        return None
    schema, known = int.from_bytes(header[_SCHEMA], "big"), MIGRATIONS[-1].number
    if int.from_bytes(header[_APPLICATION], "big") != APPLICATION_ID or schema <= known:
        return None
    # whoever is not refused does without loading what this needs
    from dydx_console.ports.journal import JournalNewerError

    return str(JournalNewerError(path, schema, known))
