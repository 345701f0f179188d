"""The one exception family for what a user can mend.

Every message names the file, the value and the remedy. Scripts print the message and exit with status 2;
any other exception is a bug and keeps its traceback.
"""


class KerastrashError(Exception):
    """Something a user can mend: the message says what is wrong, where, and what to do."""


class DataError(KerastrashError):
    """An annotation file, image, category map or split that cannot be used."""


class ModelError(KerastrashError):
    """A net, a set of rows, a weights file or a saved model that cannot be used."""


class ConfigError(KerastrashError):
    """A setting that is out of range, or that contradicts another or an earlier run."""


class FileError(KerastrashError):
    """A file or folder that cannot be read or written."""


def require(condition: bool, option: str, value: object, rule: str) -> None:
    """Raises ConfigError naming the option, its value and the rule it breaks."""
    if not condition:
        raise ConfigError(f"{option}={value!r} {rule}")


def told(error: Exception) -> str:
    """The line of a library's message that says why."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(("Exception from", "Check '"))]
    return (telling or [type(error).__name__])[0].rstrip(".")[:200]
