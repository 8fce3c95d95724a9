"""Addresses of streams, fit to be shown."""

from __future__ import annotations

import re

_USER = re.compile(r"(?<=://)[^/?#\s]*@")
_USER_WITH_SLASH = re.compile(r"(?<=://)[^/@\s]*:(?!\d+(?:[/?#]|$))\S*@")
_SECRET = re.compile(r"(?i)([?&](?:pass|passwd|password|pwd|token|key|api_key|auth|user|username)=)[^&\s]*")


def without_credentials(address: str) -> str:
    """Returns the address with `***` for user and password, also for a password with a / that should have been %2F."""
    shown = _USER.sub("***@", address)
    if shown == address:
        shown = _USER_WITH_SLASH.sub("***@", address)
    return _SECRET.sub(r"\1***", shown)
