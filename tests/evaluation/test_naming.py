"""What a model is called on the command line finds that model, or says in one line why not."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from little_world import write_little_world
from looked_at import Film, maps_of
from lookhear.baselines import BASELINES
from lookhear.cam import METHODS
from lookhear.data.derived import FIXATIONS, write_derived
from lookhear.data.prepare import prepare, read_tagged
from lookhear.errors import LookhearError
from lookhear.evaluation.cams import OfOwn, OfSource
from lookhear.evaluation.from_files import FAR, OfArchive, OfFolder
from lookhear.evaluation.from_runs import ROWS, OfRun
from lookhear.evaluation.models import Model, OfBaseline, OfFittedCentre, OfWatcher
from lookhear.evaluation.naming import find_models, paths_in
from lookhear.evaluation.stimuli import StimulusSet, read_stimuli
from lookhear.nets.imported import imported_network
from lookhear.stanet.run_folder import (
    FUSED,
    SINGLE,
    TEST_COARSE,
    TEST_FINE,
    TEST_FINE_TAGGED,
    TEST_PLUS,
    TEST_PLUS_TAGGED,
)
from lookhear.stanet.sources import SA, ST, S

FILMS = StimulusSet("films", "clips", [Film(3, name="one"), Film(3, name="two")])
TINY: dict[str, Any] = {
    "categories": ["Bark", "Flute"],
    "backbone": "resnet10t",
    "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4},
    "input_size": (48, 64),
}
GRID = (4, 6)


def find(
    *names: object, stimuli: StimulusSet = FILMS, device: str = "cpu"
) -> dict[str, Model | None]:
    return find_models([*map(str, names)], stimuli, device)


def kinds(found: dict[str, Model | None]) -> dict[str, type]:
    return {label: type(model) for label, model in found.items()}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of saved S, SA and ST; that of S is in a run."""
    folder = tmp_path_factory.mktemp("sources")
    S(**TINY).save_pretrained(folder / "S" / "model")
    SA(**TINY, width=8, hidden=0, sound_encoder="light").save_pretrained(folder / "SA")
    ST(**TINY, width=8, hidden=0).save_pretrained(folder / "ST")
    return folder


def test_baselines_and_people_go_by_their_names() -> None:
    found = find(*BASELINES, "centre-fitted", "inter-observer")
    expected: list[type] = [OfBaseline] * len(BASELINES) + [OfFittedCentre, type(None)]
    assert [*kinds(found).items()] == [
        *zip([*BASELINES, "centre-fitted", "inter-observer"], expected, strict=True)
    ]


def test_the_bundled_model_saved_ones_and_runs_are_found(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "my run").mkdir()
    (tmp_path / "my run" / "model").symlink_to(tiny_model)
    found = find("small", tiny_model, tmp_path / "my run")
    assert kinds(found) == {"small": OfWatcher, "tiny": OfWatcher, "my run": OfWatcher}


def test_maps_made_elsewhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    np.savez(tmp_path / "two.npz", **{"gbvs/a": np.eye(3), "itti/a": np.eye(3)})
    archive = tmp_path / "two.npz"
    found = find(tmp_path / "maps", archive, f"{archive}:gbvs", f"mine={archive}:itti")
    assert kinds(found) == {
        "maps": OfFolder,
        "two": OfArchive,
        "gbvs": OfArchive,
        "mine": OfArchive,
    }


@pytest.mark.parametrize("name", ["S", "SA", "ST"])
def test_a_method_of_cam_takes_any_source(sources: Path, name: str) -> None:
    (model,) = find(f"gradcam:{sources / name}").values()
    assert kinds(find(f"GradCAM:{sources / name}")) == {f"GradCAM of {name}": OfSource}
    assert isinstance(model, OfSource)
    assert len(maps_of(model, FILMS.subjects[0], [0, 2])) == 2


def test_all_methods_of_cam_are_a_model_each(sources: Path) -> None:
    found = find(f"CAMs:{sources / 'S'}")
    assert [*found] == [f"{method} of S" for method in METHODS]
    assert [*find(f"mine=CAMs:{sources / 'S'}")] == [f"mine {method} of S" for method in METHODS]


def test_of_all_methods_cam_is_left_out_where_it_does_not_fit(
    own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    SA(**TINY, width=8, sound_encoder="light").save_pretrained(own / "SA")
    ST(**TINY, width=8).save_pretrained(own / "ST")
    for name, called in (("SA", "SA"), ("ST", "ST"), ("classifiers_of_mine:good", "good")):
        caplog.clear()
        found = find(f"CAMs:{name}")
        assert [*found] == [f"{method} of {called}" for method in METHODS if method != "CAM"]
        (line,) = caplog.messages
        assert line.startswith(f"CAMs:{name}: CAM is left out: no linear layer")


@pytest.mark.usefixtures("own")
def test_an_input_size_that_is_none_is_one_line() -> None:
    with pytest.raises(LookhearError, match=r"network Sequential: its input_size .*, not 16\Z"):
        find("GradCAM:classifiers_of_mine:blind")


def test_all_that_a_name_speaks_of_is_found(tmp_path: Path) -> None:
    for name in ("run", "b=c", "two.npz"):
        (tmp_path / name).mkdir()
    for name, path in (
        ("{}/run", "run"),
        ("ours={}/run", "run"),
        ("{}/run:SCAM", "run"),
        ("ours={}/run:SCAM", "run"),
        ("CAMs:{}/run", "run"),
        ("ours=GradCAM:{}/b=c", "b=c"),
        ("{}/two.npz:gbvs", "two.npz"),
        ("itti={}/two.npz:itti-koch", "two.npz"),
    ):
        assert tmp_path / path in paths_in(name.format(tmp_path)), name
    assert paths_in("gbvs") == []


def test_a_label_names_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sigma=2").mkdir()
    monkeypatch.chdir(tmp_path)
    found = find("ours=small", "drawn=sigma=2", "sigma=2", "people=inter-observer")
    drawn = {"drawn": OfFolder, "sigma=2": OfFolder}
    assert kinds(found) == {"ours": OfWatcher, **drawn, "people": type(None)}


@pytest.mark.parametrize(
    "names", [("gbvs", "gbvs"), ("a=gbvs", "a=centre"), ("gbvs=centre", "gbvs"), ("=gbvs",)]
)
def test_each_model_must_have_a_name_of_its_own(names: Sequence[str]) -> None:
    with pytest.raises(LookhearError, match=r"^--model .*: give it a name of its own, as LABEL="):
        find(*names)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "huge",
        "/no/such/folder",
        "./typo",
        "label=",
        "label=huge",
        "no.npz",
        "no.npz:gbvs",
        "no-run:SCAM",
        "no-run:sideways",
        "GradCAM:",
        "GradCAM:no-folder",
        "CAMs:no-folder",
        "SadCAM:no-folder",
    ],
)
def test_an_unknown_model_is_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LookhearError, match=r"^[^\n]+\Z"):
        find(name)


def test_a_network_of_another_kind_or_damaged_is_one_line(sources: Path, tiny_model: Path) -> None:
    with pytest.raises(LookhearError, match="its network is STA, not S or SA or ST"):
        find(f"GradCAM:{tiny_model}")
    with pytest.raises(LookhearError, match="its network is ST, not STA"):
        find(sources / "ST")
    weights = sources / "SA" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:100])
    with pytest.raises(LookhearError, match=r"SA: cannot be loaded: [^\n]+\Z"):
        find(f"GradCAM:{sources / 'SA'}")
    weights.write_bytes(whole)


OWN = """
import torch
from torch import nn

sevens = 7

def good():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).train()

def with_head():
    return good().append(nn.Linear(4, 3))

def blind():
    net = good()
    net.input_size = 16
    return net

def fails():
    raise RuntimeError("no\\nweights")

def text():
    return "a network"
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with modules in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "classifiers_of_mine.py").write_text(OWN)
    (tmp_path / "unfinished_of_mine.py").write_text("def net(:")
    (tmp_path / "failing_of_mine.py").write_text("raise OSError('no licence')")
    return tmp_path


def test_a_classifier_of_ones_own_is_found_in_the_current_folder(own: Path) -> None:
    assert own == Path.cwd()
    found = find("GradCAM:classifiers_of_mine:good", "mine=EigenCAM:classifiers_of_mine:good")
    assert kinds(found) == {"GradCAM of good": OfOwn, "mine": OfOwn}
    assert len(maps_of(found["mine"], FILMS.subjects[0], [0, 1])) == 2
    assert len(find("CAMs:classifiers_of_mine:with_head")) == len(METHODS)
    assert not imported_network("classifiers_of_mine:good").training


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("nothing_of_mine:good", "cannot be imported (ModuleNotFoundError"),
        ("classifiers_of_mine:best", "cannot be imported (AttributeError"),
        ("unfinished_of_mine:net", "cannot be imported (SyntaxError"),
        ("failing_of_mine:net", "cannot be imported (OSError: no licence)"),
        (".classifiers_of_mine:good", "cannot be imported (TypeError"),
        (":good", "cannot be imported (ValueError"),
        ("classifiers_of_mine:", "cannot be imported (AttributeError"),
        ("classifiers_of_mine:sevens", "fails with TypeError"),
        ("classifiers_of_mine:fails", "fails with RuntimeError: no"),
        ("classifiers_of_mine:text", "gives str, not a torch.nn.Module"),
    ],
)
@pytest.mark.usefixtures("own")
def test_what_is_no_classifier_of_ones_own_is_said(path: str, complaint: str) -> None:
    with pytest.raises(LookhearError) as caught:
        find(f"GradCAM:{path}")
    assert str(caught.value).startswith(f"{path}: {complaint}")


@pytest.mark.usefixtures("own")
def test_a_device_that_is_not_there_is_one_line(sources: Path, tiny_model: Path) -> None:
    for name in ("GradCAM:classifiers_of_mine:good", f"GradCAM:{sources / 'S'}", str(tiny_model)):
        with pytest.raises(LookhearError, match="device nowhere: cannot be used"):
            find(name, device="nowhere")


class RunTest:
    """A run's test of two clips, with maps of chance.

    Attributes:
        run: the run folder.
        stimuli: the clips, which have gaze.
        maps: stage and array -> (moments, ...).
    """

    def __init__(self, root: Path) -> None:
        world = write_little_world(root / "ave", (0, 0, 2), seconds=2, unwatched=[])
        self.run = root / "run"
        prepare(read_tagged(world), self.run / "test" / "moments")
        self.stimuli = read_stimuli(world)
        chance = np.random.default_rng(0)
        self.maps: dict[tuple[str, str], Any] = {}
        for stage, arrays in (
            (TEST_COARSE, {FUSED: GRID, SINGLE: (3, *GRID)}),
            (TEST_FINE, {FUSED: GRID}),
            (TEST_FINE_TAGGED, {FIXATIONS: GRID}),
            (TEST_PLUS, {FUSED: GRID, SINGLE: (8, *GRID)}),
            (TEST_PLUS_TAGGED, {FIXATIONS: GRID}),
        ):
            of_stage = {
                name: chance.random((4, *shape)).astype(np.float16)
                for name, shape in arrays.items()
            }
            write_derived(self.run / stage, "test-00000", of_stage)
            self.maps |= {(stage, name): values for name, values in of_stage.items()}


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> RunTest:
    return RunTest(tmp_path_factory.mktemp("tested"))


def test_every_row_of_a_run_gives_its_own_maps_of_the_nearest_moments(tested: RunTest) -> None:
    maps = tested.maps
    single, single_plus = maps[TEST_COARSE, SINGLE], maps[TEST_PLUS, SINGLE]
    expected = {
        "S": single[:, 0],
        "SA": single[:, 1],
        "ST": single[:, 2],
        "SCAM-coarse": maps[TEST_COARSE, FUSED],
        "SCAM": maps[TEST_FINE, FUSED],
        "pseudo-fixations": maps[TEST_FINE_TAGGED, FIXATIONS],
        "S+-short": single_plus[:, 0],
        "S+-long": single_plus[:, 1],
        "S+-cross": single_plus[:, 2],
        "SA+-long": single_plus[:, 3],
        "SA+-cross": single_plus[:, 4],
        "ST+-short": single_plus[:, 5],
        "ST+-long": single_plus[:, 6],
        "ST+-cross": single_plus[:, 7],
        "SCAM+": maps[TEST_PLUS, FUSED],
        "pseudo-fixations+": maps[TEST_PLUS_TAGGED, FIXATIONS],
    }
    found = find(*(f"{tested.run}:{row}" for row in ROWS), stimuli=tested.stimuli)
    assert kinds(found) == dict.fromkeys(expected, OfRun)
    # Moments are the middles of seconds, of which each has eight frames.
    indices = [0, 4, 7, 9, 12, 15]
    for row, model in found.items():
        for clip, subject in enumerate(tested.stimuli.subjects):
            nearest = [2 * clip + index // 8 for index in indices]
            given = maps_of(model, subject, indices)
            assert given.dtype == np.float32
            np.testing.assert_array_equal(given, expected[row][nearest], err_msg=row)


def test_maps_of_a_run_that_are_far_in_time_are_named(tested: RunTest) -> None:
    """The last moment is in the middle of the second second."""
    (model,) = find(f"{tested.run}:SCAM", stimuli=tested.stimuli).values()
    assert model is not None
    subject = tested.stimuli.subjects[0]
    noted: list[tuple[str, int]] = []
    for _ in model.maps(subject, [0, 15, 21, 80], lambda *note: noted.append(note)):
        pass
    assert noted == [(FAR, 21), (FAR, 80)]


def test_maps_of_a_run_are_not_shared_by_clips_of_one_name(tested: RunTest) -> None:
    (model,) = find(f"{tested.run}:SCAM", stimuli=tested.stimuli).values()
    film = Film(3, name=tested.stimuli.subjects[0].paths[-1].name)
    assert len(maps_of(model, film, [0])) == 1
    film.paths = film.paths[:1]
    with pytest.raises(LookhearError, match="has no maps of"):
        maps_of(model, film, [0])


def test_a_run_that_was_not_tested_on_a_clip_is_one_line(tested: RunTest, tmp_path: Path) -> None:
    (model,) = find(f"{tested.run}:SCAM", stimuli=tested.stimuli).values()
    with pytest.raises(LookhearError, match="run: has no maps of film; test it on these clips"):
        maps_of(model, Film(3), [0])
    with pytest.raises(LookhearError, match="has no maps of a test; train it with --test"):
        find(f"{tmp_path}:SCAM")
    damaged = tested.run / "test" / "fine-tags" / "test-00000" / "fixations.npy"
    damaged.write_bytes(damaged.read_bytes()[:-5])
    (model,) = find(f"{tested.run}:pseudo-fixations", stimuli=tested.stimuli).values()
    with pytest.raises(LookhearError, match=r"fixations\.npy: missing or damaged"):
        maps_of(model, tested.stimuli.subjects[0], [0])
