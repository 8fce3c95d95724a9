"""A map of ids becomes masks, each of one thing, and back."""

from __future__ import annotations

import numpy as np

from edgeseg.core.classes import STREET_CLASSES
from edgeseg.synthetic import Street
from edgeseg.vision.mapped_instances import mapped_instances


def test_every_pixel_of_the_street_keeps_its_thing_and_its_class() -> None:
    view = Street(2, 160, 90).render(60)
    things = mapped_instances(view.instances, view.labels, STREET_CLASSES, ("pedestrian", "car", "bicyclist"))
    assert things.ids is not None
    assert things.ids.tolist() == sorted(thing.id for thing in view.objects)
    back = np.zeros_like(view.instances)
    for mask, number, label in zip(things.masks, things.ids, things.labels, strict=True):
        back[mask] = number
        assert set(view.labels[mask]) == {STREET_CLASSES.index(things.classes[label])}
    np.testing.assert_array_equal(back, view.instances)
    for mask, (x0, y0, x1, y1) in zip(things.masks, things.boxes.astype(int), strict=True):
        assert mask[y0:y1, x0:x1].sum() == mask.sum()
        assert mask[y0].any() and mask[y1 - 1].any() and mask[:, x0].any() and mask[:, x1 - 1].any()


def test_only_the_classes_asked_for_are_returned() -> None:
    ids, labels = np.zeros((4, 6), np.uint16), np.zeros((4, 6), np.uint8)
    ids[0, 0], ids[3, 5], labels[3, 5] = 9, 700, 2
    cars = mapped_instances(ids, labels, ("tree", "road", "car"), ("car",))
    assert (cars.ids if cars.ids is None else cars.ids.tolist(), cars.labels.tolist()) == ([700], [0])
    assert cars.boxes.tolist() == [[5, 3, 6, 4]]
    assert np.argwhere(cars.masks[0]).tolist() == [[3, 5]]


def test_a_map_without_things_gives_none() -> None:
    nothing = mapped_instances(np.zeros((4, 6), np.uint16), np.zeros((4, 6), np.uint8), ("road", "car"), ("car",))
    assert len(nothing) == 0
    assert nothing.masks.shape == (0, 4, 6)
