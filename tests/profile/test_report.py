"""The report of a profile: what an engineer reads in it, in a browser and without one."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from edgeseg.core.errors import UsageError
from edgeseg.profile.report import page, write_report
from tests.profile.profile_rows import drawn_row

CHROMIUM = Path("/usr/bin/chromium")
PIXEL = "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/2Q=="
VOID = {"meta", "link", "img", "input", "br"}


@cache
def drawn() -> Any:
    return drawn_row(rounds=1)


def row(model: str = "net-a", precision: str = "fp32", fps: float = 40.0, miou: float = 0.6, **changes: Any) -> Any:
    """A row whose figures are these."""
    made = {**copy.deepcopy(drawn()), "id": f"{model} onnxruntime {precision}", "model": model, "precision": precision}
    made.update(fps=fps, fps_ci=[0.9 * fps, 1.1 * fps], per_class={"sky": 0.91, "pole": None}, still=PIXEL)
    made["accuracy"] = {"metric": "miou", "value": miou, "ci": [miou - 0.02, miou + 0.02]}
    made["paced"].update(captured=100, delivered=94, dropped={"newer frame": 6})
    made["serial"].update(mean_ms={"decode": 5.0, "engine": 11.95, "remainder": 0.05}, frame_mean_ms=17.0)
    return {**made, **changes}


def document() -> Any:
    """Three rows on the front, one behind it, one that is judged by mask AP; corruption, flicker and a long run in one each."""
    fog = {"corrupted": {"fog": [0.5, 0.4, 0.3, 0.2, 0.1]}, "strengths": {"fog": ["thin", "2", "3", "4", "thick"]}}
    things = {"task": "instances", "accuracy": {"metric": "mask_ap", "value": 0.31, "ci": None}, "still": None}
    flicker = {"source": "street://", "frames": 9, "share": 0.021, "steady_share": 0.01}
    unknown = {"temperature_c": [None] * 6, "clock_mhz": [None] * 6}
    sustained = {"seconds": 60.0, "window_s": 10.0, "fps": [20.0] * 6, **unknown, "drop": 0.0}
    rows = [
        row(robustness={"images": 4, "clean": 0.6, **fog}),
        row(precision="int8", fps=90.0, miou=0.59, flicker=flicker),
        row("net-b", fps=12.0, miou=0.7),
        row("net-b", "bf16", fps=11.0, miou=0.69),
        row("things", fps=20.0, **things, sustained=sustained),
    ]  # fmt: skip
    front = [rows[1]["id"], rows[0]["id"], rows[2]["id"]]
    advice = "Take net-a INT8: 90 FPS, mIoU 0.590."
    return {
        "rows": rows,
        "front": front,
        "budget": {"fps": 30},
        "advice": advice,
        "chosen": rows[1]["id"],
        "command": "edgeseg profile",
    }


class Reader(HTMLParser):
    """Checks that every element is closed in its turn; keeps the elements with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words += f" {data}"


def read(given: Any) -> tuple[Reader, str]:
    """Returns the page, and its words with single spaces."""
    reader = Reader(page(given))
    return reader, " ".join(reader.words.split())


def test_the_page_is_well_formed_and_says_what_was_found_without_javascript() -> None:
    reader, words = read(document())
    assert reader.open == []
    for said in ("Take net-a INT8: 90 FPS, mIoU 0.590.", "a processor", "numpy 2.0", "2026-01-01 00:00 UTC",
                 "edgeseg profile", "101 of 101 images", "at least 30 FPS", "mIoU 0.590 0.570 to 0.610", "90.0 81.0 to 99.0",
                 "mask AP 0.310", "6 of 100 newer frame", "1.00 M", "engine 11.9", "= 17.0 ms"):  # fmt: skip
        assert said in words, said


def test_nothing_outside_the_file_is_named() -> None:
    reader, _ = read(document())
    for tag, attributes in reader.elements:
        for name in ("src", "href", "action", "srcset", "data"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, attributes)
    assert "url(" not in page(document()) and "@import" not in page(document())


def test_texts_of_the_document_are_harmless_wherever_they_stand() -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    given = document()
    given.update(advice=evil, command=evil)
    given["rows"].append(
        row(
            evil,
            evil,
            data=evil,
            split=evil,
            source=evil,
            still=f"data:image/jpeg;base64,{evil}",
            per_class={evil: 0.5},
        )
    )
    given["rows"][-1]["machine"]["processor"] = evil
    given["rows"][-1]["serial"] = {**given["rows"][-1]["serial"], "mean_ms": {evil: 5.0}}
    tame, _ = read(document())
    wild, words = read(given)
    assert words.count("<script>alert(1)</script>") >= 5
    count = [sum(tag == "script" for tag, _ in reader.elements) for reader in (tame, wild)]
    assert count == [2, 2]
    assert not any(name.startswith("on") for _, attributes in wild.elements for name in attributes)
    assert all((known["src"] or "").startswith("data:image/") for tag, known in wild.elements if tag == "img")


def test_what_was_not_measured_is_said_and_not_shown_as_a_number() -> None:
    nothing = {"accuracy": {"metric": "miou", "value": None, "ci": None}, "fps": None, "fps_ci": None}
    unknown = {**row(), **nothing, "latency_quantiles_ms": []}
    _, words = read([unknown, row("other")])
    assert "net-a FP32 · onnxruntime not measured not measured 1" in words
    assert "nan" not in words.lower().split() and "None" not in words
    assert "Not measured, in any row: mIoU, rate." in read([unknown])[1]


def test_a_report_without_rows_or_budget_says_so() -> None:
    assert "No row was finished." in read([])[1]
    assert "No budget was set" in read([row()])[1]


def test_the_file_appears_whole_and_alone(tmp_path: Path) -> None:
    write_report(tmp_path / "r.html", [row()])
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.html"]
    assert (tmp_path / "r.html").read_text(encoding="utf-8").endswith("</html>")


@pytest.mark.parametrize("given", [{"rows": 3}, {}, [{"format": 0}], [{**row(), "format": 99}]])
def test_what_is_no_profile_is_refused_and_an_older_report_stays(tmp_path: Path, given: Any) -> None:
    (tmp_path / "r.html").write_text("old")
    with pytest.raises(UsageError, match="profile"):
        write_report(tmp_path / "r.html", given)
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("r.html", "old")]


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.html"):
        write_report(tmp_path / "r.pdf", [])


# In a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    with driver.sync_playwright() as started:
        chromium = started.chromium.launch(
            executable_path=str(CHROMIUM), args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "r.html"
    write_report(path, document())
    return path


@pytest.fixture
def opened(browser: Any, file: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The report in a tab, `width` pixels wide. Afterwards: nothing was complained about, nothing asked of a network."""
    trouble: list[str] = []
    tab = browser.new_page(viewport={"width": getattr(request, "param", 1280), "height": 900})
    tab.on("console", lambda message: trouble.append(message.text))
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else trouble.append(asked.url))
    tab.goto(file.as_uri())
    yield tab
    tab.close()
    assert trouble == []


def point(tab: Any, name: str) -> Any:
    return tab.locator(f'.point[data-id="{name}"]')


def told(tab: Any) -> str:
    return re.sub(r"\s+", " ", tab.locator("#tip").inner_text())


def test_a_point_tells_its_values_to_the_mouse_and_to_the_keyboard(opened: Any) -> None:
    point(opened, "net-a onnxruntime int8").hover()
    assert "mIoU 0.590 (0.570 to 0.610) FPS over a file 90.0 (81.0 to 99.0)" in told(opened)
    opened.mouse.move(2, 2)
    assert opened.locator("#tip").is_hidden()
    opened.locator('.point[tabindex="0"]').focus()
    assert "net-b BF16" in told(opened) and "FPS over a file 11.0" in told(opened)
    opened.keyboard.press("ArrowRight")
    assert "net-b FP32" in told(opened) and "FPS over a file 12.0" in told(opened)


def test_points_stand_where_their_values_are(opened: Any) -> None:
    boxes = [
        point(opened, f"{name}").bounding_box()
        for name in ("net-b onnxruntime fp32", "net-a onnxruntime fp32", "net-a onnxruntime int8")
    ]
    x = [box["x"] + box["width"] / 2 for box in boxes]
    y = [box["y"] + box["height"] / 2 for box in boxes]
    assert x == sorted(x) and y == sorted(y)
    # The axis is logarithmic: 12 to 40 is log(3.33) wide, 40 to 90 log(2.25).
    assert (x[1] - x[0]) / (x[2] - x[1]) == pytest.approx(1.204 / 0.811, rel=0.03)


def test_the_front_is_named_and_follows_what_is_switched_off(opened: Any) -> None:
    assert opened.locator("#front li").all_inner_texts() == [
        "net-a INT8 · onnxruntime",
        "net-a FP32 · onnxruntime",
        "net-b FP32 · onnxruntime",
    ]
    opened.locator("label.chip", has_text="FP32").click()
    assert opened.locator("#front li").all_inner_texts() == ["net-a INT8 · onnxruntime", "net-b BF16 · onnxruntime"]
    assert opened.locator(".point").count() == 2
    assert opened.locator("tr:visible th", has_text="FP32").count() == 0
    opened.locator("label.chip", has_text="FP32").click()
    assert opened.locator(".point").count() == 4


def test_the_chart_opens_on_what_is_recommended_else_on_what_most_rows_were_judged_by(
    browser: Any, tmp_path: Path
) -> None:
    given, shown = document(), []
    given["rows"].insert(0, given["rows"].pop())  # the one that was judged otherwise is the first
    for chosen in (given["chosen"], None, given["rows"][0]["id"]):
        given["chosen"] = chosen
        write_report(tmp_path / "r.html", given)
        tab = browser.new_page()
        tab.goto((tmp_path / "r.html").as_uri())
        shown.append((tab.locator("select[name=judged]").input_value().split(" on ")[0], tab.locator(".point").count()))
        tab.close()
    assert shown == [("mIoU", 4), ("mIoU", 4), ("mask AP", 1)]


def test_what_is_slower_and_no_more_accurate_is_not_on_the_chart_s_front(browser: Any, tmp_path: Path) -> None:
    given = document()
    given["rows"].append(row("net-c", fps=30.0, miou=0.6006))  # net-a FP32: 40 FPS, 0.6
    write_report(tmp_path / "r.html", given)
    tab = browser.new_page()
    tab.goto((tmp_path / "r.html").as_uri())
    assert [name.split()[0] for name in tab.locator("#front li").all_inner_texts()] == ["net-a", "net-a", "net-b"]
    tab.close()


def test_the_axis_and_the_kind_of_accuracy_can_be_chosen(opened: Any) -> None:
    opened.select_option("select[name=axis]", "age_p95")
    assert "less is better" in opened.locator(".axis").first.inner_html()
    opened.select_option("select[name=judged]", label="mask AP on camvid, val, 101 images")
    assert opened.locator(".point").count() == 1
    opened.locator(".point").focus()
    assert "mask AP 0.310" in told(opened)


def test_a_table_sorts_by_a_column_and_puts_what_is_missing_last(opened: Any) -> None:
    table = opened.locator("table").first
    head = table.locator("th[data-sort]", has_text="rate").first
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert "net-a INT8" in table.locator("tbody tr").first.inner_text().replace("\n", " ")
    head.locator("button").click()
    assert "net-b BF16" in table.locator("tbody tr").first.inner_text().replace("\n", " ")


def test_the_theme_can_be_switched(opened: Any) -> None:
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    seen = set()
    for name in ("Light", "Dark"):
        opened.get_by_role("button", name=name).click()
        seen.add(opened.evaluate(ground))
    assert len(seen) == 2


@pytest.mark.parametrize("opened", [390, 1280], indirect=True)
def test_the_page_is_no_wider_than_the_window(opened: Any) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    opened.locator(".point").first.focus()
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_names_in_the_chart_do_not_lie_on_each_other(opened: Any, tmp_path: Path) -> None:
    crowd = [row(f"net-{place}", fps=40.0 + place / 2, miou=0.63 - place / 500) for place in range(6)]
    write_report(tmp_path / "crowd.html", crowd)
    opened.goto((tmp_path / "crowd.html").as_uri())
    boxes = [tag.bounding_box() for tag in opened.locator(".tag").all()]
    assert len(boxes) == 6
    for place, one in enumerate(boxes):
        for other in boxes[place + 1 :]:
            apart_x = one["x"] + one["width"] <= other["x"] + 2 or other["x"] + other["width"] <= one["x"] + 2
            apart_y = one["y"] + one["height"] <= other["y"] + 2 or other["y"] + other["height"] <= one["y"] + 2
            assert apart_x or apart_y
