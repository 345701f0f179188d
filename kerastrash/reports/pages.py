"""Pages from the templates of the package: in HTML every value is escaped, in markdown it stands as it is."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

TEMPLATES = Path(__file__).resolve().parents[1] / "assets" / "templates"


def page(template: str, **values: Any) -> str:
    """The text of a page, such as `report.md.j2`, with the values in it."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=lambda name: name.endswith(".html.j2"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)
