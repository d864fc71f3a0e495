"""Lists of names."""

from pathlib import Path

import pytest

from lookhear.data.readers.lists import read_names
from lookhear.errors import LookhearError


def test_names_are_read_a_line_each(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_bytes("\ufeffBellen\r\n  Flöte \n\nBellen\n".encode())
    assert read_names(file) == ("Bellen", "Flöte", "Bellen")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read"),
        (b"\xff\xd8\xff\xe0", "cannot be read"),
        (b" \n\n", "holds no names"),
    ],
)
def test_a_file_without_names_is_one_line(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    file = tmp_path / "names.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(LookhearError, match=rf"names\.txt: .*{complaint}") as caught:
        read_names(file)
    assert "\n" not in str(caught.value)
