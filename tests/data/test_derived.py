"""Arrays derived from moments are kept whole, and told from damaged ones and others'."""

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookhear.data.derived import BOXES, FIXATIONS, read_derived, write_derived
from lookhear.errors import LookhearError

SHARD = "train-00000"
ARRAYS = {
    BOXES: np.arange(12, dtype=np.float32).reshape(3, 4),
    FIXATIONS: np.ones((3, 5, 6), np.float16),
}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert not (tmp_path / SHARD).is_dir()
    write_derived(tmp_path, SHARD, ARRAYS)
    assert (tmp_path / SHARD).is_dir()
    for name, array in ARRAYS.items():
        read = read_derived(tmp_path, SHARD, name, 3)
        assert read.dtype == array.dtype
        np.testing.assert_array_equal(read, array)


def test_a_shard_is_replaced_as_a_whole(tmp_path: Path) -> None:
    write_derived(tmp_path, SHARD, ARRAYS)
    write_derived(tmp_path, SHARD, {BOXES: ARRAYS[BOXES] + 1})
    np.testing.assert_array_equal(read_derived(tmp_path, SHARD, BOXES, 3), ARRAYS[BOXES] + 1)
    with pytest.raises(LookhearError, match=r"fixations\.npy: missing"):
        read_derived(tmp_path, SHARD, FIXATIONS, 3)


@pytest.mark.parametrize("older", [True, False])
def test_a_disk_that_fills_up_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    out = tmp_path / "maps"
    if older:
        write_derived(out, SHARD, ARRAYS)
    save, saved = np.save, []

    def fills_up(path: Path, *rest: Any, **options: Any) -> None:
        if saved:
            raise OSError(errno.ENOSPC, "No space left on device")
        saved.append(path)
        save(path, *rest, **options)

    monkeypatch.setattr(np, "save", fills_up)
    with pytest.raises(LookhearError, match="No space left on device; make room") as raised:
        write_derived(out, SHARD, {name: array * 2 for name, array in ARRAYS.items()})
    assert "\n" not in str(raised.value)
    assert (out / SHARD).is_dir() == older
    if older:
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(read_derived(out, SHARD, name, 3), array)
        assert [path.name for path in out.iterdir()] == [SHARD]
    else:
        assert not out.exists()


def test_objects_that_could_run_code_are_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        write_derived(tmp_path / "maps", SHARD, {BOXES: np.array([print], dtype=object)})
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize("moments", [2, 4])
def test_arrays_of_other_moments_are_refused(tmp_path: Path, moments: int) -> None:
    write_derived(tmp_path, SHARD, ARRAYS)
    with pytest.raises(LookhearError, match=r"belongs to other moments; make .* again"):
        read_derived(tmp_path, SHARD, BOXES, moments)


def test_a_single_number_is_refused(tmp_path: Path) -> None:
    write_derived(tmp_path, SHARD, {BOXES: np.float32(3)})  # type: ignore[dict-item]
    with pytest.raises(LookhearError, match="other moments"):
        read_derived(tmp_path, SHARD, BOXES, 1)


@pytest.mark.parametrize(
    "damage",
    [
        "missing",
        "empty",
        "cut in its header",
        "cut",
        "text",
        "code",
        "overwritten header",
    ],
)
def test_a_damaged_array_is_named_in_one_line(tmp_path: Path, damage: str) -> None:
    write_derived(tmp_path, SHARD, ARRAYS)
    path = tmp_path / SHARD / "boxes.npy"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "code":
        np.save(path, np.array([print] * 3, dtype=object), allow_pickle=True)
    else:
        damaged = {
            "empty": b"",
            "cut in its header": content[:20],
            "cut": content[:-5],
            "text": b"boxes\n" * 50,
            "overwritten header": content.replace(b")", b"("),
        }
        path.write_bytes(damaged[damage])
    with pytest.raises(LookhearError, match=r"boxes\.npy: missing or damaged; make .* again") as r:
        read_derived(tmp_path, SHARD, BOXES, 3)
    assert "\n" not in str(r.value)
