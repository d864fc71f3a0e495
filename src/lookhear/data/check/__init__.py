"""Looking at a data set before anyone waits for it: what it is, what is missing or broken."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from lookhear.data.check.findings import Findings, Section, Trouble, by_reason, row
from lookhear.data.check.gaze import check_fixations, check_osie, check_stavis
from lookhear.data.check.tagged import check_ave, check_clips
from lookhear.data.readers.ave import ANNOTATIONS
from lookhear.data.readers.osie import FIXATION_FILE
from lookhear.data.readers.stavis import FOLD_LISTS
from lookhear.data.readers.tables import (
    CLIP_COLUMNS,
    CLIPS,
    FIXATION_COLUMNS,
    FIXATIONS,
    columns_of,
)
from lookhear.data.shards import MANIFEST, read_manifest, read_record
from lookhear.errors import LookhearError
from lookhear.progress import Progress, unseen

Look = Callable[[Path, Progress], Section]


def check(path: Path, advance: Progress = unseen, roots: Sequence[Path] = ()) -> Findings:
    """Find out what a path holds, in all layouts that are read here, and what is wrong with it.

    Every clip that is there is opened and its first frame decoded. Of gaze in STAViS's layout,
    all files are counted, and those of each clip's first and last frame are read. ``advance`` is
    told a number of clips or pictures that were looked at. Clips of tables may also lie in
    ``roots``.

    Raises:
        LookhearError: If there is no such path, or nothing there is known.
    """
    return Findings(path, tuple(_found(look, at, advance) for look, at in _layouts(path, roots)))


def _layouts(path: Path, roots: Sequence[Path]) -> list[tuple[Look, Path]]:
    if path.is_file():
        return [(_table_look(path, roots), path)]
    if not path.is_dir():
        raise LookhearError(f"{path}: no such file or folder; check the path")
    marks: tuple[tuple[str | Path, Look, Path], ...] = (
        (ANNOTATIONS, check_ave, path),
        (CLIPS, partial(check_clips, roots=roots), path / CLIPS),
        (FOLD_LISTS, check_stavis, path),
        (FIXATIONS, partial(check_fixations, roots=roots), path / FIXATIONS),
        (FIXATION_FILE, check_osie, path),
        (MANIFEST, check_prepared, path),
    )
    layouts = [(look, at) for mark, look, at in marks if (path / mark).exists()]
    if not layouts:
        raise LookhearError(
            f"{path}: no data set that is known; looked for {ANNOTATIONS} (AVE), {FOLD_LISTS}/ "
            f"(STAViS), {FIXATION_FILE.as_posix()} (OSIE), {CLIPS}, {FIXATIONS} and {MANIFEST} "
            "(prepared)"
        )
    return layouts


def _table_look(path: Path, roots: Sequence[Path]) -> Look:
    columns = {*columns_of(path)}
    if columns.issuperset(CLIP_COLUMNS):
        return partial(check_clips, roots=roots)
    if columns.issuperset(FIXATION_COLUMNS):
        return partial(check_fixations, roots=roots)
    raise LookhearError(
        f"{path}: not a table that is known; the first row must name {','.join(CLIP_COLUMNS)} or "
        f"{','.join(FIXATION_COLUMNS)}"
    )


def _found(look: Look, path: Path, advance: Progress) -> Section:
    """What a look finds; that it cannot even begin is a finding, too."""
    try:
        return look(path, advance)
    except LookhearError as error:
        return Section(str(error).removeprefix(f"{path}{os.sep}"), unit="clips")


def check_prepared(root: Path, advance: Progress) -> Section:
    """Look at a folder of prepared moments, every byte of it."""
    manifest = read_manifest(root)
    shards = [f"{name}.tar" for names in manifest.shards.values() for name in names]
    broken = []
    for shard in shards:
        if not _is_whole(root / shard):
            broken.append(shard)
        advance(1)
    rows: list[tuple[str, ...]] = [("split", "clips", "moments", "shards")]
    for split, names in manifest.shards.items():
        rows.append(row(split, manifest.clips[split], manifest.moments[split], len(names)))
    total = sum(manifest.moments.values())
    unfinished = "not finished: run lookhear prepare again"
    return Section(
        f"Prepared moments, from {manifest.data}",
        unit="moments",
        usable=total if manifest.complete and not broken else 0,
        total=total,
        rows=rows,
        facts=() if manifest.complete else (unfinished,),
        troubles=(
            Trouble("Missing or damaged shards", broken, len(shards), "run lookhear prepare again"),
            *by_reason(manifest.faults),
            *by_reason(manifest.problems),
        ),
    )


def _is_whole(shard: Path) -> bool:
    try:
        return read_record(shard.with_suffix(".json")).is_of(shard)
    except LookhearError:
        return False
