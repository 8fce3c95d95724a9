"""Which extra brings a package, so that a missing one is answered with the line that installs it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from edgeseg.core.errors import MissingPackageError

EXTRA_OF = {
    "av": "cpu",
    "cv2": "cpu",
    "numba": "cpu",
    "onnxruntime": "cpu",
    "openvino": "cpu",
    "PIL": "cpu",
    "pycocotools": "cpu",
    "aiohttp": "page",
    "cyclonedds": "publish",
    "foxglove": "publish",
    "jinja2": "profile",
    "mcap": "publish",
    "matplotlib": "train",
    "onnx": "deploy",
    "psutil": "profile",
    "pynvml": "profile",
    "rosbags": "publish",
    "safetensors": "train",
    "tensorboardX": "train",
    "torch": "train",
    "zenoh": "publish",
}
"""Import name of an optional package -> the extra of edgeseg that installs it."""


def install_line(package: str) -> str:
    """Returns the shell command that brings `package` (an import name)."""
    extra = EXTRA_OF.get(package)
    return f"pip install 'edgeseg[{extra}]'" if extra else f"pip install {package}"


@contextlib.contextmanager
def missing_packages_explained() -> Iterator[None]:
    """Turns the ImportError of an optional package inside the block into a `MissingPackageError` with its install line."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA_OF:
            raise
        raise MissingPackageError(
            f"the package {package!r} is needed for this and not installed: {install_line(package)}"
        ) from error
    except ImportError as error:
        if "libGL" not in str(error):
            raise
        raise MissingPackageError(
            "opencv-python needs the system library libGL, which this machine lacks: "
            "pip uninstall -y opencv-python && pip install opencv-python-headless"
        ) from error
