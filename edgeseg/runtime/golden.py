"""Whether an engine computes what the bundle's author saw: one known image, its known answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import EngineError
from edgeseg.runtime.engine import Engine

TOLERANCE = {"fp32": 0.002, "fp16": 0.01, "bf16": 0.06, "int8": 0.15}
"""Precision -> largest root mean square difference, as a share of the expected output's standard deviation, mean of the outputs."""
ROUNDED = ("bf16", "int8")
"""Precisions that may be twice as far off where the model itself is sensitive: where any wrong input is twice as far off again."""


def check_golden(engine: Engine, bundle: Bundle) -> None:
    """Raises EngineError where the engine's answer to the golden image is not the bundle's; a swapped colour order or a
    mirrored picture is recognised and named.

    An instance model's scores and prototypes move by 0.2 with noise of three grey levels, and as much by rounding, while its
    average precision stays: no one number fits all models. What a precision costs is for `quantize` and `profile` to say.
    """
    image, expected = bundle.golden()
    limit = TOLERANCE[engine.info.precision]
    distance = _distance(engine.infer(image), expected)
    if distance <= limit:
        return
    alterations = {
        "red and blue are swapped": image[:, :, ::-1],
        "the picture is mirrored": image[:, ::-1],
        "the picture is upside down": image[::-1],
    }
    distances = {"": distance}
    for what, altered in alterations.items():
        distances[what] = _distance(engine.infer(np.ascontiguousarray(altered)), expected)
    nearest, second = sorted(distances, key=distances.__getitem__)[:2]
    stands_out = engine.info.precision in ROUNDED and 2 * distances[nearest] <= distances[second]
    if distances[nearest] <= limit * (2 if stands_out else 1):
        if not nearest:
            return
        raise EngineError(
            f"{_who(engine, bundle)}: the golden frame comes out right only if {nearest}: the graph's input is wired wrongly; "
            "export it anew"
        )
    raise EngineError(
        f"{_who(engine, bundle)}: the golden frame comes out {distance:.3f} off, at most {limit} is allowed: "
        "take another --engine or --precision, or export the bundle anew"
    )


def _who(engine: Engine, bundle: Bundle) -> str:
    return f"{engine.info.name} {engine.info.precision} on {bundle.name}"


def _distance(actual: dict[str, NDArray[np.float32]], expected: dict[str, NDArray[np.float32]]) -> float:
    shares: list[float] = []
    for name, reference in expected.items():
        if name not in actual or actual[name].shape != reference.shape:
            return float("inf")
        held = ~np.isnan(reference)
        kept = reference[held]
        difference = np.sqrt(np.mean(np.square(actual[name][held] - kept), dtype=np.float64))
        shares.append(float(difference / (np.std(kept) + 1e-9)))
    # Not the worst: rounding moves prototypes most, and a wrong input moves all outputs.
    distance = float(np.mean(shares))
    return distance if np.isfinite(distance) else float("inf")
