"""Whether an engine computes what the bundle's author saw: one known image, its known answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import EngineError
from edgeseg.runtime.engine import Engine

TOLERANCE = {"fp32": 0.002, "fp16": 0.01, "bf16": 0.12, "int8": 0.15}
"""Precision -> largest root mean square difference, as a share of the expected output's standard deviation.

Swapped colours come out 0.17 off and more on every bundle that ships; noise of three grey levels moves an instance model's
prototypes and scores by 0.1 to 0.3, BF16 by up to 0.1, at the same average precision. What a precision costs in accuracy is for
`quantize` and `profile` to say.
"""


def check_golden(engine: Engine, bundle: Bundle) -> None:
    """Raises EngineError where the engine's answer to the golden image is not the bundle's; a swapped colour order or a
    mirrored picture is recognised and named."""
    image, expected = bundle.golden()
    distance = _distance(engine.infer(image), expected)
    limit = TOLERANCE[engine.info.precision]
    if distance <= limit:
        return
    who = f"{engine.info.name} {engine.info.precision} on {bundle.name}"
    alterations = {
        "red and blue are swapped": image[:, :, ::-1],
        "the picture is mirrored": image[:, ::-1],
        "the picture is upside down": image[::-1],
    }
    for what, altered in alterations.items():
        if _distance(engine.infer(np.ascontiguousarray(altered)), expected) <= limit:
            raise EngineError(
                f"{who}: the golden frame comes out right only if {what}: the graph's input is wired wrongly; export it anew"
            )
    raise EngineError(
        f"{who}: the golden frame comes out {distance:.3f} off, at most {limit} is allowed: "
        "take another --engine or --precision, or export the bundle anew"
    )


def _distance(actual: dict[str, NDArray[np.float32]], expected: dict[str, NDArray[np.float32]]) -> float:
    worst = 0.0
    for name, reference in expected.items():
        if name not in actual or actual[name].shape != reference.shape:
            return float("inf")
        held = ~np.isnan(reference)
        kept = reference[held]
        difference = np.sqrt(np.mean(np.square(actual[name][held] - kept), dtype=np.float64))
        worst = max(worst, float(difference / (np.std(kept) + 1e-9)))
    return worst if np.isfinite(worst) else float("inf")
