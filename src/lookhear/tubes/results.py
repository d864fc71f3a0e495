"""An explanation's folder: films, key frames, tubes, scores and page, whole or not at all."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lookhear import __version__
from lookhear.files import check_replaceable, whole_folder
from lookhear.media import Clip, open_clip
from lookhear.media.stills import encode_png
from lookhear.prediction.maps_files import write_archive
from lookhear.progress import Bars, no_bars
from lookhear.show.films import ALL_FILMS, LOOKS, Format, film_names, open_films
from lookhear.show.lettering import plain
from lookhear.tubes.explanation import Explanation, Found, explain, found_in
from lookhear.tubes.page import render
from lookhear.tubes.plots import faithfulness_plot, scores_plot
from lookhear.tubes.script import ScriptPictures, folders_in, folders_of
from lookhear.tubes.strip import Strip
from lookhear.tubes.tube import TubeInTime

REPORT = "report.html"
RESULTS = {
    "explanation.json",
    "faithfulness.csv",
    "faithfulness.svg",
    REPORT,
    "scores.csv",
    "scores.svg",
    "strip.png",
    "tube.npz",
    *ALL_FILMS,
}
Pictures = Literal["script"]
"""The format that `lookhear.tubes.script` writes, beside those of films."""
CURVES = ("deletion", "insertion", "random_deletion", "random_insertion")


def explain_into(
    folder: Path,
    path: str | Path,
    *,
    formats: Sequence[Format | Pictures] = ("video",),
    command: str = "",
    overwrite: bool = False,
    progress: Bars = no_bars,
    **choices: Any,
) -> Explanation:
    """Explain a clip, and write all that is found into a folder.

    Args:
        folder: appears when everything in it is done.
        path: of the clip.
        formats: of the clip under its tubes, films of a still picture being stills anyway;
            ``script`` for pictures of what the network saw, as the published script of Saliency
            Tubes draws and names them.
        command: by which it is made, for the page.
        overwrite: whether older results are replaced.
        progress: shows what is done.
        choices: as `lookhear.explain` takes them.

    Raises:
        LookhearError: the clip cannot be explained, or the folder not be written.
    """
    check_replaceable(folder, RESULTS | folders_in(folder), overwrite=overwrite)
    clip = open_clip(path)
    explained = explain(clip, progress=progress, **choices)
    write_explanation(folder, clip, explained, formats, command, progress)
    return explained


def write_explanation(
    folder: Path,
    clip: Clip,
    explained: Explanation,
    formats: Sequence[Format | Pictures],
    command: str,
    progress: Bars = no_bars,
) -> None:
    """Write all that an explanation of a clip says into a folder, replaced as a whole.

    Args: see `explain_into`.

    Raises:
        LookhearError: the clip cannot be decoded, or the folder not be written.
    """
    names = [plain(label.name) for label in explained.labels]
    tubes = [TubeInTime(tube, explained.times) for tube in explained.tubes]
    strip = Strip(clip, tubes, names)
    of_films: list[Format] = [kind for kind in formats if kind != "script"]
    drawn = "script" in formats
    with whole_folder(folder) as partial:
        seen = tubes[0].times.tolist()
        draw = ScriptPictures(partial, explained).add if drawn else None
        with (
            open_films(partial, clip, of_films, names=names, times=seen) as film,
            progress("writing", clip.frame_count) as count,
        ):
            for frame in clip.frames():
                film(frame, [tube.at(frame.time) for tube in tubes])
                strip.add(frame)
                if draw:
                    draw(frame)
                count(1)
        found = found_in(explained)
        picture = strip.picture()
        page = render(
            explained,
            found,
            strip=picture,
            posters=[strip.poster(look) for look in LOOKS],
            films=film_names(clip, of_films),
            drawn=folders_of(explained) if drawn else (),
            problems=[*dict.fromkeys((*explained.problems, *clip.problems))],
            command=command,
        )
        (partial / "strip.png").write_bytes(encode_png(picture))
        _write_tubes(partial / "tube.npz", explained)
        _write_scores(partial / "scores.csv", explained)
        _write(partial / "scores.svg", scores_plot(explained))
        if explained.faithfulness:
            _write_curves(partial / "faithfulness.csv", explained)
            _write(partial / "faithfulness.svg", faithfulness_plot(explained))
        _write(partial / "explanation.json", _described(explained, found, command))
        _write(partial / REPORT, page)


def _write(path: Path, text: str) -> None:
    path.write_text(f"{text}\n", encoding="utf-8", errors="replace")


def _write_tubes(path: Path, explained: Explanation) -> None:
    """Write all frames of all tubes, one after another, as .npz.

    It holds ``tubes`` (L, N, H, W) float16 from 0 to 1, ``times`` (N,) float64 and ``spans``
    (W, 2) float64 in seconds, ``probabilities`` (W, L) float32, and ``labels`` (L,), their names.
    """
    shape = len(explained.tubes), len(explained.times), *explained.tubes[0].framing.size
    frames = (frame for tube in explained.tubes for frame in tube.frames())
    write_archive(
        path,
        "tubes",
        shape,
        (frame.astype(np.float16).tobytes() for frame in frames),
        times=explained.times,
        spans=explained.spans,
        probabilities=explained.probabilities,
        labels=np.array([label.name for label in explained.labels]),
    )


def _write_scores(path: Path, explained: Explanation) -> None:
    """Write the probability of each label in each window, a line a window, as CSV."""
    windows = zip(explained.spans.tolist(), explained.probabilities.tolist(), strict=True)
    _write_table(
        path,
        ["start", "end", *(plain(label.name) for label in explained.labels)],
        ([*(f"{time:.3f}" for time in span), *_cells(row)] for span, row in windows),
    )


def _write_curves(path: Path, explained: Explanation) -> None:
    """Write the curves of faithfulness, a line for each label and share of the pixels, as CSV."""
    columns = "shares", *CURVES
    rows = (
        [plain(label.name), *_cells(row)]
        for label, measured in zip(explained.labels, explained.faithfulness, strict=True)
        for row in np.stack([getattr(measured, name) for name in columns], axis=1).tolist()
    )
    _write_table(path, ["label", "share", *CURVES], rows)


def _write_table(path: Path, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([heads, *rows])


def _cells(values: Iterable[float]) -> Iterator[str]:
    """Empty where a value is not finite."""
    return (f"{value:.5g}" if math.isfinite(value) else "" for value in values)


def _described(explained: Explanation, found: Sequence[Found], command: str) -> str:
    """What was found, in short, and what with, as strict JSON."""
    described = {
        "clip": plain(explained.path.name),
        "network": explained.network,
        "layer": explained.layer,
        "head": explained.head,
        "method": explained.method,
        "fed": explained.fed,
        "labels": [*map(_described_label, found)],
        "command": command,
        "lookhear": __version__,
    }
    return json.dumps(described, indent=2, ensure_ascii=False, allow_nan=False)


def _described_label(found: Found) -> dict[str, Any]:
    described: dict[str, Any] = {
        "index": found.index,
        "name": found.name,
        "mean_probability": _number(found.probability),
        "peak_time": _number(found.peak_time),
    }
    if (of := found.faithfulness) is not None:
        described["faithfulness"] = {
            curve: _number(of.area(getattr(of, curve))) for curve in CURVES
        }
    return described


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
