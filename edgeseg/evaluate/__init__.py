"""Measuring models: what runs is what is measured."""
