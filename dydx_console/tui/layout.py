"""Which layout a terminal of some size gets."""

__all__ = ["LAYOUTS", "layout_class"]

LAYOUTS = ("-wide", "-normal", "-narrow", "-small", "-tiny")


def layout_class(width: int, height: int) -> str:
    """Return the layout for a terminal of this size."""
    if width < 20 or height < 5:
        return "-tiny"
    if width < 60 or height < 18:
        return "-small"
    if width < 100:
        return "-narrow"
    return "-normal" if width < 150 else "-wide"
