"""The workshop: from labelled images to a bundle. Nothing that runs on a robot imports it."""
