import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lookhear
from clips import make_clip
from conftest import moving_disc
from looked_at import Film, maps_of
from lookhear.evaluation.models import OfWatcher
from lookhear.nets.saved import load_watcher
from lookhear.nets.watching import Watch, Watcher, moment
from lookhear.stanet.sta import STA
from toy_network import BrightnessWatcher


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        ((5, 10, 1), (4, 5, 6)),
        ((0, 10, 1), (0, 0, 1)),
        ((9, 10, 2), (7, 8, 9, 9, 9)),
        ((4, 10, 2, 3), (0, 1, 4, 7, 9)),
        ((0, 1, 4), (0,) * 9),
    ],
)
def test_a_moment_ends_where_the_clip_does(
    around: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert moment(*around) == expected


def test_a_watch_sees_what_is_new_and_forgets_what_has_passed() -> None:
    watch = Watch(BrightnessWatcher(4, 1.0))
    watch.see([3, 4], np.full((2, 4, 4, 3), [[[[51]]], [[[102]]]], np.uint8))
    assert watch.unseen([5, 4, 3, 5]) == [5]
    np.testing.assert_allclose(
        watch.attend([(3, 3, 3, 3, 4), (4,) * 5]), np.full((2, 4, 4), [[[0.24]], [[0.4]]])
    )
    watch.forget(before=4)
    assert watch.unseen([3, 4]) == [3]


def test_a_watcher_of_another_reach_and_engine_predicts_and_is_evaluated(tmp_path: Path) -> None:
    watcher = BrightnessWatcher(16, 1.0)
    assert isinstance(watcher, Watcher)
    assert load_watcher(watcher) is watcher
    film = Film(14, 8.0, size=(16, 16))
    maps = maps_of(OfWatcher(watcher), film, [*range(14)])
    bright = np.stack([film.pixels(index).mean(-1) / 255 for index in range(14)])
    for index in (0, 6, 7, 13):
        np.testing.assert_allclose(maps[index], bright[[*moment(index, 14, 2)]].mean(0), atol=0.02)
    clip = make_clip(tmp_path / "disc.mp4", moving_disc(9), 4)
    assert lookhear.predict(clip, watcher, every=2).maps.shape == (5, 16, 16)


def test_a_network_and_its_watcher_predict_the_same(tmp_path: Path, tiny_net: STA) -> None:
    clip = make_clip(tmp_path / "disc.mp4", moving_disc(9), 4)
    of_network = lookhear.predict(clip, tiny_net).maps
    of_watcher = lookhear.predict(clip, tiny_net.folded().watcher()).maps
    np.testing.assert_array_equal(of_network, of_watcher)


def test_finding_a_model_and_predicting_do_not_wait_for_pytorch() -> None:
    script = (
        "import sys; import lookhear.prediction.stream; from lookhear.nets import saved; "
        "assert saved.saved_as('small')[0] == 'STA' and saved.card_sections('small'); "
        "assert not {'torch', 'timm', 'huggingface_hub'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
