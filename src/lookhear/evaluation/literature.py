"""Scores printed in papers on the six audio-visual eye-tracking databases, for context.

Of Wang et al., "Weakly Supervised Visual-Auditory Fixation Prediction with Multigranularity
Perception" (STANet+, arXiv 2112.13697), which goes on from their "From Semantic Categories to
Fixations" (STANet, CVPR 2021): figures as printed, by STAViS's protocol. Nothing was run again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SOURCE = "Wang et al., arXiv 2112.13697"
PRINTED_METRICS = ("AUC-J", "SIM", "s-AUC", "CC", "NSS")


@dataclass(frozen=True)
class Printed:
    """The scores that a paper prints of a database.

    Attributes:
        database: its name in print.
        rows: model -> metric of `PRINTED_METRICS` -> mean.
        note: what is odd about them; empty if nothing is.
    """

    database: str
    rows: Mapping[str, Mapping[str, float]]
    note: str = ""


def printed(database: str) -> Printed | None:
    """The scores that a paper prints of a database; None if there are none.

    Args:
        database: in print or as STAViS's folders have it: ETMD or ETMD_av, Coutrot1 or
            Coutrot_db1; upper and lower case are the same.
    """
    name = database.casefold()
    return _OF_DATABASE.get(_NAMES_OF_FOLDERS.get(name, name))


_NAMES_OF_FOLDERS = {"etmd_av": "etmd", "coutrot_db1": "coutrot1", "coutrot_db2": "coutrot2"}

_DATABASES = ("AVAD", "DIEM", "SumMe", "ETMD", "Coutrot1", "Coutrot2")

_NOTES = {
    "ETMD": "GradCAM++'s five numbers are as printed, though they seem to have changed places: "
    "an s-AUC of 0.157 would be far below chance."
}

# The five metrics of each database in turn.
_SCORES = {
    "ITTI": """
        .688 .170 .533 .131 .611 | .663 .217 .583 .137 .555 | .666 .151 .559 .097 .436 |
        .661 .127 .582 .083 .425 | .616 .178 .529 .082 .319 | .694 .142 .530 .040 .331
    """,
    "GBVS": """
        .854 .247 .572 .337 1.556 | .830 .318 .605 .356 1.277 | .808 .221 .567 .272 1.134 |
        .856 .226 .613 .299 1.398 | .798 .253 .526 .272 1.055 | .819 .189 .577 .183 1.071
    """,
    "GradCAM++": """
        .777 .273 .559 .255 1.217 | .732 .216 .583 .271 .778 | .774 .217 .593 .225 .924 |
        .575 .124 .157 .576 .736 | .704 .137 .537 .210 .511 | .733 .114 .567 .168 .625
    """,
    "STANet": """
        .873 .334 .580 .438 2.018 | .861 .391 .658 .469 1.716 | .854 .294 .627 .368 1.647 |
        .908 .318 .682 .448 2.176 | .829 .306 .542 .339 1.376 | .850 .247 .597 .273 1.475
    """,
    "STANet+": """
        .887 .361 .595 .490 2.318 | .884 .436 .679 .544 2.042 | .866 .323 .634 .402 1.761 |
        .910 .328 .683 .452 2.297 | .840 .315 .552 .354 1.429 | .862 .267 .612 .349 1.952
    """,
    "ACLNet (full supervision)": """
        .905 .446 .560 .580 3.170 | .869 .427 .622 .522 2.020 | .868 .296 .609 .379 1.790 |
        .915 .329 .675 .477 2.360 | .850 .361 .542 .425 1.920 | .926 .322 .594 .448 3.160
    """,
}


def _row(model: str, number: int) -> dict[str, float]:
    values = _SCORES[model].split("|")[number].split()
    return dict(zip(PRINTED_METRICS, map(float, values), strict=True))


_OF_DATABASE = {
    database.casefold(): Printed(
        database, {model: _row(model, number) for model in _SCORES}, _NOTES.get(database, "")
    )
    for number, database in enumerate(_DATABASES)
}
