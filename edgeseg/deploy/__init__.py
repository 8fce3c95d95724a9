"""From a checkpoint's graph to what a device computes fastest, and proof of what that costs: no torch here."""
