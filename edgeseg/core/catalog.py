"""Where bundles are found by name: `engines/` in the working directory, then the ones that ship with edgeseg."""

from __future__ import annotations

from pathlib import Path

from edgeseg.core.bundle import MANIFEST, Bundle
from edgeseg.core.errors import UsageError, did_you_mean


def catalog() -> dict[str, Path]:
    """Returns name -> folder of every bundle in reach. A user's own `./engines/NAME` wins over a shipped one."""
    package = Path(__file__).resolve().parent.parent
    found: dict[str, Path] = {}
    # Installed, the shipped bundles lie inside the package; in a checkout they lie beside it.
    for shelf in (package.parent / "engines", package / "engines", Path("engines")):
        for manifest in sorted(shelf.glob(f"*/{MANIFEST}")):
            found[manifest.parent.name] = manifest.parent
    return found


def open_bundle(name_or_path: str) -> Bundle:
    """Opens a bundle by its name or its folder. Raises UsageError with the nearest names, or BundleError."""
    path, known = Path(name_or_path), catalog()
    # A folder of one's images may be called as the model that was trained on them.
    if path.is_dir() and ((path / MANIFEST).exists() or name_or_path not in known):
        return Bundle.open(path)
    if name_or_path in known:
        return Bundle.open(known[name_or_path])
    raise UsageError(f"no model {name_or_path!r}: {did_you_mean(name_or_path, known)} (or give a bundle's folder)")
