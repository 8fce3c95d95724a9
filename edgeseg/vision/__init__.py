"""Pure functions on arrays: fit, decode, overlay, metrics."""
