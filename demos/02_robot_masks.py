"""A planner beside `edgeseg run --publish shm://NAME`: the newest mask, whole, and its age. Reading it needs numpy alone.

python demos/02_robot_masks.py [NAME] [CLASS] [SECONDS]
"""

import json
import sys
import time
from pathlib import Path
from zlib import crc32

import numpy as np


class Masks:
    def __init__(self, name):
        self.path, self.inode = Path(f"/dev/shm/edgeseg-{name}"), None

    def newest(self):
        """Returns (labels uint8 [H, W], capture time of time.monotonic_ns), None before the first; fails without a publisher."""
        if (inode := self.path.stat().st_ino) != self.inode:  # at first, and when the publisher was started again
            self.memory, self.inode, self.sequence = np.asarray(np.memmap(self.path, np.uint8, "r")), inode, 0
            self.classes = json.loads(self.memory[4104:][: self.memory[4096:4100].view("u4")[0]].tobytes())
        while (head := self.memory[8:32].view("u8").tolist())[2] != self.sequence:
            places, size, latest = head
            place = self.memory[65536 + latest % places * size :][:size].copy()
            if crc32(place[8 : place[4:8].view("u4")[0]]) == place[:4].view("u4")[0]:  # else it is being replaced
                labels = place[64:][: np.prod(place[40:48].view("u4"))].reshape(place[40:48].view("u4"))
                self.mask, self.sequence = (labels, place[24:32].view("i8").item()), latest
        return self.mask if self.sequence else None


if __name__ == "__main__":
    name, wanted, seconds = [*sys.argv[1:], *("masks", "road", "10")[len(sys.argv) - 1 :]]
    masks = Masks(name)
    for _ in range(int(10 * float(seconds))):
        time.sleep(0.1)
        if found := masks.newest():
            age_ms, share = (time.monotonic_ns() - found[1]) / 1e6, (found[0] == masks.classes.index(wanted)).mean()
            print(f"{wanted} {share:.0%}, {age_ms:.0f} ms old" if age_ms < 500 else "too old: stop", flush=True)
