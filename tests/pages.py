import base64
import re
from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser

import cv2
import numpy as np

from lookhear.show.heat import Pixels


class Page(HTMLParser):
    """Collects text, attributes and the tags left open."""

    VOID = ("meta", "img", "rect", "circle", "path", "image", "link")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.open, self.attributes = "", list[str](), list[tuple[str, str, str]]()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, tag: str, name: str) -> list[str]:
        return [value for *key, value in self.attributes if key == [tag, name]]

    def paths(self) -> dict[str, list[str]]:
        """The lines of all plots, by the first word of their class."""
        found = defaultdict(list)
        classes, lines = self.values("path", "class"), self.values("path", "d")
        for kind, line in zip(classes, lines, strict=True):
            found[kind.split()[0]].append(line)
        return found


def cells(html: str, table: int = 0) -> list[list[str]]:
    """What is within the cells of a table of scores, in rows."""
    body = html.split('class="wide scores"')[table + 1].split("</table>")[0]
    rows = re.findall(r'<tr><th scope="row">.*?</tr>', body)
    return [re.findall(r"<td>(.*?)</td>", row) for row in rows]


def points(path: str) -> list[tuple[float, float]]:
    """Where a line goes."""
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([-\d.e]+) ([-\d.e]+)", path)]


def addresses(page: Page) -> Iterator[str]:
    return (value for _, name, value in page.attributes if name in ("src", "href", "poster"))


def pictures(html: str) -> list[Pixels]:
    """The pictures of the page, BGR, in order."""
    encoded = [address.split(",")[1] for address in Page(html).values("img", "src")]
    return [
        np.asarray(cv2.imdecode(np.frombuffer(base64.b64decode(jpeg), np.uint8), cv2.IMREAD_COLOR))
        for jpeg in encoded
    ]
