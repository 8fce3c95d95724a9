"""A window that shows the painted pictures."""

from __future__ import annotations

import os
import re
import sys

import cv2

from edgeseg.core.errors import SinkError
from edgeseg.core.result import Result
from edgeseg.streaming.sinks.picture import Painter

QUIT_KEYS = {ord("q"), 27}


def window_reason() -> str:
    """Returns why no window can be shown here and what to do about it, "" where one can."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "there is no display"
    gui = re.search(r"^\s*GUI:\s*(\S+)", cv2.getBuildInformation(), re.MULTILINE)
    if gui is None or gui.group(1) == "NONE":
        return "this OpenCV has no windows: pip uninstall -y opencv-python-headless && pip install opencv-python"
    return ""


class WindowSink:
    """Shows every picture. closed: whether the user has closed the window, or pressed q or Esc.

    Raises SinkError where no window opens, which `window_reason` can't always foresee.
    """

    def __init__(self, title: str, painter: Painter) -> None:
        self._title, self._painter = title, painter
        self.closed = False
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error as error:
            raise SinkError(f"no window can be opened ({error.err}): leave it out with --no-view") from error

    def write(self, result: Result) -> None:
        """Shows one result's picture."""
        cv2.imshow(self._title, self._painter.paint(result))
        pressed = cv2.waitKey(1) & 0xFF
        self.closed = pressed in QUIT_KEYS or cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1

    def close(self) -> str:
        """Takes the window away; nothing of it stays."""
        cv2.destroyAllWindows()
        return ""
