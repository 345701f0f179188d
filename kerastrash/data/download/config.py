"""How patiently, how fast and from where files are fetched."""

from dataclasses import dataclass

from kerastrash.errors import require

REDIRECT_HOSTS = ("staticflickr.com", "flickr.com", "githubusercontent.com")


@dataclass(frozen=True)
class FetchConfig:
    """Settings of the HTTP client."""

    connections: int = 8
    """Photographs fetched at once, 1 to 64."""

    timeout: float = 30.0
    """Seconds to wait for a connection, for all of the headers, and for the next bytes of a body."""

    retries: int = 5
    """How often a photograph is asked for again after 408, 429, a 5xx, a lost connection, a stall or a short body."""

    backoff: float = 0.5
    """Seconds before the first retry; each later one waits twice as long, all with up to as much again by chance."""

    longest_wait: float = 60.0
    """Seconds that a single wait may take, whatever the server's Retry-After says."""

    deadline: float = 900.0
    """Seconds that one photograph may take, its retries and waits included."""

    redirect_hosts: tuple[str, ...] = REDIRECT_HOSTS
    """Hosts, subdomains included, to which an address of another host may be redirected."""

    def __post_init__(self) -> None:
        require(1 <= self.connections <= 64, "connections", self.connections, "must be from 1 to 64")
        require(0 <= self.retries <= 100, "retries", self.retries, "must be from 0 to 100")
        for name in ("timeout", "longest_wait", "deadline"):
            value = getattr(self, name)
            require(0 < value <= 86_400, name, value, "must be seconds above 0, at most a day")
        require(0 <= self.backoff <= 3600, "backoff", self.backoff, "must be seconds from 0 to 3600")
