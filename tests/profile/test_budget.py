"""The budget's sentence, and the rows that no other beats."""

from __future__ import annotations

from edgeseg.profile.budget import Budget, advise, front, write_document
from edgeseg.profile.rows import Row
from tests.profile.profile_rows import drawn_row


def table() -> list[Row]:
    """FPS about 100 / 50 / 33 / 20; ages about 18 / 28 / 38 / 58 ms and a little more at p95."""
    return [
        drawn_row(1, name="small", precision="int8", miou=0.60, engine=1.0),
        drawn_row(2, name="large", precision="int8", miou=0.70, engine=11.0),
        drawn_row(3, name="large", precision="fp32", miou=0.703, engine=21.0),
        drawn_row(4, name="slow", precision="fp32", miou=0.65, engine=41.0),
    ]


def test_takes_the_most_accurate_that_fits_and_says_what_more_would_cost() -> None:
    sentence, row = advise(table(), Budget(fps=40, min_miou=0.65))
    assert row["id"] == "large onnxruntime int8"
    assert sentence.startswith("Take large INT8 on onnxruntime: 5")
    assert " FPS, age " in sentence and "mIoU 0.700; FP32 gives +0.3 points at 0.6" in sentence
    assert sentence.endswith(" times the FPS.")
    assert sentence.count(".") < 8


def test_the_age_counts_at_its_95th_percentile_on_the_live_source() -> None:
    rows = table()
    age = rows[1]["paced"]["latency_ms"]["p95"]
    assert age is not None
    assert advise(rows, Budget(max_age=age + 0.1, min_miou=0.65))[1]["id"] == "large onnxruntime int8"
    assert advise(rows, Budget(max_age=age - 0.1))[1]["id"] == "small onnxruntime int8"


def test_the_best_has_nothing_above_it_and_says_what_less_would_buy() -> None:
    sentence, row = advise(table(), Budget(fps=10))
    assert row["id"] == "large onnxruntime fp32"
    assert "nothing here is more accurate, INT8 gives 1.5 times the FPS at -0.3 points" in sentence


def test_of_faster_rows_that_are_equally_accurate_it_names_the_fastest() -> None:
    rows = [
        drawn_row(1, name="large", miou=0.8, engine=21.0),
        drawn_row(2, name="small", precision="fp16", miou=0.7002, engine=11.0),
        drawn_row(3, name="small", precision="bf16", miou=0.7, engine=1.0),
    ]
    assert "small BF16 on onnxruntime gives" in advise(rows, Budget(fps=10))[0]


def test_an_accuracy_on_images_of_the_training_says_so() -> None:
    rows: list[Row] = [{**row, "trained_on": True} for row in table()]
    assert "mIoU 0.703 on images that it was trained on; nothing" in advise(rows, Budget(fps=10))[0]


def test_where_none_fits_it_names_the_nearest_and_what_it_misses() -> None:
    sentence, row = advise(table(), Budget(fps=60, min_miou=0.65))
    assert row["id"] == "small onnxruntime int8"
    assert sentence == (
        "No row fits 60 FPS and an mIoU of 0.65; small INT8 on onnxruntime comes nearest: 0.600 (the rest of the budget is met)."
    )


def test_a_row_that_was_not_judged_fits_no_accuracy() -> None:
    sentence, _ = advise([drawn_row(1, miou=None)], Budget(min_miou=0.1))
    assert "its accuracy is not known" in sentence


def test_what_is_slower_must_be_more_accurate_by_a_tenth_of_a_point() -> None:
    rows = [
        drawn_row(1, name="net", precision="bf16", miou=0.7, engine=1.0),
        drawn_row(2, name="net", precision="fp16", miou=0.7006, engine=11.0),
        drawn_row(3, name="net", precision="fp32", miou=0.7012, engine=21.0),
    ]
    assert [row["precision"] for row in front(rows)] == ["bf16", "fp32"]


def test_the_front_is_what_no_row_beats_in_both() -> None:
    rows = table()
    assert [row["id"] for row in front(rows)] == [
        "small onnxruntime int8",
        "large onnxruntime int8",
        "large onnxruntime fp32",
    ]
    assert write_document(rows, Budget())["advice"] is None


def test_rows_judged_on_other_images_are_not_beaten_by_these() -> None:
    other = drawn_row(5, name="other", miou=0.1, engine=100.0)
    other["data"] = "coco:there"
    assert other["id"] in [row["id"] for row in front([*table(), other])]
