"""The planner's demo reads what `--publish shm://` shares, on numpy alone."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeseg.streaming.outgoing import Outbox
from edgeseg.streaming.publish.shm import FOLDER, ShmChannel
from tests.streaming.scene import CLASSES, scene_bundle, scene_result

DEMO = Path(__file__).parents[2] / "demos" / "02_robot_masks.py"


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"this system has no {FOLDER}")
def test_the_planner_sees_masks_and_their_age_and_when_they_are_too_old() -> None:
    name = f"test-{os.getpid()}-demo"
    channel, outbox = ShmChannel(name, CLASSES), Outbox(scene_bundle())
    demo = subprocess.Popen([sys.executable, str(DEMO), name, "disc", "60"], stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    try:
        line, sequence = "", 0
        channel.send(outbox(scene_result(1, captured_ns=0), 1))
        assert demo.stdout.readline() == "too old: stop\n"
        while "disc" not in line:
            sequence += 1
            channel.send(outbox(scene_result(sequence, captured_ns=time.monotonic_ns() + 10**9), sequence))
            line = demo.stdout.readline()
        assert line.startswith("disc 15%, ")
    finally:
        channel.close()
        demo.kill()
        demo.communicate()


def test_it_imports_numpy_and_the_standard_library_alone() -> None:
    tree = ast.parse(DEMO.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported - set(sys.stdlib_module_names) == {"numpy"}
