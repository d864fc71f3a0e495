"""Files that appear whole or not at all."""

from pathlib import Path

import pytest

from lookhear.errors import LookhearError
from lookhear.files import sole_use, whole_folder, write_whole


def test_a_file_replaces_an_older_one_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    for content in ("first", "undecodable \udce9"):
        write_whole(tmp_path / "report.html", content)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "undecodable ?"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_a_file_that_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(
        LookhearError, match=r"report\.html: cannot be written: .*; choose another$"
    ):
        write_whole(tmp_path / "report.html", "text")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(LookhearError, match="nowhere"):
        write_whole(tmp_path / "nowhere" / "report.html", "text")


def test_a_folder_of_which_nothing_came_is_not_left(tmp_path: Path) -> None:
    with pytest.raises(LookhearError, match="nothing"), sole_use(tmp_path / "above" / "run"):
        raise LookhearError("nothing to do")
    assert not (tmp_path / "above").exists()
    with sole_use(tmp_path / "run"):
        (tmp_path / "run" / "kept").touch()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["kept"]


def test_an_error_in_a_folder_names_it_as_it_will_be_named(tmp_path: Path) -> None:
    with pytest.raises(LookhearError) as caught, whole_folder(tmp_path / "out") as partial:
        raise LookhearError(f"{partial / 'overlay.mp4'}: cannot be written")
    assert str(caught.value) == f"{tmp_path / 'out' / 'overlay.mp4'}: cannot be written"
    assert [*tmp_path.iterdir()] == []
