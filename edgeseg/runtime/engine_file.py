"""A built TensorRT engine on the disk, beside a JSON of all that it depends on.

    <bundle>/trt/<precision>-<digest of the key>.engine     what TensorRT serialized
    <bundle>/trt/<precision>-<digest of the key>.json       the key's fields, and the engine's size and sha256

An engine holds for one version of TensorRT and one kind of GPU. Whether one fits is decided here, from its JSON, before
TensorRT sees a byte of it: TensorRT's own answer to a stale engine does not say what differs. The sha256 finds damage, not
malice: an engine is a program, so take none from anybody whose programs you would not run.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shlex
import sys
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from edgeseg.core.bundle import Bundle
from edgeseg.core.catalog import catalog
from edgeseg.core.errors import EngineError
from edgeseg.runtime.gpu.driver import find_gpu
from edgeseg.runtime.gpu.tensorrt_package import install_line

FORMAT = 1
FOLDER = "trt"
ANY = "any"
"""As `platform` or `gpu` of a kept engine: it holds for every one."""
NONE = "none"
"""As `gpu` or `compute_capability` of a machine: it has no GPU. As `builder`: it has no TensorRT."""
LARGEST_JSON = 1 << 16
"""Bytes; the JSON of an engine has about 600."""


@dataclass(frozen=True)
class Device:
    """What an engine is built for: a TensorRT and a GPU.

    builder: "tensorrt" or "tensorrt_rtx". builder_version: its `__version__`. platform: "linux-x86_64", "linux-aarch64".
    gpu: the GPU's name as the driver says it. compute_capability: "8.7". Both are NONE where there is no GPU.
    An engine of tensorrt_rtx is finished where it runs, so it may be for ANY platform and gpu, and for a
    compute_capability "8.0+", which is this one or a later one.
    """

    builder: str
    builder_version: str
    platform: str
    gpu: str
    compute_capability: str

    @classmethod
    def here(cls, builder: str, builder_version: str) -> Device:
        """Returns this machine, with the given TensorRT."""
        gpu = find_gpu()
        name, capability = (gpu.name, gpu.compute_capability) if gpu else (NONE, NONE)
        return cls(builder, builder_version, f"{sys.platform}-{platform.machine().lower()}", name, capability)


@dataclass(frozen=True)
class EngineKey:
    """All that an engine depends on; see `Device` for the first five.

    precision: "fp32", "fp16" or "int8". graph_sha256: of the ONNX file that was built. input_shape: uint8 (1, height,
    width, 3). format: of the JSON, and of what edgeseg expects of an engine.
    """

    builder: str
    builder_version: str
    platform: str
    gpu: str
    compute_capability: str
    precision: str
    graph_sha256: str
    input_shape: tuple[int, ...]
    format: int = FORMAT

    @classmethod
    def wanted(cls, bundle: Bundle, precision: str, here: Device) -> EngineKey:
        """Returns the key of the engine that a bundle's graph of this precision needs on a device."""
        return cls(
            **asdict(here),
            precision=precision,
            graph_sha256=bundle.files[bundle.graphs[precision]],
            input_shape=(1, bundle.height, bundle.width, 3),
        )

    @property
    def stem(self) -> str:
        """The engine's file name without its ending: "fp16-0123456789ab"."""
        packed = json.dumps(asdict(self), sort_keys=True).encode()
        return f"{self.precision}-{hashlib.sha256(packed).hexdigest()[:12]}"


class Difference(NamedTuple):
    """One field in which a kept engine differs from what is needed here, and the command that mends it."""

    field: str
    kept: str
    here: str
    command: str

    def __str__(self) -> str:
        return f"{self.field} is {self.kept}, here {self.here}"


@dataclass(frozen=True)
class EngineFile:
    """A kept engine: path of the `.engine`, its key, its size in bytes and sha256 as its JSON says them."""

    path: Path
    key: EngineKey
    size: int
    sha256: str

    def load(self) -> bytes:
        """Returns the serialized engine, once size and sha256 were compared. Raises EngineError, which names the file."""
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise EngineError(f"{self.path} can't be read ({error.strerror}); build it anew: edgeseg build") from error
        if len(content) != self.size:
            raise EngineError(
                f"{self.path}: size is {len(content)} bytes, its JSON says {self.size}: it was cut short or altered; "
                "build it anew: edgeseg build"
            )
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.sha256:
            raise EngineError(
                f"{self.path}: sha256 is {digest[:12]}..., its JSON says {self.sha256[:12]}...: it was altered; "
                "build it anew: edgeseg build"
            )
        return content


class Examined(NamedTuple):
    """What became of a kept engine when it was held against what is needed here.

    path: of its JSON. key: what that says; None where it can't be read. engine: the engine, whole, where it fits.
    differences: why it does not. fault: what is wrong with its files, in one line ("" = nothing).
    """

    path: Path
    key: EngineKey | None
    engine: EngineFile | None = None
    differences: tuple[Difference, ...] = ()
    fault: str = ""

    @property
    def reason(self) -> str:
        """Why it can't be used, in one line; "" for one that fits."""
        return self.fault or (f"{self.path.name}: {'; '.join(map(str, self.differences))}" if self.differences else "")


class Found(NamedTuple):
    """What `find_engine` found: an engine that fits, or why none does, one reason a kept file."""

    engine: EngineFile | None
    reasons: tuple[str, ...]


def find_engine(bundle: Bundle, precision: str, here: Device) -> Found:
    """Returns the bundle's engine of this precision that fits a device, whole, or the reasons why none does."""
    wanted = EngineKey.wanted(bundle, precision, here)
    examined = [examine(path, wanted, bundle) for path in kept_engines(bundle, precision)]
    fitting = [one.engine for one in examined if one.engine is not None]
    if fitting:
        # One that was built for this very GPU before one that holds for many.
        return Found(min(fitting, key=lambda engine: engine.key != wanted), ())
    command = build_command(bundle, wanted)
    reasons = [one.reason for one in examined] or ["none was built"]
    return Found(None, (*reasons[:-1], f"{reasons[-1]}: {command}"))


def kept_engines(bundle: Bundle, precision: str = "*") -> list[Path]:
    """Returns the JSONs of the engines kept in a bundle, by name; `precision` limits them to one."""
    return sorted((bundle.path / FOLDER).glob(f"{precision}-*.json"))


def examine(path: Path, wanted: EngineKey, bundle: Bundle) -> Examined:
    """Holds the engine of a JSON against the wanted key. What is wrong is in the answer, and raised by nothing."""
    key = None
    try:
        engine = read(path)
        key = engine.key
        unlike = differences(key, wanted, bundle)
        if unlike:
            return Examined(path, key, differences=tuple(unlike))
        engine.load()
    except EngineError as error:
        return Examined(path, key, fault=str(error))
    return Examined(path, key, engine)


def differences(kept: EngineKey, wanted: EngineKey, bundle: Bundle) -> list[Difference]:
    """Returns every field in which a kept engine differs from the wanted one, each with the command that mends it."""
    command = build_command(bundle, wanted)
    return [
        Difference(field.name, _spoken(there), _spoken(needed), command)
        for field in fields(EngineKey)
        if (there := getattr(kept, field.name)) != (needed := getattr(wanted, field.name))
        and not _holds_for(field.name, there, needed)
    ]


def build_command(bundle: Bundle, wanted: EngineKey) -> str:
    """Returns the command that builds the wanted engine on the machine where it is typed."""
    at = catalog().get(bundle.path.name)
    name = bundle.path.name if at is not None and at.resolve() == bundle.path.resolve() else str(bundle.path)
    command = f"edgeseg build {shlex.quote(name)} --precision {wanted.precision}"
    if wanted.builder == NONE:
        return f"{install_line()}; then {command}"
    return f"{command} --builder {wanted.builder}"


def read(path: Path) -> EngineFile:
    """Reads the JSON beside an engine. Raises EngineError, which names the file and what is wrong with it."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(LARGEST_JSON))
    except (OSError, ValueError, RecursionError) as error:
        raise EngineError(f"{path} can't be read ({error}); build the engine anew: edgeseg build") from error
    try:
        return EngineFile(
            path=path.with_suffix(".engine"),
            key=EngineKey(
                **{name: _field(document, name, str) for name in _TEXTS},
                input_shape=_shape(_field(document, "input_shape", list)),
                format=_field(document, "format", int),
            ),
            size=_field(document, "size", int),
            sha256=_field(document, "sha256", str),
        )
    except (TypeError, ValueError) as error:
        raise EngineError(f"{path} is not the JSON of an engine ({error}); build it anew: edgeseg build") from error


def write(bundle: Bundle, key: EngineKey, content: bytes) -> EngineFile:
    """Keeps a serialized engine and its JSON in the bundle, each whole or not at all. Raises EngineError."""
    folder = bundle.path / FOLDER
    engine = EngineFile(folder / f"{key.stem}.engine", key, len(content), hashlib.sha256(content).hexdigest())
    document = {**asdict(key), "size": engine.size, "sha256": engine.sha256}
    try:
        folder.mkdir(exist_ok=True)
        # The JSON last: an engine that lacks one is never taken.
        replace(engine.path, content)
        replace(engine.path.with_suffix(".json"), (json.dumps(document, indent=2) + "\n").encode())
    except OSError as error:
        raise EngineError(
            f"{folder} can't be written ({error.strerror}): make room, or copy the bundle to a folder of yours: "
            f"cp -r {shlex.quote(str(bundle.path))} engines/"
        ) from error
    return engine


def replace(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all: under a temporary name beside it, then by one rename. Raises OSError."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as draft:
        try:
            draft.write(content)
            draft.flush()
            Path(draft.name).chmod(0o644)
            Path(draft.name).replace(path)
        finally:
            Path(draft.name).unlink(missing_ok=True)


_TEXTS = ("builder", "builder_version", "platform", "gpu", "compute_capability", "precision", "graph_sha256")


def _field(document: Any, name: str, kind: type) -> Any:
    if not isinstance(document, dict) or name not in document:
        raise ValueError(f"no field {name!r}")
    value = document[name]
    if type(value) is not kind:
        raise ValueError(f"{name} is {value!r:.40}")
    return value


def _shape(sides: list[Any]) -> tuple[int, ...]:
    if any(type(side) is not int for side in sides):
        raise ValueError(f"input_shape is {sides!r:.40}")
    return tuple(sides)


def _holds_for(field: str, kept: Any, needed: Any) -> bool:
    """Whether a kept value is wider than the needed one, and takes it in."""
    if field in {"platform", "gpu"}:
        return kept == ANY
    if field != "compute_capability" or not re.fullmatch(r"\d+\.\d\+", kept):
        return False
    # Without a GPU nothing runs, but nothing contradicts either: a portable engine is built anywhere.
    return needed == NONE or _version(needed) >= _version(kept.rstrip("+"))


def _version(capability: str) -> tuple[int, ...]:
    return tuple(map(int, capability.split(".")))


def _spoken(value: Any) -> str:
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    text = str(value)
    return f"{text[:12]}..." if len(text) == 64 else text
