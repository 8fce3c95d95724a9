"""From a bundle and an image to masks, on whatever computes here."""
