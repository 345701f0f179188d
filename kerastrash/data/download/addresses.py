"""Which addresses may be asked, and where a redirect may lead.

Only http and https, without a user name. A redirect is followed to the same host, or to one of the hosts that the
settings name (subdomains included); never from https down to http, and never from a public address to one of this
machine or its network. There is no guess at which names belong together: under `co.uk` or `amazonaws.com` neighbours
are strangers.
"""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

SCHEMES = ("http", "https")


def address_fault(address: str) -> str | None:
    """Why the address is not asked, or None."""
    parts = _split(address)
    if parts is None:
        return "address is malformed"
    if parts.scheme not in SCHEMES:
        return "address is neither http nor https"
    if not parts.hostname:
        return "address names no host"
    if "@" in parts.netloc:
        return "address carries a user name"
    return None


def redirect_fault(origin: str, target: str, hosts: Iterable[str]) -> str | None:
    """Why a redirect from one address to another is not followed, or None."""
    if fault := address_fault(target):
        return f"redirected: {fault}"
    here, there = urlsplit(origin), urlsplit(target)
    if here.scheme == "https" and there.scheme == "http":
        return "redirected from https to http"
    if there.hostname == here.hostname:
        return None
    if not any(_is_part_of(there.hostname, host.lower()) for host in hosts):
        return f"redirected to another host ({there.hostname})"
    if _is_private(there.hostname) and not _is_private(here.hostname):
        return f"redirected from a public to a private address ({there.hostname})"
    return None


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises where it is no port
        return parts
    except ValueError:
        return None


def _is_part_of(name: str, host: str) -> bool:
    return name == host or name.endswith(f".{host}")


def _is_private(host: str) -> bool:
    """Whether the host, or an address that its name has, is of this machine, its network or otherwise special."""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False  # no such name: asking it fails by itself
    return not all(ipaddress.ip_address(address.partition("%")[0]).is_global for address in found)
