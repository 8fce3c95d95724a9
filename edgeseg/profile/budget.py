"""Which row to take: the budget's sentence, and the rows that no other beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeseg.profile.rows import Document, Row

EQUAL = 0.001
"""Accuracies that differ by less are equal: a tenth of a point."""


@dataclass(frozen=True)
class Budget:
    """What is asked for; None asks for nothing.

    fps: frames a second over a file. max_age: milliseconds from capture to mask on the live source that 95 % of the frames
    must meet. min_miou: mIoU (of instance models, mask AP), 0..1.
    """

    fps: float | None = None
    max_age: float | None = None
    min_miou: float | None = None

    def asked(self) -> dict[str, float]:
        """Returns what is asked for, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def shortfalls(self, row: Row) -> dict[str, float]:
        """Returns by how much a row misses what is asked for, as shares of it; nothing where it fits. A figure that is not known
        misses wholly."""
        age, worth, rate = row["paced"]["latency_ms"]["p95"], row["accuracy"]["value"], row["fps"]
        short: dict[str, float] = {}
        if self.fps is not None and (rate is None or rate < self.fps):
            short["fps"] = 1.0 if rate is None else 1 - rate / self.fps
        if self.max_age is not None and (age is None or age > self.max_age):
            short["max_age"] = 1.0 if age is None else 1 - self.max_age / age
        if self.min_miou is not None and (worth is None or worth < self.min_miou):
            short["min_miou"] = 1.0 if worth is None else 1 - worth / self.min_miou
        return short


def write_document(rows: Sequence[Row], budget: Budget, command: str | None = None) -> Document:
    """Returns the rows with their front and the budget's sentence. command: what the user typed."""
    advice, chosen = advise(rows, budget) if budget.asked() and rows else (None, None)
    return {
        "rows": list(rows),
        "front": [row["id"] for row in front(rows)],
        "budget": budget.asked(),
        "advice": advice,
        "chosen": chosen["id"] if chosen else None,
        "command": command,
    }


def front(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows that no other beats in both accuracy and rate; fastest first. Only rows judged alike are compared.

    A slower row must be more accurate by a tenth of a point: two precisions of one network differ by less for no reason.
    """
    kept: list[Row] = []
    best: dict[tuple[str, str, int, bool], float] = {}
    for row in sorted(rows, key=lambda row: (-(row["fps"] or 0.0), -(row["accuracy"]["value"] or 0.0))):
        worth, kind = row["accuracy"]["value"], _kind(row)
        if row["fps"] is not None and worth is not None and worth >= best.get(kind, -1.0) + EQUAL:
            best[kind] = worth
            kept.append(row)
    return kept


def advise(rows: Sequence[Row], budget: Budget) -> tuple[str, Row]:
    """Returns which row to take and what more would cost, in one sentence; or which comes nearest, where none fits.

    Of those that fit the most accurate is taken; of equals in that, to a tenth of a point, the fastest.
    """
    fitting = [row for row in rows if not budget.shortfalls(row)]
    if not fitting:
        nearest = min(rows, key=lambda row: (sum(budget.shortfalls(row).values()), -(row["fps"] or 0.0)))
        return f"No row fits {_said(budget)}; {_named(nearest)} comes nearest: {_missed(nearest, budget)}.", nearest
    best = max(fitting, key=lambda row: (round(row["accuracy"]["value"] or 0.0, 3), row["fps"] or 0.0))
    return f"Take {_named(best)}: {_figures(best)}{_more(best, rows)}.", best


def _more(best: Row, rows: Sequence[Row]) -> str:
    """What the next more accurate row would cost; where there is none, what the next faster would. Equal to a tenth of a point is
    equal."""
    worth, rate = best["accuracy"]["value"], best["fps"]
    if worth is None or rate is None:
        return ""
    alike = [row for row in rows if _kind(row) == _kind(best) and row["accuracy"]["value"] is not None and row["fps"]]
    better = [row for row in alike if (row["accuracy"]["value"] or 0.0) >= worth + EQUAL]
    if better:
        other = max(better, key=lambda row: row["fps"] or 0.0)
        won = 100 * ((other["accuracy"]["value"] or 0.0) - worth)
        return f"; {_short(other, best)} gives {won:+.1f} points at {_share((other['fps'] or 0.0) / rate)} the FPS"
    faster = [row for row in alike if (row["fps"] or 0.0) > 1.1 * rate]
    if faster:
        least = max(row["accuracy"]["value"] or 0.0 for row in faster) - EQUAL
        equals = [row for row in faster if (row["accuracy"]["value"] or 0.0) >= least]
        other = max(equals, key=lambda row: row["fps"] or 0.0)
        lost = 100 * ((other["accuracy"]["value"] or 0.0) - worth)
        rate_for_it = f"gives {_share((other['fps'] or 0.0) / rate)} the FPS at {lost:+.1f} points"
        return f"; nothing here is more accurate, {_short(other, best)} {rate_for_it}"
    return "; nothing here is more accurate or much faster"


def _share(ratio: float) -> str:
    return f"{ratio:.2g} times" if ratio < 10 else f"{ratio:.0f} times"


def _kind(row: Row) -> tuple[str, str, int, bool]:
    """What must agree for two accuracies to be compared."""
    return row["accuracy"]["metric"], row["data"], row.get("images", 0), row["trained_on"]


def _named(row: Row) -> str:
    return f"{row['model']} {row['precision'].upper()} on {row['engine']['name']}"


def _short(row: Row, beside: Row) -> str:
    """A row's name, as far as it differs from another's."""
    if row["model"] != beside["model"]:
        return _named(row)
    on = f" on {row['engine']['name']}" if row["engine"]["name"] != beside["engine"]["name"] else ""
    return f"{row['precision'].upper()}{on}"


def _figures(row: Row) -> str:
    age, worth = row["paced"]["latency_ms"]["p95"], row["accuracy"]["value"]
    parts = [f"{row['fps']:.0f} FPS"] if row["fps"] is not None else []
    if age is not None:
        parts.append(f"age {age:.0f} ms at p95")
    if worth is not None:
        seen = " on images that it was trained on" if row["trained_on"] else ""
        parts.append(f"{'mask AP' if row['accuracy']['metric'] == 'mask_ap' else 'mIoU'} {worth:.3f}{seen}")
    return ", ".join(parts)


def _said(budget: Budget) -> str:
    words = {"fps": "{:g} FPS", "max_age": "an age of {:g} ms", "min_miou": "an mIoU of {:g}"}
    parts = [words[name].format(value) for name, value in budget.asked().items()]
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _missed(row: Row, budget: Budget) -> str:
    short, parts = budget.shortfalls(row), []
    age, worth, rate = row["paced"]["latency_ms"]["p95"], row["accuracy"]["value"], row["fps"]
    for name, figure in (("fps", rate), ("max_age", age), ("min_miou", worth)):
        if name not in short:
            continue
        if figure is None:
            parts.append({"fps": "its rate", "max_age": "its age", "min_miou": "its accuracy"}[name] + " is not known")
        else:
            parts.append(
                {"fps": "{:.0f} FPS", "max_age": "an age of {:.0f} ms at p95", "min_miou": "{:.3f}"}[name].format(
                    figure
                )
            )
    kept = [name for name in budget.asked() if name not in short]
    return ", ".join(parts) + ("" if not kept else " (the rest of the budget is met)")
