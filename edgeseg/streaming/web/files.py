"""What browsers get that stands on disk, and what is said with it."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).with_name("static")
FILES = {
    "": ("page.html", "text/html"),
    "page.css": ("page.css", "text/css"),
    "tiles.css": ("tiles.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
    "link.js": ("link.js", "text/javascript"),
    "picture.js": ("picture.js", "text/javascript"),
    "detail.js": ("detail.js", "text/javascript"),
    "strands.js": ("strands.js", "text/javascript"),
    "tiles.js": ("tiles.js", "text/javascript"),
    "marks.js": ("marks.js", "text/javascript"),
    "charts.js": ("charts.js", "text/javascript"),
    "panel.js": ("panel.js", "text/javascript"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
"""What may be asked for -> the file, its type. Nothing else is ever read."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""The page needs nothing from elsewhere, and no other site may show the camera."""


def page_files() -> dict[str, tuple[bytes, str]]:
    """Reads all that FILES names: what may be asked for -> content, type."""
    return {name: ((STATIC / file).read_bytes(), kind) for name, (file, kind) in FILES.items()}
