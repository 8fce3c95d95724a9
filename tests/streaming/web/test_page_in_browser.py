"""The page in a real browser, on the rendered street as the shipped model sees it: what a person would see and press."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edgeseg.core.masks import InstanceMasks
from edgeseg.core.result import Frame, Result, Timing
from edgeseg.runtime.segmenter import load
from edgeseg.streaming.opening import open_source
from edgeseg.streaming.pipeline import Stream
from edgeseg.streaming.web.controls import ModelChoice
from edgeseg.streaming.web.feed import Feed
from edgeseg.streaming.web.sink import PageSink
from tests.streaming.web.browsing import PHONE, SUM, Asked, live, needs_chromium, shows, wait_until_it_changes

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked((ModelChoice("fast-scnn-street", ("fp32",)), ModelChoice("other", ("fp32", "int8"))))


@pytest.fixture(scope="module")
def street(asked: Asked) -> Iterator[str]:
    """The address of a page on the street, which goes on for as long as the module's tests."""
    segmenter = load("fast-scnn-street", engine="onnxruntime", precision="fp32", threads=1)
    with Stream(open_source("street://?size=320x180&fps=15"), segmenter, owns_segmenter=True) as stream:
        sink = PageSink(stream, [asked], port=0)

        def play() -> None:
            for result in stream:
                sink.write(result)

        player = threading.Thread(target=play)
        player.start()
        yield sink.address
        stream.close()
        player.join()
        sink.close()


def test_the_picture_moves_and_the_charts_fill_without_a_complaint_or_a_foreign_request(visit, street: str) -> None:
    page = live(visit(street))
    for canvas in ("picture", "mask", "fps-chart", "age-chart", "stages-chart"):
        wait_until_it_changes(page, canvas)
    assert "engine" in page.inner_text("#stages")
    assert page.inner_text("#viewers") == "1 viewer"
    assert float(page.inner_text("#fps-now")) > 0
    page.wait_for_function("() => document.getElementById('fps-chart').getAttribute('aria-label')?.includes('FPS')")
    assert page.said == []
    assert page.outside == []


def test_masks_go_away_class_by_class_and_all_at_once(visit, street: str) -> None:
    page = live(visit(street))
    alpha = "() => { const c = document.getElementById('mask'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height)"
    alpha += ".data; let n = 0; for (let i = 3; i < d.length; i += 4) if (d[i]) n++; return n / (d.length / 4); }"
    assert page.evaluate(alpha) == 1, "every pixel of the street has a class"
    page.get_by_label("road").uncheck()
    page.wait_for_function(f"() => ({alpha})() < 0.9")
    page.get_by_role("button", name="Hide all classes").click()
    page.wait_for_function(f"() => ({alpha})() === 0")
    page.get_by_role("button", name="Show all classes").click()
    page.wait_for_function(f"() => ({alpha})() === 1")
    page.get_by_role("slider", name="Masks").fill("0")
    page.wait_for_function(f"() => ({alpha})() === 0")


def test_pointer_and_arrow_keys_name_what_is_seen(visit, street: str) -> None:
    page = live(visit(street))
    box = page.locator("#marks").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.9)
    assert page.inner_text("#probe") == "road"
    page.mouse.move(0, 0)
    page.wait_for_selector("#probe[hidden]", state="attached")
    page.focus("#marks")
    for _ in range(20):
        page.keyboard.press("ArrowDown")
    assert page.inner_text("#probe") == "road"


def test_buttons_ask_and_say_what_came_of_it(visit, street: str, asked: Asked) -> None:
    page = live(visit(street))
    assert page.is_disabled("#switch"), "nothing to switch to is chosen yet"
    page.get_by_label("Network").select_option("other")
    page.get_by_label("Precision").select_option("int8")
    page.click("#switch")
    page.get_by_text("now other in int8").wait_for()
    assert asked.asked == [("other", "int8")]
    page.click("#record")
    page.get_by_text("recording to street.mp4").wait_for()
    page.wait_for_selector("#record[aria-pressed=true]")
    page.click("#record")
    page.get_by_text("recorded street.mp4").wait_for()
    page.click("#snapshot")
    page.get_by_text("saved street.png").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save it here too").click()
    assert download.value.suggested_filename.endswith(".png")


def test_a_viewer_that_stalls_stops_neither_the_other_nor_itself_for_good(visit, street: str) -> None:
    quick, stalled = live(visit(street)), live(visit(street))
    stalled.evaluate("Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })")
    quick.wait_for_function("() => document.getElementById('viewers').textContent === '2 viewers'")
    wait_until_it_changes(quick, "picture")
    stands = stalled.evaluate(SUM, "picture")
    for _ in range(3):
        wait_until_it_changes(quick, "picture")
    assert stalled.evaluate(SUM, "picture") == stands
    stalled.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    wait_until_it_changes(stalled, "picture")
    stalled.get_by_text("not sent to you").wait_for()


def test_on_a_phone_nothing_is_wider_than_the_screen(visit, street: str) -> None:
    page = live(visit(street, PHONE))
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    wait_until_it_changes(page, "picture")


def test_everything_that_can_be_used_has_a_name_and_can_be_reached_by_tab(visit, street: str) -> None:
    page = live(visit(street))
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, canvas[tabindex]")]
            .filter((e) => e.offsetParent && !(e.ariaLabel || e.labels?.[0]?.textContent.trim() || e.textContent.trim()))
            .map((e) => e.outerHTML)"""
    )
    assert nameless == []
    reached = set()
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"marks", "opacity", "snapshot", "record", "model", "precision"} <= reached


@pytest.fixture
def things_page(bars_stream: Stream, bars: np.ndarray) -> Iterator[tuple[PageSink, Any]]:
    """A page without controls, and write(): a green thing with the id 12 in the middle of the bars."""
    sink = PageSink(bars_stream, port=0)
    masks = np.zeros((1, 120, 180), dtype=bool)
    masks[:, 20:100, 60:120] = True
    box = np.array([[60, 20, 120, 100]], np.float32)

    def write(index: int, there: bool = True) -> None:
        now = time.monotonic_ns()
        things = InstanceMasks(
            masks, box, np.array([0.9], np.float32), np.array([1], np.uint8), ("red", "green", "blue"), np.array([12])
        )
        things = things if there else things.chosen(np.array([False]))
        sink.write(Result(Frame(bars, index, now, "bars"), things, Timing({}, now), bars_stream.segmenter.engine))

    yield sink, write
    sink.close()


def test_a_thing_is_followed_by_click_and_by_keyboard(visit, things_page) -> None:
    sink, write = things_page
    write(0)
    page = shows(visit(sink.address))
    box = page.locator("#marks").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.inner_text("#probe") == "green 12, 90\u202f%"
    page.get_by_text("following green 12").wait_for()
    page.wait_for_selector("#things button[aria-pressed=true]")
    page.focus("#things button")
    page.keyboard.press("Enter")
    page.get_by_text("following nothing").wait_for()
    page.wait_for_selector("#things button[aria-pressed=false]")
    write(1, there=False)
    page.wait_for_selector("#things button", state="detached")
    assert page.said == []


def test_without_controls_a_snapshot_is_saved_by_the_browser(visit, things_page) -> None:
    sink, write = things_page
    write(0)
    page = shows(visit(sink.address))
    assert not page.is_visible("#record") and not page.is_visible("#switch")
    with page.expect_download() as download:
        page.click("#snapshot")
    assert download.value.suggested_filename == "edgeseg-0.png"


def test_the_states_are_told(visit, things_page, monkeypatch) -> None:
    sink, write = things_page
    monkeypatch.setattr(Feed, "silent_seconds", 0.0)
    page = visit(sink.address)
    page.get_by_role("status").get_by_text("waiting for the first picture").wait_for()
    write(0)
    live(page)
    with monkeypatch.context() as silent:
        silent.setattr(Feed, "silent_seconds", 3.4)
        page.get_by_role("status").get_by_text("camera silent for 3 s").wait_for()
    live(page)
    sink.close()
    page.get_by_role("status").get_by_text("the run has ended").wait_for()
