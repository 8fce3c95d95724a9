"""A street that the project renders itself: a drive with its exact label maps and instances, from a seed alone."""

from __future__ import annotations

from edgeseg.synthetic.street import Street, StreetObject, StreetView

__all__ = ["Street", "StreetObject", "StreetView"]
