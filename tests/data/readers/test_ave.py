"""The AVE reader takes the public lists as they are, and names every entry it cannot use."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookhear.data.readers.ave import HEADER, ave_video, read_ave, write_ave
from lookhear.data.readers.tagged import TaggedClip, TaggedClips, size_of
from lookhear.errors import LookhearError

ENTRIES = ("Church bell&RUhOCu3LNXM&good&0&10", "Frying (food)&a-b_c&good&2&7")
LISTS = ("Annotations.txt", "trainSet.txt", "valSet.txt", "testSet.txt")


def read(root: Path, annotations: bytes | str, **splits: bytes | str) -> TaggedClips:
    """Write Annotations.txt and the split lists given by name, and read them."""
    for name, content in {"Annotations": annotations, **splits}.items():
        raw = content if isinstance(content, bytes) else content.encode()
        (root / f"{name}.txt").write_bytes(raw)
    return read_ave(root)


def reasons(clips: TaggedClips) -> list[tuple[str, str]]:
    return [(fault.what, fault.reason) for fault in clips.faults]


def test_reads_category_video_times_and_split(tmp_path):
    lines = "\n".join(ENTRIES)
    clips = read(tmp_path, f"{HEADER}\n{lines}\n", trainSet=ENTRIES[0], testSet=ENTRIES[1])
    assert clips.clips == (
        TaggedClip(tmp_path / "AVE" / "RUhOCu3LNXM.mp4", "Church bell", 0, 10, "train"),
        TaggedClip(tmp_path / "AVE" / "a-b_c.mp4", "Frying (food)", 2, 7, "test"),
    )
    assert clips.faults == ()
    assert [clip.name for clip in clips.clips if size_of(clip.path) is None] == [
        "RUhOCu3LNXM",
        "a-b_c",
    ]


@pytest.mark.parametrize(
    "header", ["", f"{HEADER}\n", f"\ufeff{HEADER}\n", f"\n{HEADER.lower()}\n"]
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\n\n", "  \n"])
def test_header_blank_lines_and_line_ends_do_not_matter(tmp_path, header, newline):
    clips = read(tmp_path, header + newline.join(ENTRIES))
    assert [clip.name for clip in clips.clips] == ["RUhOCu3LNXM", "a-b_c"]
    assert clips.faults == ()


@pytest.mark.parametrize(
    "category",
    ["Baby cry, infant cry", "Frying (food)", "Rock & roll", "a&b&c&d&e", "Ребёнок", "声"],
)
def test_a_category_may_hold_anything(tmp_path, category):
    assert read(tmp_path, f"{category}&x&good&0&10").tags == (category,)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("rubbish", "not five fields with & between them"),
        ("Cat&x&0&10", "not five fields with & between them"),
        ("&x&good&0&10", "the category is empty"),
        (" &x&good&0&10", "the category is empty"),
        ("Cat\x1b[2J&x&good&0&10", "the category cannot be printed"),
        ("Cat&&good&0&10", "the VideoID is empty"),
        ("Cat&../../x&good&0&10", "the VideoID is not a plain file name"),
        ("Cat&/etc/passwd&good&0&10", "the VideoID is not a plain file name"),
        ("Cat&a/b&good&0&10", "the VideoID is not a plain file name"),
        ("Cat&a\\b&good&0&10", "the VideoID is not a plain file name"),
        ("Cat&C:x&good&0&10", "the VideoID is not a plain file name"),
        ("Cat&.&good&0&10", "the VideoID is not a plain file name"),
        ("Cat&..&good&0&10", "the VideoID is not a plain file name"),
        ("Cat&a\0b&good&0&10", "the VideoID is not a plain file name"),
        ("Cat&a\u202eb&good&0&10", "the VideoID is not a plain file name"),
        ("Cat&" + "x" * 256 + "&good&0&10", "the VideoID is longer than 200 bytes"),
        ("Cat&" + "声" * 80 + "&good&0&10", "the VideoID is longer than 200 bytes"),
        ("Cat&x&good&zero&10", "the start is not a number"),
        ("Cat&x&good&0&", "the end is not a number"),
        ("Cat&x&good&0&10&more", "the end is not a number"),
        ("Cat&x&good&-1&10", "the start is negative"),
        ("Cat&x&good&nan&10", "the start is not finite"),
        ("Cat&x&good&0&inf", "the end is not finite"),
        ("Cat&x&good&0&1e300", "the end is later than 1,000,000 s"),
        ("Cat&x&good&7&3", "the end is before the start"),
        (b"C\xffat&x&good&0&10", "not UTF-8 text"),
    ],
)
def test_a_bad_entry_is_named_with_line_and_reason_and_the_others_are_read(tmp_path, entry, reason):
    raw = entry if isinstance(entry, bytes) else entry.encode()
    before, after = (line.encode() for line in ENTRIES)
    clips = read(tmp_path, b"\n".join([before, raw, after]))
    assert len(clips.clips) == 2
    (fault,) = clips.faults
    assert fault.what.startswith("Annotations.txt, line 2")
    assert fault.reason == reason
    assert str(fault).isprintable()


def test_a_clip_without_length_is_still_listed(tmp_path):
    clips = read(tmp_path, "Church bell&VWi2ENBuTbw&good&0&0")
    assert [(clip.start, clip.end) for clip in clips.clips] == [(0, 0)]


def test_a_video_with_two_categories_or_times_is_a_clip_with_each(tmp_path):
    clips = read(tmp_path, "Cat&x&good&0&5\nDog&x&good&0&5\nCat&x&good&5&9")
    assert len(clips.clips) == 3
    assert clips.faults == ()


def test_an_entry_counts_once(tmp_path):
    clips = read(tmp_path, f"{ENTRIES[0]}\n{ENTRIES[1]}\n{ENTRIES[0]}\n")
    assert len(clips.clips) == 2
    assert reasons(clips) == [("Annotations.txt, lines 1 and 3", "listed twice")]


def test_without_split_lists_all_is_for_training_and_that_is_said(tmp_path):
    clips = read(tmp_path, "\n".join(ENTRIES))
    assert {clip.split for clip in clips.clips} == {"train"}
    assert clips.notes == ("There are no split lists: all is for training",)


def test_splits_that_contradict_are_named_and_no_clip_is_in_two(tmp_path):
    clips = read(
        tmp_path,
        "\n".join([*ENTRIES, "Cat&in-none&good&0&1"]),
        trainSet="\n".join([*ENTRIES, ENTRIES[0]]),
        testSet=f"{ENTRIES[1]}\nCat&unknown&good&0&1\nCat&..&good&0&1",
    )
    assert [(clip.name, clip.split) for clip in clips.clips] == [
        ("RUhOCu3LNXM", "train"),
        ("a-b_c", "train"),
    ]
    assert reasons(clips) == [
        ("trainSet.txt, lines 1 and 3", "listed twice"),
        ("testSet.txt, line 3, '..'", "the VideoID is not a plain file name"),
        ("testSet.txt, line 1", "in trainSet.txt already"),
        ("testSet.txt, line 2", "not in Annotations.txt"),
        ("Annotations.txt, line 3", "in no split list"),
    ]
    assert clips.notes == ("There is no valSet.txt",)


@pytest.mark.parametrize(
    "content",
    [bytes(range(256)) * 40, b"\0" * 5000, HEADER.encode("utf-16"), b"\x1f\x8b" + bytes(100)],
)
def test_a_file_that_is_no_text_is_one_line(tmp_path, content):
    with pytest.raises(LookhearError, match=r"Annotations\.txt: not a list in UTF-8") as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_a_far_too_long_file_is_one_line(tmp_path):
    with (tmp_path / "Annotations.txt").open("wb") as file:
        file.write(b"Cat&x&good&0&1\n" * 1000)
        file.truncate(17 * 2**20)
    with pytest.raises(LookhearError, match="too long"):
        read_ave(tmp_path)


def test_a_folder_of_another_layout(tmp_path):
    with pytest.raises(LookhearError, match=r"must hold Annotations\.txt"):
        read_ave(tmp_path)


def test_an_empty_list_is_no_clips(tmp_path):
    assert read(tmp_path, "").clips == ()


def test_what_is_written_reads_back(tmp_path):
    clips = (
        TaggedClip(ave_video(tmp_path, "s7-00001"), "Baby cry, infant cry", 0, 10, "train"),
        TaggedClip(ave_video(tmp_path, "s7-00002"), "Frying (food)", 1.25, 7.123456789, "val"),
        TaggedClip(ave_video(tmp_path, "s7-00003"), "Cat", 0, 10, "test"),
    )
    write_ave(tmp_path, clips)
    assert read_ave(tmp_path) == TaggedClips(tmp_path, clips)
    assert {path.name for path in tmp_path.iterdir()} == {*LISTS}
    assert (tmp_path / "Annotations.txt").read_text().startswith(f"{HEADER}\nBaby cry, infant")


NAMES = st.sampled_from(["Cat", "Dog", "", "../x", "a", "b", "nan", "\0", "&", "\xa0", "x" * 300])
NUMBERS = st.sampled_from(["0", "5", "10", "-1", "nan", "1e400", "", "0x1", "٣"])
FIELDS = st.builds("&".join, st.tuples(NAMES, NAMES, st.just("good"), NUMBERS, NUMBERS))
LINES = st.lists(
    st.one_of(
        FIELDS.map(str.encode), st.sampled_from(ENTRIES).map(str.encode), st.binary(max_size=30)
    ),
    max_size=8,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(annotations=LINES, train=LINES, test=LINES)
def test_every_line_of_fuzzed_lists_is_a_clip_or_a_fault(tmp_path, annotations, train, test):
    lists = {"Annotations": annotations, "trainSet": train, "testSet": test}
    raw = {name: b"\n".join(lines) for name, lines in lists.items()}
    try:
        clips = read(tmp_path, raw["Annotations"], trainSet=raw["trainSet"], testSet=raw["testSet"])
    except LookhearError as error:
        assert "not a list in UTF-8" in str(error)  # noqa: PT017
        return
    for name, content in raw.items():
        lines = [line for line in content.split(b"\n") if line.decode(errors="replace").strip()]
        faults = sum(fault.what.startswith(f"{name}.txt, ") for fault in clips.faults)
        used = clips.clips if name == "Annotations" else clips.of_split(name.removesuffix("Set"))
        assert len(used) + faults == len(lines)
    assert all(clip.path.parent == tmp_path / "AVE" for clip in clips.clips)
    assert all(fault.reason.isprintable() for fault in clips.faults)
