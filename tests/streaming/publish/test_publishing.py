"""A URI that means nothing is answered with what does."""

from __future__ import annotations

import os
import runpy
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from edgeseg.core.errors import MissingPackageError, UsageError
from edgeseg.core.packages import missing_packages_explained
from edgeseg.streaming.health import Health
from edgeseg.streaming.publish.publishing import open_publisher
from edgeseg.streaming.publish.shm import FOLDER
from tests.streaming.scene import scene_bundle, scene_result

READER = Path(__file__).parents[3] / "demos" / "02_robot_masks.py"


def opened(uri: str) -> None:
    open_publisher(uri, scene_bundle(), "scene", None, print)  # type: ignore[arg-type]  (refused before it is looked at)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("masks", "give ros2://TOPIC, zenoh://KEY, shm://NAME, foxglove://"),
        ("mqtt://masks", "give ros2://TOPIC"),
        ("shm:masks", "give ros2://TOPIC"),
        ("", "give ros2://TOPIC"),
        ("shm://", "letters, digits"),
        ("shm://a?rate=3", "behind the .* of shm:// stands size="),
        ("shm://a?size=", "behind the .* of shm:// stands size="),
        ("shm://a?size=big", "size=big is no size"),
        ("shm://a?size=0x4", "is no size"),
        ("shm://a?size=99999x4", "is no size"),
        ("ros2://", "give a topic such as"),
        ("ros2://1st", "give a topic such as"),
        ("ros2://a b", "give a topic such as"),
        ("zenoh://", "give a key such as"),
        ("zenoh://a//b", "give a key such as"),
        ("zenoh://robot/*", "no wildcards"),
        ("foxglove://:99999", "give foxglove://"),
        ("foxglove://host:port", "give foxglove://"),
    ],
)
def test_a_bad_uri_is_answered_in_one_line(uri: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        opened(uri)
    assert "\n" not in str(raised.value)


class Well:
    """A stream that nothing is wrong with."""

    def health(self, **_: object) -> Health:
        return Health()


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"this system has no {FOLDER}")
@pytest.mark.parametrize(("asked", "size"), [("", (120, 160)), ("?size=64x36", (36, 64)), ("?size=network", (24, 40))])
def test_masks_leave_at_the_size_that_the_uri_asks_for(asked: str, size: tuple[int, int]) -> None:
    bundle, name, well = replace(scene_bundle(), width=40, height=24), f"test-size-{os.getpid()}", cast(Any, Well())
    publisher = open_publisher(f"shm://{name}{asked}", bundle, "scene", well, print)
    try:
        masks = runpy.run_path(str(READER))["Masks"](name)
        publisher.write(scene_result())
        while (found := masks.newest()) is None:
            time.sleep(0.001)
    finally:
        publisher.close()
    assert found[0].shape == size


@pytest.mark.parametrize(("uri", "package"), [("zenoh://a", "zenoh"), ("foxglove://", "foxglove")])
def test_a_missing_extra_is_answered_with_its_line(uri: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ways_out = ("dds", "foxglove", "foxglove_messages", "ros2", "ros_messages", "ros_node", "shm", "zenoh")
    for name in ways_out:
        monkeypatch.delitem(sys.modules, f"edgeseg.streaming.publish.{name}", raising=False)

    class Absent:
        def find_spec(self, name: str, *_: object) -> None:
            if name.partition(".")[0] == package:
                raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    with pytest.raises(MissingPackageError, match=r"pip install 'edgeseg\[publish\]'"), missing_packages_explained():
        opened(uri)
