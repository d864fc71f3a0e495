"""Published rows are as the STANet papers print them, and stand beside their six databases."""

import json
from pathlib import Path

import pytest

from lookhear.evaluation.literature import PRINTED_METRICS, printed
from lookhear.evaluation.page import render
from lookhear.evaluation.statistics import analyse
from lookhear.evaluation.tables import latex, markdown, write_tables
from pages import Page
from scored import report_of, scores_of

# By the names of STAViS's folders, in the order of the papers.
DATABASES = ("AVAD", "DIEM", "SumMe", "ETMD_av", "Coutrot_db1", "Coutrot_db2")
# AUC-J, SIM, s-AUC, CC, NSS
PUBLISHED = """
| ITTI | .688 .170 .533 .131 .611 | .663 .217 .583 .137 .555 | .666 .151 .559 .097 .436 | .661 .127 .582 .083 .425 | .616 .178 .529 .082 .319 | .694 .142 .530 .040 .331 |
| GBVS | .854 .247 .572 .337 1.556 | .830 .318 .605 .356 1.277 | .808 .221 .567 .272 1.134 | .856 .226 .613 .299 1.398 | .798 .253 .526 .272 1.055 | .819 .189 .577 .183 1.071 |
| GradCAM++ | .777 .273 .559 .255 1.217 | .732 .216 .583 .271 .778 | .774 .217 .593 .225 .924 | .575 .124 .157 .576 .736 | .704 .137 .537 .210 .511 | .733 .114 .567 .168 .625 |
| STANet | .873 .334 .580 .438 2.018 | .861 .391 .658 .469 1.716 | .854 .294 .627 .368 1.647 | .908 .318 .682 .448 2.176 | .829 .306 .542 .339 1.376 | .850 .247 .597 .273 1.475 |
| STANet+ | .887 .361 .595 .490 2.318 | .884 .436 .679 .544 2.042 | .866 .323 .634 .402 1.761 | .910 .328 .683 .452 2.297 | .840 .315 .552 .354 1.429 | .862 .267 .612 .349 1.952 |
| ACLNet (full supervision) | .905 .446 .560 .580 3.170 | .869 .427 .622 .522 2.020 | .868 .296 .609 .379 1.790 | .915 .329 .675 .477 2.360 | .850 .361 .542 .425 1.920 | .926 .322 .594 .448 3.160 |
"""  # noqa: E501


def facts(database: str) -> dict[str, dict[str, float]]:
    """Model -> metric -> figure, of a database."""
    cells = [line.strip("| ").split(" | ") for line in PUBLISHED.strip().splitlines()]
    column = 1 + DATABASES.index(database)
    return {
        row[0]: dict(zip(PRINTED_METRICS, map(float, row[column].split()), strict=True))
        for row in cells
    }


@pytest.mark.parametrize("database", DATABASES)
def test_the_rows_are_those_of_the_papers(database: str) -> None:
    assert PRINTED_METRICS == ("AUC-J", "SIM", "s-AUC", "CC", "NSS")
    found = printed(database)
    assert found is not None
    assert found.rows == facts(database)
    assert len(found.rows) == 6


@pytest.mark.parametrize("database", DATABASES)
def test_every_row_stands_beside_what_was_measured_on_the_database(
    database: str, tmp_path: Path
) -> None:
    scores = scores_of({"ours": [[0.5], [0.7]]}, groups=[database] * 2)
    found = analyse(scores)
    page = " ".join(Page(render(report_of(scores))).text.split())
    in_markdown, in_latex = markdown(scores, found), latex(scores, found)
    for model, figures in facts(database).items():
        row = [model, *(f"{figures[metric]:.3f}" for metric in PRINTED_METRICS)]
        assert "".join(row).replace(" ", "") in page.replace(" ", "")  # its cells have no blanks
        assert f"\n| {' | '.join(row)} | - |\n" in in_markdown  # of KL they print nothing
        assert f"\n{' & '.join(row)} & -- " in in_latex
    for text in (page, in_markdown, in_latex):
        assert "maybe not on the same clips" in text
    write_tables(tmp_path, scores, found, {})
    published = json.loads((tmp_path / "scores.json").read_text())["published"]
    assert published[database]["means"] == facts(database)
