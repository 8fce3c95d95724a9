"""How the tests of the page drive a browser, and what they ask of what it shows."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from edgeseg.streaming.web.controls import ModelChoice

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here: apt-get install chromium")
PATIENCE_MS = 20_000
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SUM = "(id) => { const c = document.getElementById(id); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height)"
SUM += ".data; let s = 0; for (let i = 0; i < d.length; i += 4) s = (s * 31 + d[i] + d[i + 3]) % 1000003; return s; }"
"""A number for what a canvas shows."""


class Asked:
    """Controls that do nothing but remember."""

    def __init__(self, models: tuple[ModelChoice, ...]) -> None:
        self.models, self.recording, self.trouble = models, False, ""
        self.asked: list[tuple[str, str]] = []

    def switch(self, model: str, precision: str) -> str:
        self.asked.append((model, precision))
        return f"now {model} in {precision}"

    def record(self, on: bool) -> str:
        self.recording = on
        return "recording to street.mp4" if on else "recorded street.mp4"

    def snapshot(self) -> str:
        return "saved street.png"


def shows(page: Any) -> Any:
    """Waits until a page shows a picture."""
    page.wait_for_selector("#hud:not([hidden])")
    return page


def live(page: Any) -> Any:
    """Waits until a page shows pictures, and newer ones come."""
    page.wait_for_selector("#state[data-state=live]")
    return shows(page)


def wait_until_it_changes(page: Any, canvas: str) -> None:
    before = page.evaluate(SUM, canvas)
    page.wait_for_function(f"([id, before]) => ({SUM})(id) !== before", arg=[canvas, before])
