"""The rendered street: frame by frame an image, its exact label map, and its instances."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Thread

import numpy as np

from edgeseg.synthetic import people, scenery, shade, sky, vehicles
from edgeseg.synthetic.mesh import Builder, Library, Mesh
from edgeseg.synthetic.parts import Parts
from edgeseg.synthetic.raster import META_WIDTH, OUTLINE_WIDTH, STORE_WIDTH, draw
from edgeseg.synthetic.shadow import cast
from edgeseg.synthetic.textures import TEX, Pool
from edgeseg.synthetic.traffic import Traffic
from edgeseg.synthetic.world import CHUNK, Chunk, World

EYE = 1.42
"""Metres of the camera above the road."""
REACH = 210.0
_KEPT_CHUNKS = 24
_MOST_FACES = 60_000
_SHADOW = (768, 640, 92.0, 52.0)
"""Rows and columns of the shadow map, and the metres of ground that it covers ahead and across."""


@dataclass(frozen=True)
class StreetObject:
    """id: as in StreetView.instances. label: class id 8 car, 9 pedestrian, 10 bicyclist."""

    id: int
    label: int


@dataclass(frozen=True, eq=False)
class StreetView:
    """One frame, owned by the caller.

    image: uint8 [H, W, 3] BGR. labels: uint8 [H, W], ids of STREET_CLASSES, of the surface at each pixel's centre.
    instances: uint16 [H, W], 0 = none, else an object's id, which stays its own over the whole drive.
    objects: those with at least one pixel.
    """

    image: np.ndarray
    labels: np.ndarray
    instances: np.ndarray
    objects: tuple[StreetObject, ...]


class Street:
    """A drive through a street that follows from its seed: random access to any frame, always the same bytes.

    width, height: pixels, 32 x 24 or more. fps: frames a second of the drive. Not for two threads at once.
    """

    def __init__(self, seed: int = 1, width: int = 1280, height: int = 720, fps: float = 30.0) -> None:
        self.seed, self.width, self.height, self.fps = seed, width, height, fps
        self._weather = sky.forecast(seed)
        self._pool = Pool(seed, self._weather.sky)
        self._library = Library({**vehicles.build(), **people.build(), **scenery.build(seed)})
        self._world = World(seed, self._library)
        self._traffic = Traffic(seed, self._world, self._library)
        self._backdrop = _backdrop()
        self._chunks: OrderedDict[int, Chunk] = OrderedDict()
        self._ids = np.empty((height, width), np.int32)
        self._depth = np.empty((height, width), np.float32)
        self._raw = np.empty((height, width, 3), np.uint8)
        self._store = np.zeros((_MOST_FACES, STORE_WIDTH))
        self._outlines = np.zeros((_MOST_FACES, OUTLINE_WIDTH), np.float32)
        self._meta = np.zeros((_MOST_FACES, META_WIDTH), np.int32)
        self._heights = np.empty(_SHADOW[:2], np.float32)
        self._shadow_ids = np.empty(_SHADOW[:2], np.int32)
        rng = np.random.default_rng([seed, 31])
        self._grain = (1 + rng.normal(0, 0.016, (128, 128))).astype(np.float32)
        self._tone = _tone_table()
        self._lens_x = 1 - 0.10 * np.linspace(-1, 1, width) ** 2
        self._lens_y = 1 - 0.08 * np.linspace(-1, 1, height) ** 2

    def render(self, index: int) -> StreetView:
        """Frame `index`, at index / fps seconds. Any index from 0 on, in any order."""
        time = index / self.fps
        here = self._traffic.ego(time)
        view, eye = self._camera(time, here)
        parts = self._scene(time, here, eye)
        used = self._rasterise(parts, view)
        ground = self._cast_shadows(parts, view, eye, here)
        image, labels, instances, seen = self._shade(index, used, ground)
        owned = self._meta[:used][seen & (self._meta[:used, 2] > 0)]
        _, first = np.unique(owned[:, 2], return_index=True)
        objects = tuple(StreetObject(int(owned[k, 2]), int(owned[k, 1])) for k in first)
        return StreetView(image, labels, instances, objects)

    def _camera(self, time: float, here: float) -> tuple[np.ndarray, np.ndarray]:
        """View matrix (world metres to x w, y w, w) and the eye (x, y, z driven)."""
        pace = (self._traffic.ego(time + 0.05) - here) / 0.05
        sway = min(pace / 9.0, 1.0)
        x = -1.72 + float(self._world.bend(here)) + 0.10 * np.sin(here * 0.045)
        y = EYE + sway * (0.012 * np.sin(time * 7.1) + 0.008 * np.sin(time * 11.7 + 1))
        yaw = np.arctan(float(self._world.slope(here + 7.0))) + 0.006 * np.sin(here * 0.045 + 1)
        pitch = -0.012 + sway * 0.003 * np.sin(time * 5.3)
        roll = sway * 0.004 * np.sin(time * 3.1 + 2)
        forward = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
        right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
        down = np.array([-forward[1] * right[2], forward[0] * right[2] - forward[2] * right[0], forward[1] * right[0]])
        down *= np.sign(-down[1])
        right, down = np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right
        focal = 1.22 * self.height
        view = np.stack([focal * right + self.width / 2 * forward, focal * down + self.height / 2 * forward, forward])
        return view, np.array([x, y, here])

    def _chunk(self, number: int) -> Chunk:
        if number not in self._chunks:
            self._chunks[number] = self._world.chunk(number)
            if len(self._chunks) > _KEPT_CHUNKS:
                self._chunks.popitem(last=False)
        self._chunks.move_to_end(number)
        return self._chunks[number]

    def _scene(self, time: float, here: float, eye: np.ndarray) -> list[tuple[Mesh, Parts]]:
        """What may be seen, large near walls first, since they hide the rest; places in metres from the eye."""
        from_eye = np.array([-eye[0], -eye[1], 0.0])
        grounds: list[tuple[Mesh, Parts]] = []
        moving, _ = self._traffic.parts(time, here, REACH)
        standing = [_moved(moving, from_eye)]
        for number in range(int((here - 12) // CHUNK), int((here + REACH) // CHUNK) + 1):
            chunk = self._chunk(number)
            shift = from_eye + np.array([0, 0, number * CHUNK - here])
            grounds.append((chunk.mesh, _whole(chunk.mesh, shift)))
            standing.append(_moved(chunk.parts, shift))
        backdrop = (self._backdrop, _whole(self._backdrop, from_eye))
        return [*grounds, (self._library.mesh, Parts.join(standing)), backdrop]

    def _rasterise(self, scene: list[tuple[Mesh, Parts]], view: np.ndarray) -> int:
        weather, pool = self._weather, self._pool
        self._ids.fill(0)
        self._depth.fill(0)
        self._set_sky(view)
        sun = np.array([*weather.sun, weather.gleam])
        ambient = np.stack([weather.from_above, weather.from_below, weather.sunlight])
        view = np.ascontiguousarray(view)
        used = 1
        for mesh, parts in scene:
            used = draw(
                mesh.pos,
                mesh.nrm,
                mesh.uv,
                mesh.info,
                mesh.tint,
                mesh.gloss,
                mesh.planes,
                parts.spans,
                parts.mats,
                parts.tints,
                parts.names,
                parts.radii,
                view,
                sun,
                ambient,
                pool.texels,
                pool.places,
                pool.sizes,
                self._store,
                self._outlines,
                self._meta,
                self._ids,
                self._depth,
                used,
            )
        return used

    def _set_sky(self, view: np.ndarray) -> None:
        """Face 0: the sky's picture on a plane so far that everything lies before it."""
        ray = np.linalg.inv(view)
        span_x, top = 2 * sky.SKY_REACH[0], sky.SKY_REACH[1]
        self._store[0] = 0
        self._store[0, 0:3] = ray[2]
        self._store[0, 3:6] = ray[0] / span_x + ray[2] * 0.5
        self._store[0, 6:9] = (top * ray[2] - ray[1]) / (top - sky.LOWEST)
        self._meta[0] = (TEX["sky"], 0, 0, 0)

    def _cast_shadows(
        self, scene: list[tuple[Mesh, Parts]], view: np.ndarray, eye: np.ndarray, here: float
    ) -> np.ndarray:
        """Fills the shadow map; returns how a pixel finds its place in it (see shade.shade)."""
        rows, columns, ahead, across = _SHADOW
        per_x, per_z = columns / across, rows / ahead
        slant = self._weather.sun[[0, 2]] / self._weather.sun[1]
        ground_y = -eye[1]
        # Whole texels of the world, so that shadows do not crawl while the camera moves.
        left = np.floor((eye[0] - across / 2) * per_x) / per_x - eye[0] - ground_y * slant[0]
        near = np.floor((here - 3) * per_z) / per_z - here - ground_y * slant[1]
        self._heights.fill(-100)
        pool = self._pool
        numbers = np.array([slant[0], slant[1], per_x, per_z])
        origin = np.array([left, near])
        for mesh, parts in scene[:-1]:
            solid = mesh is self._library.mesh
            if solid:
                parts = parts.within(ahead)
            cast(
                mesh.pos,
                mesh.uv,
                mesh.info,
                mesh.planes,
                parts.spans,
                parts.mats,
                solid,
                numbers,
                origin,
                pool.texels,
                pool.places,
                pool.sizes,
                self._shadow_ids,
                self._heights,
            )
        ray = np.linalg.inv(view)
        return np.stack(
            [
                (ray[0] - ray[1] * slant[0]) * per_x,
                (ray[2] - ray[1] * slant[1]) * per_z,
                ray[1],
                np.array([-left * per_x - 0.5, -near * per_z - 0.5, 0.0]),
            ]
        )

    def _shade(
        self, index: int, used: int, ground: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        weather, pool = self._weather, self._pool
        labels = np.empty((self.height, self.width), np.uint8)
        instances = np.empty((self.height, self.width), np.uint16)
        seen = np.zeros(used, np.uint8)
        haze = np.array([*weather.haze, weather.visibility, weather.shade_softness])
        shift = np.random.default_rng([self.seed, 37, index]).integers(0, 128, 2)

        def fill(rows: slice) -> None:
            shade.shade(
                rows.start,
                self._ids[rows],
                self._store,
                self._meta,
                pool.texels,
                pool.places,
                pool.sizes,
                self._heights,
                ground,
                haze,
                weather.haze * 1.1,
                self._tone,
                self._grain,
                shift,
                self._lens_x,
                self._lens_y[rows],
                self._raw[rows],
                labels[rows],
                instances[rows],
                seen,
            )

        # Half of a frame's time goes here, and no row depends on another: a second core, where one is idle, takes half.
        middle = self.height // 2
        upper = Thread(target=fill, args=(slice(0, middle),))
        upper.start()
        fill(slice(middle, self.height))
        upper.join()
        image = self._raw.copy()
        ids = self._ids
        beside, below = np.zeros(ids.shape, bool), np.zeros(ids.shape, bool)
        np.not_equal(ids[:, 1:], ids[:, :-1], out=beside[:, :-1])
        np.not_equal(ids[1:], ids[:-1], out=below[:-1])
        for down, edges in enumerate((beside, below)):
            shade.smooth(self._raw, ids, self._outlines, self._meta, np.flatnonzero(edges), down, image)
        return image, labels, instances, seen.astype(bool)


def _whole(mesh: Mesh, shift: np.ndarray) -> Parts:
    """A mesh as one part, moved."""
    mat = np.zeros((1, 12))
    mat[0, [0, 5, 10]] = 1
    mat[0, [3, 7, 11]] = shift
    return Parts(
        np.array([[0, len(mesh.pos)]], np.int32), mat, np.ones((1, 3)), np.array([[-1, 0]], np.int32), np.zeros(1)
    )


def _moved(parts: Parts, shift: np.ndarray) -> Parts:
    mats = parts.mats.copy()
    mats[:, [3, 7, 11]] += shift
    return Parts(parts.spans, mats, parts.tints, parts.names, parts.radii)


def _backdrop() -> Mesh:
    """Far fields and a line of trees that close the view; it goes along with the drive."""
    b = Builder(5, 0)
    b.quad(
        [(-500, -0.25, -20), (500, -0.25, -20), (500, -0.25, 260), (-500, -0.25, 260)],
        "grass",
        (0, 1, 0),
        ((0, 0), (100, 0), (100, 30), (0, 30)),
    )
    b.bits = 2
    b.quad(
        [(-480, -1, 240), (480, -1, 240), (480, 13, 240), (-480, 13, 240)],
        "skyline",
        (0, 0, -1),
        ((0, 1), (8, 1), (8, 0), (0, 0)),
    )
    return b.build()


def _tone_table() -> np.ndarray:
    """uint8 [4 * TONE_STEPS]: linear light 0..4 to a display value: a soft shoulder, then sRGB's curve."""
    light = np.arange(4 * shade.TONE_STEPS) / shade.TONE_STEPS
    bright = light * 1.05
    rolled = np.where(bright < 0.6, bright, 0.6 + 0.4 * np.tanh((bright - 0.6) / 0.55))
    display = np.where(rolled <= 0.0031308, 12.92 * rolled, 1.055 * np.maximum(rolled, 1e-9) ** (1 / 2.4) - 0.055)
    return (np.clip(display, 0, 1) * 255 + 0.5).astype(np.uint8)
