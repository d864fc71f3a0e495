"""An explanation's folder: film, key frames, tubes, scores and page, whole or not at all."""

from collections.abc import Callable, Sequence
from pathlib import Path

from lookhear.files import whole_folder
from lookhear.media import Clip
from lookhear.show import heat
from lookhear.show.films import (
    LOOKS,
    STILL_SUFFIX,
    SUFFIXES,
    Films,
    Format,
    film_names,
)
from lookhear.show.lettering import plain
from lookhear.tubes.explained import Explanation
from lookhear.tubes.findings import summarise
from lookhear.tubes.page import Shown, render
from lookhear.tubes.plots import faithfulness_plot, scores_plot
from lookhear.tubes.records import write_curves, write_scores, write_settings, write_tubes
from lookhear.tubes.strip import Strip
from lookhear.tubes.timing import TubeInTime

RESULTS = {
    "explanation.json",
    "faithfulness.csv",
    "faithfulness.svg",
    "report.html",
    "scores.csv",
    "scores.svg",
    "strip.png",
    "tube.npz",
    *(look + suffix for look in LOOKS for suffix in SUFFIXES.values()),
    *(look + STILL_SUFFIX for look in LOOKS),
}


def write_explanation(
    folder: Path,
    clip: Clip,
    explained: Explanation,
    formats: Sequence[Format],
    command: str,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Write all that an explanation says into a folder, replaced as a whole.

    Args:
        folder: appears when everything in it is done.
        clip: that was explained.
        explained: what was found in it.
        formats: of the clip under its tubes; those of a still picture are stills anyway.
        command: by which it was made.
        advance: called after each frame of the clip.

    Raises:
        LookhearError: the clip cannot be decoded, or the folder not be written.
    """
    names = [plain(label.name) for label in explained.labels]
    tubes = [TubeInTime(tube, explained.times) for tube in explained.tubes]
    strip = Strip(clip, tubes, names)
    with whole_folder(folder) as partial:
        seen = tubes[0].times.tolist()
        with Films(partial, clip, formats, names=names, times=seen) as films:
            for frame in clip.frames():
                films.add(frame, [tube.at(frame.time) for tube in tubes])
                strip.add(frame)
                advance()
        found = summarise(explained, tubes)
        shown = Shown(
            explained=explained,
            found=found,
            strip=strip.picture(),
            posters=(strip.poster("heat"), strip.poster("focus")),
            films=film_names(clip, formats),
            problems=[*dict.fromkeys((*explained.problems, *clip.problems))],
            command=command,
        )
        (partial / "strip.png").write_bytes(heat.encode_png(shown.strip))
        write_tubes(partial / "tube.npz", explained)
        write_scores(partial / "scores.csv", explained)
        _write(partial / "scores.svg", scores_plot(explained))
        if explained.faithfulness:
            write_curves(partial / "faithfulness.csv", explained)
            _write(partial / "faithfulness.svg", faithfulness_plot(explained))
        write_settings(partial / "explanation.json", explained, found, command)
        _write(partial / "report.html", render(shown))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="replace")
