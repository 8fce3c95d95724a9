"""LabelMeFacade (Froehlich, Rodner, Denzler 2010) in CamVid's layout and ids: street fronts, of which six classes are labelled.

Poles, signs, fences and people lie in what is behind them or nowhere: those classes are not judged here, and never taught.
"""

from __future__ import annotations

from pathlib import Path

from edgeseg.core.classes import IGNORE_ID, STREET_CLASSES
from edgeseg.data.camvid import UNLABELLED, CamVid
from edgeseg.data.files import id_table

LABELLED = ("sky", "building", "road", "pavement", "tree", "car")


class Facade(CamVid):
    """One split, in the order of the file names. Errors: as `CamVid`, which has drives, where this has none."""

    terms = "LabelMeFacade: non-commercial and research experiments only"

    def __init__(self, root: Path, split: str) -> None:
        super().__init__(root, split)
        known = {i: i if name in LABELLED else IGNORE_ID for i, name in enumerate(STREET_CLASSES)}
        self._table = id_table({**known, UNLABELLED: IGNORE_ID})
