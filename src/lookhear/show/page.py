"""Pages: one HTML file each that needs no other, all of one base, one style and the same parts.

A page is a template, ``page.html`` in the room that it tells of, which extends
`templates/base.html` and takes what recurs from `templates/parts.html`. What it shows is escaped,
whatever it holds.
"""

import base64
import math
from functools import cache
from typing import NamedTuple
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from lookhear.media.stills import encode_jpeg
from lookhear.show import heat
from lookhear.show.heat import Pixels
from lookhear.words import time_label

DASH = "\N{EN DASH}"
JPEG_QUALITY = 80
PANEL_WIDTH, PANEL_AREA = 240, 240 * 180  # pixels, at most, of a picture among others


class Picture(NamedTuple):
    """A picture that lies in the page itself; its sides in pixels."""

    address: str
    width: int
    height: int


class Cell(NamedTuple):
    """A score in a table, a smaller note below it, and whether it is better or worse than another.

    The best of its column stands out.
    """

    text: str
    is_best: bool = False
    note: str = ""
    verdict: str = ""


def render(room: str, **shown: object) -> str:
    """The HTML text of a room's page.

    Args:
        room: such as ``prediction``.
        shown: what its template asks for: ``title`` and ``facts``, and what is its own.
    """
    page = _environment().get_template(f"{room}/page.html").render(shown)
    # Names of files that are no text reach Python as lone surrogates, which no file can hold.
    return page.encode("utf-8", "replace").decode("utf-8")


def picture(pixels: Pixels) -> Picture:
    """A picture (H, W, 3), uint8 RGB, as JPEG."""
    address = data_uri(encode_jpeg(pixels, JPEG_QUALITY, optimize=True), "image/jpeg")
    return Picture(address, pixels.shape[1], pixels.shape[0])


def data_uri(content: bytes, kind: str) -> str:
    """The address of a file that lies in the page itself, `kind` being its media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def score(value: float, form: str = "z.3f") -> str:
    """A score as text; a dash where it is not defined."""
    return DASH if math.isnan(value) else format(value, form)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("lookhear", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    colours = (f"rgb({r},{g},{b})" for r, g, b in heat.HEAT[::51].tolist())
    environment.globals["heat"] = ",".join(colours)
    environment.filters["clock"] = time_label
    environment.filters["score"] = score
    environment.filters["beside"] = lambda name: f"./{quote(name, errors='surrogateescape')}"
    return environment
