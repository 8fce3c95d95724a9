"""The painted picture of a result, made once a frame for all sinks that show pictures, and only if one does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeseg.core.masks import InstanceMasks, SemanticMask
from edgeseg.core.result import Result
from edgeseg.vision.background import Background
from edgeseg.vision.captions import Captions, Tag, tags_of
from edgeseg.vision.overlay import compose, paint, paint_instances


class Painter:
    """Paints a frame: masks, the line of figures, and the legend, or for things a tag at each in place of the legend.

    With a background it paints that instead of masks, legend and tags.

    classes: names by id. palette: [K, 3], RGB by id. headline: gives the line of figures for a result.
    """

    def __init__(
        self,
        classes: Sequence[str],
        palette: ArrayLike,
        headline: Callable[[Result], str],
        background: Background | None = None,
    ) -> None:
        self._classes = () if background else tuple(classes)
        self._background = background
        self._palette = palette
        self._headline = headline
        self._captions: Captions | None = None
        self._captions_size = (0, 0)
        self._painted: Result | None = None
        self._picture: NDArray[np.uint8] | None = None

    def warm_up(self) -> None:
        """Compiles the painting, which takes seconds the first time on a machine, before a frame waits for it."""
        blank = np.zeros((2, 2, 3), np.uint8)
        if self._background is None:
            paint(blank, np.zeros((2, 2), np.uint8), self._palette)
        compose(blank, blank, blank, 0, 0)

    def paint(self, result: Result) -> NDArray[np.uint8]:
        """Returns the painted picture, uint8 [H, W, 3] BGR, of the frame's size; the same array for the same result.

        It is valid until the next result is painted.
        """
        if self._picture is None or self._painted is not result:
            self._picture = self._paint(result)
            self._painted = result
        return self._picture

    def _paint(self, result: Result) -> NDArray[np.uint8]:
        image = result.frame.image
        if self._background is not None:
            picture = self._background(image, result.masks)
        elif isinstance(result.masks, SemanticMask):
            picture = paint(image, result.masks.labels, self._palette)
        else:
            picture = paint_instances(image, result.masks, self._palette)
        height, width = image.shape[:2]
        if self._captions is None or self._captions_size != (height, width):
            legend = () if isinstance(result.masks, InstanceMasks) else self._classes
            self._captions = Captions(legend, self._palette, height, width)
            self._captions_size = (height, width)
        tags: list[Tag] = []
        if isinstance(result.masks, InstanceMasks) and self._background is None:
            tags = tags_of(result.masks, self._palette)
        self._captions.draw(picture, self._headline(result), tags)
        return picture
