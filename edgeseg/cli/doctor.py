"""`edgeseg doctor`"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import tyro

from edgeseg.cli.finding import Finding, version_of
from edgeseg.cli.gpu_findings import gpu_findings, kept_engine_findings
from edgeseg.cli.output import check_json_file, console_beside, write_json


@dataclass(frozen=True)
class Doctor:
    """Say what this machine has, what is missing, and the line that installs it."""

    bundle: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="BUNDLE")] = None
    """A model's name or folder: opens it on every engine and precision here, checks its golden frame, and holds its
    TensorRT engines against this device."""

    json: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the findings as one JSON document to this file ("-" for standard output)."""

    def execute(self) -> int:
        """Prints the findings. Returns 1 where something that should work is broken, else 0."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        check_json_file(self.json)
        findings = [*_system(), *gpu_findings(), *_packages(), *_video(), *_engines()]
        findings += _one_bundle(self.bundle) if self.bundle else _all_bundles()
        table = Table(box=SIMPLE_HEAD)
        for column in ("", "what", "here", "what to do"):
            table.add_column(column, no_wrap=column == "", overflow="fold")
        marks = {"ok": Text("ok", "green"), "missing": Text("--", "yellow"), "broken": Text("!!", "red")}
        for finding in findings:
            table.add_row(marks[finding.state], finding.what, finding.said, finding.remedy)
        console_beside(self.json).print(table)
        write_json(self.json, [vars(finding) for finding in findings])
        return 1 if any(finding.state == "broken" for finding in findings) else 0


def _system() -> list[Finding]:
    from edgeseg import __version__
    from edgeseg.runtime.cpu import cpu_features, cpu_name, usable_cores

    features = cpu_features()
    fast = ", ".join(name for name, there in features.items() if there) or "none known"
    lack = "" if features["bf16"] else "no BF16: auto takes FP32 on ONNX Runtime"
    return [
        Finding("edgeseg", "ok", f"{__version__} in {Path(__file__).resolve().parent.parent}"),
        Finding("Python", "ok", f"{platform.python_version()} ({sys.executable}) on {platform.platform(terse=True)}"),
        Finding("processor", "ok", f"{cpu_name()}, {usable_cores()} cores; {fast}", lack),
    ]


def _packages() -> list[Finding]:
    from edgeseg.core.packages import EXTRA_OF, install_line

    names = {
        "cv2": ("opencv-python-headless", "opencv-python", "opencv-contrib-python"),
        "foxglove": ("foxglove-sdk",),
        "PIL": ("pillow",),
        "pynvml": ("nvidia-ml-py",),
        "zenoh": ("eclipse-zenoh",),
    }
    findings: list[Finding] = []
    for package in EXTRA_OF:
        if package in {"openvino", "onnxruntime"}:
            continue
        if find_spec(package) is None:
            findings.append(Finding(package, "missing", "not installed", install_line(package)))
        else:
            findings.append(Finding(package, "ok", version_of(*names.get(package, (package,)))))
    return findings


def _video() -> list[Finding]:
    if find_spec("cv2") is None:
        return []
    try:
        import cv2
    except ImportError as error:
        return [
            Finding("cv2", "broken", str(error), "pip uninstall -y opencv-python && pip install opencv-python-headless")
        ]
    from edgeseg.streaming.sinks.window import window_reason
    from edgeseg.streaming.sources.camera import cameras
    from edgeseg.streaming.sources.gstreamer import has_gstreamer

    gstreamer, found, no_window = has_gstreamer(), cameras(), window_reason()
    return [
        Finding("cv2's path", "ok", str(Path(cv2.__file__ or "").resolve().parent)),
        Finding("cv2 with GStreamer", "ok", "yes")
        if gstreamer
        else Finding(
            "cv2 with GStreamer",
            "missing",
            "no (gst: sources)",
            "on a Jetson use JetPack's cv2; on Debian: apt install python3-opencv",
        ),
        Finding("window", "missing", no_window, "--output FILE.mp4 records instead")
        if no_window
        else Finding("window", "ok", "yes"),
        Finding("cameras", "ok", ", ".join(found))
        if found
        else Finding("cameras", "missing", "none found", "edgeseg run street://"),
    ]


def _engines() -> list[Finding]:
    from edgeseg.core.packages import install_line
    from edgeseg.runtime.choose import PACKAGE_OF, installed

    return [
        Finding(f"engine {name}", "ok", version_of(package))
        if installed(name)
        else Finding(f"engine {name}", "missing", "not installed", install_line(package))
        for name, package in PACKAGE_OF.items()
        if name != "tensorrt"  # `gpu_findings` tells of it
    ]


def _all_bundles() -> list[Finding]:
    from edgeseg.core.bundle import Bundle
    from edgeseg.core.catalog import catalog
    from edgeseg.core.errors import BundleError

    findings: list[Finding] = []
    for name, path in sorted(catalog().items()):
        try:
            bundle = Bundle.open(path)
        except BundleError as error:
            findings.append(Finding(f"model {name}", "broken", str(error)))
        else:
            findings.append(Finding(f"model {name}", "ok", f"{', '.join(bundle.graphs)} in {path}"))
    return findings


def _one_bundle(name: str) -> list[Finding]:
    from edgeseg.core.catalog import open_bundle
    from edgeseg.core.errors import EdgesegError
    from edgeseg.runtime.choose import PACKAGE_OF, PRECISIONS, choose, installed, open_engine

    bundle = open_bundle(name)
    findings: list[Finding] = []
    for engine in filter(installed, PACKAGE_OF):
        for precision in PRECISIONS:
            what = f"{bundle.name} on {engine} {precision}"
            try:
                with open_engine(bundle, choose(bundle, engine, precision)) as opened:
                    findings.append(Finding(what, "ok", f"golden frame agrees; {opened.info.device}"))
            except EdgesegError as error:
                state = "missing" if error.exit_status == 2 else "broken"
                findings.append(Finding(what, state, str(error)))
    findings += kept_engine_findings(bundle)
    choice: Any = choose(bundle)
    findings.append(Finding("auto takes", "ok", f"{choice.engine} {choice.precision} ({choice.reason})"))
    return findings
