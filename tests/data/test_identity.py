"""Folders are told by what they hold and not by where they lie."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookhear.data.identity import identities, identity
from lookhear.errors import LookhearError

FILES = st.dictionaries(
    st.text("abc", min_size=1, max_size=3).map(lambda name: f"f{name}"),
    st.binary(max_size=40),
    min_size=1,
    max_size=4,
)


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        path = folder / "shard" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@settings(deadline=None)
@given(FILES, st.data())
def test_identity_changes_with_any_byte_and_any_name_and_not_with_the_place(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("maps")
    known = identity(write_files(root / "here", files))
    assert identity(write_files(root / "there" / "deep", files)) == known
    name = data.draw(st.sampled_from(sorted(files)))
    content = files[name]
    place = data.draw(st.integers(0, len(content)))
    longer = content[:place] + b"\0" + content[place:]
    assert identity(write_files(root / "longer", files | {name: longer})) != known
    if content:
        place = data.draw(st.integers(0, len(content) - 1))
        flipped = bytes([*content[:place], content[place] ^ 1, *content[place + 1 :]])
        assert identity(write_files(root / "flipped", files | {name: flipped})) != known
    renamed = {name + "x" if name == other else other: c for other, c in files.items()}
    assert identity(write_files(root / "renamed", renamed)) != known


def test_a_card_is_no_part_of_a_models_identity(tmp_path: Path) -> None:
    write_files(tmp_path / "model", {"model.safetensors": b"1"})
    known = identity(tmp_path / "model")
    (tmp_path / "model" / "README.md").write_text("card")
    assert identity(tmp_path / "model") == known


def test_prepared_moments_are_known_by_their_records(tmp_path: Path) -> None:
    """Which hold the checksums of the shards, so that those need not be read."""
    folder = tmp_path / "moments"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    (folder / "train-00000.json").write_text('{"sha256": "a"}')
    known = identity(folder)
    (folder / "train-00000.tar").write_bytes(b"x")
    assert identity(folder) == known
    (folder / "train-00000.json").write_text('{"sha256": "b"}')
    assert identity(folder) != known


def test_what_is_not_there_has_no_identity(tmp_path: Path) -> None:
    with pytest.raises(LookhearError, match="cannot be read"):
        identity(tmp_path / "nowhere")


def test_parts_are_told_by_the_whole_and_their_name_and_names_by_themselves(tmp_path: Path) -> None:
    known = identity(write_files(tmp_path / "net", {"x": b"1"}))
    told = identities({"a": tmp_path / "net", "b": (tmp_path / "net", "head"), "c": "x", "d": None})
    assert told == {"a": known, "b": [known, "head"], "c": "x", "d": None}
