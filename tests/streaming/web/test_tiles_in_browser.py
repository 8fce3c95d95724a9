"""Several streams on the page, in a real browser: a tile each, and the way to one of them and back."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeseg.runtime.segmenter import load
from edgeseg.streaming.opening import open_source
from edgeseg.streaming.pipeline import Stream
from edgeseg.streaming.web.sink import PageSink
from tests.streaming.web.browsing import PHONE, Asked, needs_chromium, wait_until_it_changes

pytestmark = needs_chromium
ADDRESSES = ("street://?size=160x96&fps=10", "street://?size=160x96&fps=10&seed=2", "street://?size=160x96&frames=3")
"""Two that go on, and one that ends after three frames."""


@pytest.fixture(scope="module")
def asked() -> list[Asked]:
    return [Asked(()) for _ in ADDRESSES]


@pytest.fixture(scope="module")
def streets(asked: list[Asked], bundle_folder: Path) -> Iterator[str]:
    """The address of a page on all of them."""
    segmenter = load(bundle_folder, engine="onnxruntime", threads=1)
    with Stream([open_source(each) for each in ADDRESSES], segmenter, owns_segmenter=True) as stream:
        sink = PageSink(stream, asked, port=0)

        def play() -> None:
            for result in stream:
                sink.write(result)

        player = threading.Thread(target=play)
        player.start()
        yield sink.address
        stream.close()
        player.join()
        sink.close()


def tiled(page: Any) -> Any:
    """Waits until each tile shows a picture, and calls their canvases by an id."""
    page.wait_for_function("() => document.querySelectorAll('.tile:not(.empty) .figures:not([hidden])').length === 3")
    page.evaluate(
        """() => document.querySelectorAll(".tile").forEach((tile, at) =>
            tile.querySelectorAll("canvas").forEach((canvas, layer) => { canvas.id = `${at}-${["picture", "mask"][layer]}`; }))"""
    )
    return page


def test_every_tile_moves_with_its_masks_and_says_how_it_stands(visit, streets: str) -> None:
    page = tiled(visit(streets))
    for canvas in ("0-picture", "1-picture", "0-mask", "1-mask"):
        wait_until_it_changes(page, canvas)
    names = [tile.inner_text() for tile in page.locator(".tile .name span").all()]
    assert names == list(ADDRESSES)
    page.wait_for_function("() => Number(document.querySelector('.tile .figures b').textContent) > 0")
    assert page.inner_text("#source") == "3 streams"
    assert not page.is_visible("#stage") and not page.is_visible("#figures")
    assert page.said == [] and page.outside == []


def test_a_click_shows_one_stream_with_its_ledger_and_escape_shows_all_again(visit, streets: str) -> None:
    page = tiled(visit(streets))
    page.locator(".tile").nth(2).click()
    page.wait_for_function("() => document.getElementById('captured').textContent === '3'")
    assert page.inner_text("#source") == ADDRESSES[2]
    assert not page.is_visible("#tiles")
    page.keyboard.press("Escape")
    page.wait_for_selector("#tiles")
    assert page.inner_text("#source") == "3 streams"
    wait_until_it_changes(page, "0-picture")
    page.locator(".tile").nth(1).click()
    wait_until_it_changes(page, "picture")
    page.wait_for_function("() => Number(document.getElementById('captured').textContent) > 3")
    assert page.said == []


def test_enter_opens_the_focused_tile_and_the_focus_comes_back_to_it(visit, streets: str) -> None:
    page = tiled(visit(streets))
    at = "document.activeElement.getAttribute('href') ?? document.activeElement.id"
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate(at) == "#1":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("#stage")
    assert page.evaluate(at) == "marks"
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#probe:not([hidden])")
    page.keyboard.press("Escape")
    assert page.is_visible("#stage"), "the first Escape puts the pointer away"
    page.keyboard.press("Escape")
    page.wait_for_selector("#tiles")
    assert page.evaluate(at) == "#1"


def test_an_address_names_a_stream_and_links_lead_to_the_others(visit, streets: str) -> None:
    page = visit(streets + "#1")
    page.wait_for_selector("#hud:not([hidden])")
    assert page.inner_text("#source") == ADDRESSES[1]
    page.get_by_role("link", name="Stream 0,").click()
    page.get_by_text(ADDRESSES[0], exact=True).locator("visible=true").wait_for()
    page.go_back()
    page.wait_for_function("(name) => document.getElementById('source').textContent === name", arg=ADDRESSES[1])
    page.get_by_role("link", name="All streams").click()
    page.wait_for_selector("#tiles")


def test_buttons_are_those_of_the_stream_that_is_shown(visit, streets: str, asked: list[Asked]) -> None:
    page = visit(streets + "#1")
    page.wait_for_selector("#hud:not([hidden])")
    page.click("#record")
    page.wait_for_selector("#record[aria-pressed=true]")
    assert [each.recording for each in asked] == [False, True, False]
    page.keyboard.press("Escape")
    page.wait_for_selector(".tile >> nth=1 >> .recording:not([hidden])")
    assert not page.locator(".tile").nth(0).locator(".recording").is_visible()
    asked[1].recording = False


def test_pictures_are_asked_for_only_of_what_is_on_the_screen(visit, streets: str) -> None:
    page = visit(streets, PHONE)
    sent: list[dict[str, Any]] = []
    page.on("websocket", lambda ws: ws.on("framesent", lambda payload: sent.append(json.loads(payload))))
    page.reload()
    page.wait_for_selector(".tile:not(.empty)")
    page.set_viewport_size({"width": 390, "height": 300})
    page.wait_for_timeout(300)
    watched = [said["streams"] for said in sent if said["kind"] == "watch"]
    assert watched[-1] == [0, 1], "the third is under the screen's edge"
    page.locator(".tile").nth(0).click()
    page.wait_for_selector("#hud:not([hidden])")
    watched = [said for said in sent if said["kind"] == "watch"]
    assert (watched[-1]["streams"], watched[-1]["large"]) == ([0], True)


def test_on_a_phone_tiles_stand_one_under_another_and_nothing_is_wider_than_the_screen(visit, streets: str) -> None:
    page = tiled(visit(streets, PHONE))
    boxes = [tile.bounding_box() for tile in page.locator(".tile").all()]
    assert {(box["x"], box["width"]) for box in boxes} == {(0, PHONE["width"])}
    assert boxes[0]["y"] < boxes[1]["y"] < boxes[2]["y"]
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_on_a_desktop_all_tiles_are_in_the_window(visit, streets: str) -> None:
    page = tiled(visit(streets))
    boxes = [tile.bounding_box() for tile in page.locator(".tile").all()]
    assert max(box["y"] + box["height"] for box in boxes) <= page.viewport_size["height"]
    assert boxes[0]["y"] == boxes[1]["y"] < boxes[2]["y"]
