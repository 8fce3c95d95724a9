"""Who may look: on a loopback address whoever is on this machine, else who knows the token in the address."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from urllib.parse import SplitResult, urlsplit

from edgeseg.core.errors import SinkError

TOKEN_BYTES = 16


def is_loopback(host: str) -> bool:
    """Whether a host's name or address means this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket; port 0 takes any free one. Raises SinkError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OverflowError as error:
        raise SinkError(f"the page can't be served at port {port}: give --port 0 to 65535") from error
    except (socket.gaierror, UnicodeError) as error:
        raise SinkError(
            f"the page can't be served at {host}: no such host; leave --host out or give 0.0.0.0"
        ) from error
    except OSError as error:
        raise SinkError(
            f"the page can't be served at {host} port {port} ({error.strerror}): "
            "choose another --port, or 0 for any free one"
        ) from error


def name_of(host: str) -> str:
    """Returns what a browser may call a host that was listened on: for all interfaces, this machine's own address."""
    if host not in {"0.0.0.0", "::"}:
        return f"[{host}]" if ":" in host else host
    # Connecting a datagram socket sends nothing; it only asks which interface would be taken.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


class Guard:
    """Judges requests. token: "" on a loopback address, else what must stand first in every path."""

    def __init__(self, host: str) -> None:
        self.token = "" if is_loopback(host) else secrets.token_urlsafe(TOKEN_BYTES)

    def knows_token(self, given: str) -> bool:
        """Compares in a time that doesn't tell how much of it was right."""
        return hmac.compare_digest(given.encode(errors="replace"), self.token.encode())

    def is_own_host(self, host: str) -> bool:
        """Whether a Host header may be answered. Without a token it must mean this machine: a foreign site's name that
        was made to point here (DNS rebinding) must not."""
        return bool(self.token) or is_loopback(_split(f"//{host}").hostname or "")

    def is_own_page(self, origin: str | None, host: str) -> bool:
        """Whether a WebSocket was opened by this server's own page, or by a program (which names no origin)."""
        return origin is None or _split(origin).netloc.lower() == host.lower()


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")
