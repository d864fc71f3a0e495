"""Results become files that others can read, whatever models and clips are called."""

import csv
import io
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console

from lookhear.errors import LookhearError
from lookhear.evaluation.literature import PRINTED_METRICS, printed
from lookhear.evaluation.scores import Scores, Subject
from lookhear.evaluation.statistics import analyse
from lookhear.evaluation.tables import (
    latex,
    markdown,
    one_line,
    terminal_table,
    write_tables,
)
from lookhear.metrics import METRIC_NAMES

NASTY = [
    "a|b & c_d %e #f",
    "[x] *y* `z` <b>bold</b> &amp;",
    "two\nlines\r\nand\ttabs, \"quotes\" and 'others'",
    "back\\slash \\\\ {brace} ~^$ \\input{x}",
    "",
]
PROTOCOL = {"smoothing": 2.0, "every": None}


def made_up(
    models: Sequence[str],
    groups: Sequence[str] = ("DIEM",) * 6,
    frames: int = 3,
    better: float = 0.0,
    notes: tuple[str, ...] = (),
    names: Sequence[str] = (),
) -> Scores:
    """Scores of clips (pictures, if of no frames); each model is better than the one before."""
    rng = np.random.default_rng(8)
    times = tuple(index / 3 for index in range(frames or 1))
    named = names or [f"clip {i}" for i in range(len(groups))]
    return Scores(
        "clips" if frames else "pictures",
        tuple(Subject(name, group, times) for name, group in zip(named, groups, strict=True)),
        {
            model: {
                metric: tuple(
                    tuple(rng.normal(1 + (number if metric != "KL" else -number) * better, 0.1, n))
                    for n in [len(times)] * len(groups)
                )
                for metric in METRIC_NAMES
            }
            for number, model in enumerate(models)
        },
        notes,
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def in_terminal(scores: Scores, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width, markup=True)
    console.print(terminal_table(scores, analyse(scores)))
    return console.file.getvalue()


def markdown_tables(text: str) -> list[list[list[str]]]:
    """The tables of a page as a reader sees them: their rows' cells as plain text."""
    tables: list[list[list[str]]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type == "inline" and tables and token.level > 3:
            tables[-1][-1].append(plain(token))
    return tables


def plain(token: Token) -> str:
    assert {child.type for child in token.children} <= {"text", "strong_open", "strong_close"} | {
        "text_special"
    }
    return "".join(child.content for child in token.children)


def check_structure(text: str) -> None:
    """What LaTeX needs: braces and environments that close, and a row's cells by its columns."""
    bare = re.sub(r"\\[\\{}&%$#_]", "", re.sub(r"(?m)^%.*$", "", text))
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    assert not set(bare) & set("~^#%_<>|†")
    assert bare.count("$") % 2 == 0
    open_environments = []
    for verb, name in re.findall(r"\\(begin|end)\{(.*?)\}", text):
        if verb == "begin":
            open_environments.append(name)
        else:
            assert open_environments.pop() == name
    assert not open_environments
    for line in text.splitlines():
        if line.endswith(r"\\") and not line.startswith(r"\multicolumn"):
            assert len(re.sub(r"\\.", "", line[:-2]).split("&")) == 1 + len(METRIC_NAMES)
            assert not line.lstrip().startswith(("[", "*"))


def unescaped(cell: str) -> str:
    """What LaTeX would print for a name."""
    for command, character in {
        "backslash": "\\",
        "asciitilde": "~",
        "asciicircum": "^",
        "less": "<",
        "greater": ">",
        "bar": "|",
        "dagger": "†",
    }.items():
        cell = cell.replace(f"\\text{command}{{}}", f"\0{ord(character)};")
    cell = re.sub(r"\{([\[*])\}", r"\1", cell)
    cell = re.sub(r"\\([&%$#_{}])", r"\1", cell)
    return re.sub(r"\0(\d+);", lambda found: chr(int(found[1])), cell)


def test_every_file_is_there_for_clips_and_for_pictures(tmp_path):
    for kind, frames in (("clips", 3), ("pictures", 0)):
        scores = made_up(["a", "b"], frames=frames)
        folder = tmp_path / kind
        folder.mkdir()
        write_tables(folder, scores, analyse(scores), PROTOCOL)
        always = {"scores.json", f"{kind}.csv", "table.csv", "table.md", "table.tex"}
        extra = {"frames.csv"} if kind == "clips" else set()
        assert {path.name for path in folder.iterdir()} == always | extra


def test_the_json_has_everything_and_no_nan(tmp_path):
    scores = made_up(["a", "b"], ["ETMD_av", "mine"], notes=("a: clip 0: all zero",))
    values = dict(scores.values)
    values["b"] = values["b"] | {"NSS": ((math.nan, math.nan, 1.0), (math.nan,) * 3)}
    scores = Scores(scores.kind, scores.subjects, values, scores.notes)
    found = analyse(scores)
    write_tables(tmp_path, scores, found, PROTOCOL)
    read = json.loads((tmp_path / "scores.json").read_text(), parse_constant=pytest.fail)
    assert read["protocol"] == PROTOCOL
    assert read["notes"] == ["a: clip 0: all zero"]
    assert read["values"]["b"]["NSS"] == [[None, None, 1.0], [None] * 3]
    assert read["values"]["a"]["CC"] == [list(of) for of in scores.values["a"]["CC"]]
    assert [of["group"] for of in read["statistics"]] == ["ETMD_av", "mine", None]
    together = read["statistics"][-1]
    compared = together["comparisons"]["b"]["CC"]
    assert compared["difference"]["low"] == found[-1].comparisons["b"]["CC"].difference.low
    assert together["comparisons"]["b"]["NSS"]["p"] is None
    assert together["compared with"] == "a"
    assert list(read["published"]) == ["ETMD_av"]
    assert "GradCAM++" in read["published"]["ETMD_av"]["note"]


def test_csv_files_read_back_equal_whatever_the_names(tmp_path):
    clips = [f"{name} again" for name in NASTY]
    scores = made_up(NASTY, ["D|EM, \n%"] * 5, names=clips)
    found = analyse(scores)
    write_tables(tmp_path, scores, found, PROTOCOL)
    subjects = rows_of(tmp_path / "clips.csv")
    assert [(row["model"], row["clip"]) for row in subjects] == [
        (model, clip) for model in NASTY for clip in clips
    ]
    assert {row["database"] for row in subjects} == {"D|EM, \n%"}
    for model, metrics in scores.of_subjects.items():
        for metric, values in metrics.items():
            read = [float(row[metric]) for row in subjects if row["model"] == model]
            assert read == list(values)
    frames = rows_of(tmp_path / "frames.csv")
    assert len(frames) == 5 * 5 * 3
    chosen = [row for row in frames if (row["model"], row["clip"]) == (NASTY[2], clips[3])]
    assert [float(row["time"]) for row in chosen] == list(scores.subjects[3].times)
    assert tuple(float(row["NSS"]) for row in chosen) == scores.values[NASTY[2]]["NSS"][3]
    table = rows_of(tmp_path / "table.csv")
    assert len(table) == 5 * len(METRIC_NAMES)
    for row in table:
        one = found[0].estimates[row["model"]][row["metric"]]
        assert tuple(float(row[key]) for key in ("mean", "low", "high", "subjects")) == one
        if row["model"] == NASTY[0]:
            assert row["p"] == row["difference"] == ""
        else:
            compared = found[0].comparisons[row["model"]][row["metric"]]
            assert float(row["difference"]) == compared.difference.mean
            assert (float(row["p"]), float(row["p_corrected"])) == compared[1:]


def test_a_name_that_is_not_utf8_can_be_written(tmp_path):
    scores = made_up(["a", "b\udcff"])
    write_tables(tmp_path, scores, analyse(scores), PROTOCOL)
    assert {row["model"] for row in rows_of(tmp_path / "frames.csv")} == {"a", "b?"}
    assert "b?" in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_what_is_not_defined_is_empty_in_csv_and_a_dash_to_read(tmp_path):
    scores = made_up(["a", "b"], ["DIEM"] * 3)
    values = {
        model: dict(metrics) | {"s-AUC": ((math.nan,) * 3,) * 3}
        for model, metrics in scores.values.items()
    }
    scores = Scores("clips", scores.subjects, values)
    write_tables(tmp_path, scores, analyse(scores), PROTOCOL)
    assert {row["s-AUC"] for row in rows_of(tmp_path / "clips.csv")} == {""}
    (row, _) = (row for row in rows_of(tmp_path / "table.csv") if row["metric"] == "s-AUC")
    assert [row[key] for key in ("mean", "low", "high", "subjects")] == ["", "", "", "0"]
    column = 1 + METRIC_NAMES.index("s-AUC")
    means, differences, *_ = markdown_tables((tmp_path / "table.md").read_text())
    assert [cells[column] for cells in (*means[1:], *differences[1:])] == ["-"] * 3
    paper = (tmp_path / "table.tex").read_text()
    check_structure(paper)
    assert "nan" not in in_terminal(scores) + paper


def test_a_table_says_mean_interval_best_and_what_differs():
    scores = made_up(["first", "second", "third"], ["mine"] * 20, better=0.5)
    found = analyse(scores)
    text = markdown(scores, found)
    (line,) = [line for line in text.splitlines() if line.startswith("| third | **")]
    one = found[0].estimates["third"]["AUC-J"]
    assert line.startswith(f"| third | **{one.mean:.3f}**† [{one.low:.3f}, {one.high:.3f}] |")
    assert line.count("**") == 2 * len(METRIC_NAMES)  # the lowest KL is the best
    assert "| second | **" not in text
    assert "differs from first" in text
    assert "KL ↓" in text
    assert "NSS ↑" in text
    paper = latex(scores, found)
    assert rf"third & \textbf{{{one.mean:.3f}}}\textdagger{{}} & " in paper
    assert rf"{{\scriptsize [{one.low:.3f}, {one.high:.3f}]}}" in paper
    assert paper.count(r"\textbf") == len(METRIC_NAMES)
    check_structure(paper)


def test_models_that_are_equal_to_the_digits_shown_are_both_best():
    scores = made_up(["a"])
    scores = Scores("clips", scores.subjects, {"a": scores.values["a"], "b": scores.values["a"]})
    text = markdown(scores, analyse(scores))
    assert text.count("**") == 2 * 2 * len(METRIC_NAMES)
    means, *_ = markdown_tables(text)
    assert not any("†" in cell for row in means for cell in row)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=2, unique=True))
def test_any_name_is_itself_in_markdown_and_latex(names):
    check_names(names)


@pytest.mark.parametrize("name", NASTY)
def test_nasty_names_are_themselves_in_markdown_and_latex(name):
    check_names(["centre", name, f"{name} $&"])


def check_names(names: Sequence[str]) -> None:
    scores = made_up(names, [names[0]] * 3)
    found = analyse(scores)
    wanted = [one_line(name) for name in names]
    means, differences = markdown_tables(markdown(scores, found))
    assert [row[0] for row in means] == ["model", *wanted]
    assert [row[0] for row in differences] == ["model", *wanted[1:]]
    assert {len(row) for row in (*means, *differences)} == {1 + len(METRIC_NAMES)}
    text = latex(scores, found)
    check_structure(text)
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and not line.startswith(" ")]
    if all(wanted):
        assert [unescaped(row.split(" & ")[0]) for row in rows] == wanted


def test_published_rows_stand_with_their_database_alone():
    scores = made_up(["a", "b"], ["Coutrot_db1"] * 3 + ["mine"] * 3)
    found = analyse(scores)
    text = markdown(scores, found)
    assert text.count("### Published on") == 1
    assert (
        text.index("## Coutrot") < text.index("### Published on Coutrot1") < text.index("## mine")
    )
    assert "| STANet | 0.829 | 0.306 | 0.542 | 0.339 | 1.376 | - |" in text
    assert "not measured here" in text
    of_coutrot, of_mine, of_all = latex(scores, found).split(r"\begin{table*}")[1:]
    assert r"\midrule" in of_coutrot.split("b &")[1].split("STANet &")[0]
    assert r"STANet & 0.829 & 0.306 & 0.542 & 0.339 & 1.376 & -- \\" in of_coutrot
    assert "STANet" not in of_mine + of_all


def test_published_scores_are_found_by_any_name_of_the_database():
    for name, nss in {
        "AVAD": 2.018,
        "diem": 1.716,
        "SumMe": 1.647,
        "ETMD_av": 2.176,
        "ETMD": 2.176,
        "Coutrot_db1": 1.376,
        "COUTROT2": 1.475,
    }.items():
        found = printed(name)
        assert len(found.rows) == 6
        assert found.rows["STANet"]["NSS"] == nss
        assert all(tuple(row) == PRINTED_METRICS for row in found.rows.values())
        assert bool(found.note) == (found.database == "ETMD")
    assert printed("OSIE") is None
    assert printed("") is None


def test_one_clip_is_said_to_allow_no_interval(tmp_path):
    scores = made_up(["a", "b"], ["mine"])
    write_tables(tmp_path, scores, analyse(scores), PROTOCOL)
    for name in ("table.md", "table.tex"):
        text = (tmp_path / name).read_text()
        assert "One clip: there can be no intervals and no tests." in text
        assert not re.search(r"\[\d", text)
    check_structure((tmp_path / "table.tex").read_text())
    assert "One clip" in in_terminal(scores)


def test_notes_are_in_the_page():
    text = markdown(scores := made_up(["a"], notes=("a_b: clip 3: no map",)), analyse(scores))
    assert r"- a\_b: clip 3: no map" in text


def test_the_terminal_shows_means_interval_and_p_within_100_columns():
    models = ["centre", "a/very/long/path/to/some/model/of/mine", "[red]x[/red] \x1b[31m\nlast"]
    scores = made_up(models, ["DIEM"] * 20, better=-1.5)
    text = in_terminal(scores)
    assert max(map(len, text.splitlines())) <= 100
    (found,) = analyse(scores)
    (line,) = [line for line in text.splitlines() if "centre" in line and "0." in line]
    one = found.estimates["centre"]["NSS"]
    assert f"[{one.low:.3f}, {one.high:.3f}]" in line
    assert all(f"{found.estimates['centre'][metric].mean:.3f}" in line for metric in METRIC_NAMES)
    p = found.comparisons[models[1]]["NSS"].p_corrected
    assert any(line.rstrip().endswith(f"{p:.3f}") for line in text.splitlines())
    assert "[red]x[/red]" in text
    assert "\x1b" not in text


def test_the_terminal_has_a_section_for_each_database():
    lines = in_terminal(made_up(["a"], ["DIEM"] * 2 + ["AVAD"])).splitlines()
    heads = [line.strip() for line in lines if line.strip().endswith(("clips", "clip"))]
    assert heads == ["All 3 clips", "DIEM: 2 clips", "AVAD: 1 clip", "All 3 clips"]


def test_a_file_that_cannot_be_written_is_said_in_one_line_and_leaves_the_old_one(tmp_path):
    scores = made_up(["a"])
    (tmp_path / "clips.csv").mkdir()
    with pytest.raises(LookhearError, match=r"clips\.csv: cannot be written") as raised:
        write_tables(tmp_path, scores, analyse(scores), PROTOCOL)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.glob(".*partial"))
