"""Readers of data sets: images and labels out, as arrays."""
