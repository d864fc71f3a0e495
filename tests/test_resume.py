"""Nothing is done twice, nothing is taken for done that is not, and a run stays one run."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookhear.errors import LookhearError
from lookhear.resume import LATER, Journal, Ledger, described, left, made_from

SETTINGS = {"preset": "tiny", "seed": 3}


class Works:
    """Counts what was done; each work writes what it was told into its folder."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __call__(self, text: str) -> Callable[[Path], None]:
        def work(folder: Path) -> None:
            self.done.append(text)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / text).touch()

        return work


@pytest.fixture
def works() -> Works:
    return Works()


def held(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_stage_that_is_done_is_not_done_again_by_this_run_or_a_later_one(
    tmp_path: Path, works: Works
) -> None:
    for _ in range(2):
        ledger = Ledger.open(tmp_path, SETTINGS)
        for _ in range(2):
            assert (
                ledger.do("coarse/S", {"rate": 1, "of": "x"}, works("a")) == tmp_path / "coarse/S"
            )
    assert works.done == ["a"]
    assert not ledger.worked
    assert ledger.stages["coarse/S"].done


def test_the_order_in_which_inputs_are_told_is_no_change(tmp_path: Path, works: Works) -> None:
    ledger = Ledger.open(tmp_path, SETTINGS)
    ledger.do("s", {"a": 1, "b": {"c": 2, "d": 3}}, works("once"))
    ledger.do("s", {"b": {"d": 3, "c": 2}, "a": 1}, works("again"))
    assert works.done == ["once"]


def test_other_inputs_clear_a_stage_and_do_it_again_and_no_other(
    tmp_path: Path, works: Works
) -> None:
    ledger = Ledger.open(tmp_path, SETTINGS)
    ledger.do("one", {"x": 1}, works("one before"))
    ledger.do("two", {"x": 1}, works("two before"))
    later = Ledger.open(tmp_path, SETTINGS)
    later.do("one", {"x": 2}, works("one after"))
    later.do("two", {"x": 1}, works("two after"))
    assert works.done == ["one before", "two before", "one after"]
    assert held(tmp_path / "one") == {"one after"}
    assert later.worked
    assert [*Ledger.open(tmp_path, SETTINGS).stages] == ["one", "two"]


def test_a_stage_that_sorts_its_own_folder_out_finds_what_was_there(
    tmp_path: Path, works: Works
) -> None:
    ledger = Ledger.open(tmp_path, SETTINGS)
    ledger.do("moments", {"x": 1}, works("before"), replaces=False)
    ledger.do("moments", {"x": 2}, works("after"), replaces=False)
    assert held(tmp_path / "moments") == {"before", "after"}


def test_a_stage_that_was_stopped_goes_on_with_what_it_had(tmp_path: Path, works: Works) -> None:
    def stopped(folder: Path) -> None:
        works("half")(folder)
        raise KeyboardInterrupt

    ledger = Ledger.open(tmp_path, SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        ledger.do("s", {"x": 1}, stopped)
    assert ledger.worked
    later = Ledger.open(tmp_path, SETTINGS)
    assert not later.stages["s"].done
    before = later.stages["s"].seconds
    later.do("s", {"x": 1}, works("whole"))
    assert held(tmp_path / "s") == {"half", "whole"}
    assert later.stages["s"].done
    assert later.stages["s"].seconds >= before > 0


def test_a_stage_that_was_stopped_is_cleared_for_other_inputs(tmp_path: Path, works: Works) -> None:
    def stopped(folder: Path) -> None:
        works("half")(folder)
        raise LookhearError("no room")

    with pytest.raises(LookhearError, match="no room"):
        Ledger.open(tmp_path, SETTINGS).do("s", {"x": 1}, stopped)
    Ledger.open(tmp_path, SETTINGS).do("s", {"x": 2}, works("whole"))
    assert held(tmp_path / "s") == {"whole"}


def test_a_stage_whose_folder_has_gone_is_done_again(tmp_path: Path, works: Works) -> None:
    Ledger.open(tmp_path, SETTINGS).do("s", {"x": 1}, works("first"))
    shutil.rmtree(tmp_path / "s")
    Ledger.open(tmp_path, SETTINGS).do("s", {"x": 1}, works("second"))
    assert works.done == ["first", "second"]


def test_a_stage_half_removed_for_other_inputs_is_not_taken_for_done(
    tmp_path: Path, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger.open(tmp_path, SETTINGS).do("s", {"x": 1}, works("a"))

    def killed(folder: Path) -> None:
        (folder / "a").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            Ledger.open(tmp_path, SETTINGS).do("s", {"x": 2}, works("b"))
    folder = Ledger.open(tmp_path, SETTINGS).do("s", {"x": 1}, works("a"))
    assert held(folder) == {"a"}


def test_other_settings_are_refused_and_nothing_is_touched(tmp_path: Path, works: Works) -> None:
    Ledger.open(tmp_path, SETTINGS).do("s", {}, works("a"))
    kept = (tmp_path / "run.json").read_bytes()
    for other in ({"preset": "small", "seed": 3}, {"preset": "tiny", "seed": 4}):
        with pytest.raises(LookhearError, match=r"^.*: a run with --(preset tiny|seed 3), not "):
            Ledger.open(tmp_path, other)
    assert (tmp_path / "run.json").read_bytes() == kept


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    Ledger.open(tmp_path, SETTINGS)
    (tmp_path / "letter.txt").touch()
    with pytest.raises(LookhearError, match=r"holds something else; choose another --out$"):
        Ledger.open(tmp_path, SETTINGS)


def keep(run: Path, works: Works, **changes: Any) -> None:
    Ledger.open(run, SETTINGS).do("s", {}, works("a"))
    kept = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(kept | changes))


def test_a_run_of_another_version_is_told_as_such(tmp_path: Path, works: Works) -> None:
    keep(tmp_path, works, lookhear=99)
    with pytest.raises(LookhearError, match=r"another version of lookhear \(99, not 1\); choose"):
        Ledger.open(tmp_path, SETTINGS)


def test_a_run_of_another_version_may_note_what_this_one_does_not_know(
    tmp_path: Path, works: Works
) -> None:
    keep(tmp_path, works, lookhear=2, stages={"s": {"inputs": "x", "devices": 2}})
    with pytest.raises(LookhearError, match=r"another version of lookhear \(2, not 1\); choose"):
        Ledger.open(tmp_path, SETTINGS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        "\udcff",
        '{"lookhear": 1}',
        '{"lookhear": 1, "settings": {}, "stages": []}',
        '{"lookhear": 1, "settings": {}, "stages": {"s": 1}}',
        '{"lookhear": 1, "settings": {}, "stages": {"s": {"done": true}}}',
        '{"lookhear": 1, "settings": {}, "stages": {"s": {"inputs": "x", "more": 1}}}',
        '{"lookhear": 1, "settings": [], "stages": {}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_ledger_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text, errors="surrogateescape")
    with pytest.raises(LookhearError, match=r"run\.json: damaged; choose another --out$") as caught:
        Ledger.open(tmp_path, SETTINGS)
    assert "\n" not in str(caught.value)


def test_a_ledger_that_cannot_be_written_is_one_line_and_the_stage_is_not_begun(
    tmp_path: Path, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger.open(tmp_path, SETTINGS)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(LookhearError, match=r"run\.json: cannot be written: No space left"):
            ledger.do("s", {}, works("a"))
    assert works.done == []
    Ledger.open(tmp_path, SETTINGS).do("s", {}, works("a"))
    assert works.done == ["a"]


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=4))
def test_a_stage_is_done_once_for_each_inputs_in_a_row(
    tmp_path_factory: pytest.TempPathFactory, inputs: dict[str, Any]
) -> None:
    run, works = tmp_path_factory.mktemp("run"), Works()
    for wanted in (inputs, inputs, inputs | {"one more": 1}, inputs):
        Ledger.open(run, SETTINGS).do("s", wanted, works("a"))
    assert works.done == ["a"] * 3


def test_what_a_folder_is_made_from_is_noted_once(tmp_path: Path) -> None:
    described = {"seed": 1, "size": (3, 4)}
    assert not made_from(tmp_path / "deep" / "run", described)
    assert json.loads((tmp_path / "deep/run/made.json").read_text()) == {"seed": 1, "size": [3, 4]}
    assert made_from(tmp_path / "deep" / "run", described)


@pytest.mark.parametrize("note", ['{"seed": 2}', "", "{", "\udcff"])
def test_a_folder_made_from_something_else_is_refused(tmp_path: Path, note: str) -> None:
    (tmp_path / "made.json").write_text(note, errors="surrogateescape")
    with pytest.raises(LookhearError, match=r"^.*: made by another.*; choose another --out$"):
        made_from(tmp_path, {"seed": 1})
    with pytest.raises(LookhearError, match="holds another world"):
        made_from(tmp_path, {"seed": 1}, other="holds another world")
    assert (tmp_path / "made.json").read_text(errors="surrogateescape") == note


def test_pieces_that_are_there_are_told_and_the_others_are_left(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    told: list[int] = []
    pieces = {tmp_path / name: range(size) for name, size in (("a", 2), ("b", 3), ("c", 4))}
    assert [*left(pieces, told.append, len)] == [tmp_path / "a", tmp_path / "c"]
    assert told == [3]


def test_a_journal_gives_back_all_whole_lines_and_goes_on_after_a_cut_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new" / "journal")
    assert journal.read() == []
    done = [["a", 1.5], ["b\n", None]]
    for line in done:
        journal.add(line)
    assert journal.read() == done
    content = journal.path.read_bytes()
    for cut in range(len(content)):
        journal.path.write_bytes(content[:cut])
        whole = done[:1] if cut > content.rindex(b"\n") - 1 else []
        assert journal.read() == whole
        journal.add(["c", 2])
        assert journal.read() == [*whole, ["c", 2]]


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    falls: tuple[int, ...] = field(default=(), metadata=LATER)


@dataclass(frozen=True)
class Outer:
    inner: Inner
    names: dict[str, float]
    sums: bool = field(default=False, metadata=LATER)


def test_what_came_later_is_told_only_where_it_is_not_as_it_was_before() -> None:
    assert described(Outer(Inner(), {"a": 1})) == {"inner": {"rate": 0.5}, "names": {"a": 1}}
    other = Outer(Inner(falls=(5, 10)), {}, sums=True)
    assert described(other) == asdict(other)
