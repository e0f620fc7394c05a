"""Kind of a device → the body that stands for it until a maker puts a real one there."""

from __future__ import annotations

from device.body import Body
from device.crossing import Crossing
from device.display import Display
from device.door import Door
from device.siren import Siren

KINDS = ("door", "lamp", "siren", "display")


def make_body(kind: str, *, broken: bool = False) -> Body:
    """broken: it does not do what it is told (a jammed bolt, a dead lamp). ValueError for a kind that does not act."""
    if kind == "door":
        return Door(jammed=broken)
    if kind == "lamp":
        return Crossing(broken=broken)
    if kind == "siren":
        return Siren(broken=broken)
    if kind == "display":
        return Display(broken=broken)
    raise ValueError(f"kind = {kind!r}: one of {', '.join(KINDS)} acts")
