"""AudioSwitch learns whose sound a picture's is, and goes into STA."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from beeping_squares import TINY_BACKBONE, lasting, prepared_squares, silent_set
from lookhear.data.loader import Moments
from lookhear.errors import LookhearError
from lookhear.nets.saved import load_model, load_network
from lookhear.stanet.recipes.matching import SwitchTask, save_joined
from lookhear.stanet.recipes.presets import PRESETS
from lookhear.stanet.sta import STA
from lookhear.stanet.switch import AudioSwitch
from lookhear.training.augment import plain_batch
from lookhear.training.curves import read_curves
from lookhear.training.loop import train_on_moments

TINY = PRESETS["tiny"].switch
HEARING: dict[str, Any] = {"sound_encoder": "light"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_squares(tmp_path_factory)


class Pairs(nn.Module):
    """Stands for a head that knows, as parts are numbers of moments: a logit tells the pair."""

    def pairs(self, pictures: Tensor, sounds: Tensor) -> Tensor:
        seen = (pictures.amax((1, 2, 3)) * 255).round()[:, None]
        heard = sounds.flatten(1)[:, 0]
        own = (seen == heard).float() * 40 - 20
        return torch.stack([-own, own, seen.expand_as(own), heard.expand_as(own)], -1)


class Knowing(SwitchTask):
    """A training whose network sees and hears the numbers of moments."""

    def __init__(self) -> None:
        super().__init__(TINY)
        self.begin(0, ("a", "b", "c"))
        net: Any = self.net
        net.features = lambda frames: (frames,)
        net.sound_encoder = nn.Identity()
        net.head = Pairs()


def numbered(tags: list[int], has_sound: list[bool]) -> dict[str, Tensor]:
    """A batch whose moment i is all i, to the eye and the ear."""
    numbers = torch.arange(len(tags))
    return {
        "frames": numbers.view(-1, 1, 1, 1, 1, 1).expand(-1, 1, 1, 3, 32, 32).byte(),
        "sound": numbers.view(-1, 1, 1, 1, 1).expand(-1, 1, 1, 257, 98).float(),
        "has_sound": torch.tensor(has_sound)[:, None],
        "tag": torch.tensor(tags),
    }


def pairs(training: Knowing, batch: dict[str, Tensor]) -> tuple[set[Any], set[Any]]:
    """The pairs of a batch whose sound is the picture's own, and the others."""
    logits, belongs = training._pairs(plain_batch(batch, (32, 32)))
    assert torch.equal(logits[:, :2].argmax(1) == 1, belongs)  # all are labelled as what they are
    seen = [(int(picture), int(sound)) for picture, sound in logits[:, 2:].tolist()]
    assert len(seen) == len(set(seen))
    own = {pair for pair in seen if pair[0] == pair[1]}
    return own, set(seen) - own


def test_own_sounds_belong_and_those_of_other_tags_do_not() -> None:
    tags = [0, 0, 1, 2, 1, 0]
    own, others = pairs(Knowing(), numbered(tags, [True] * 6))
    assert own == {(i, i) for i in range(6)}
    assert others == {(i, j) for i in range(6) for j in range(6) if tags[i] != tags[j]}


def test_only_what_can_be_heard_is_matched() -> None:
    tags, has_sound = [0, 0, 1, 1], [True, False, False, True]
    own, others = pairs(Knowing(), numbered(tags, has_sound))
    assert own == {(0, 0), (3, 3)}
    # A silent moment's picture is still not that of another's sound.
    assert others == {(0, 3), (1, 3), (2, 0), (3, 0)}


def test_a_batch_of_one_tag_has_no_sounds_of_others() -> None:
    own, others = pairs(Knowing(), numbered([1, 1, 1], [True, True, False]))
    assert own == {(0, 0), (1, 1)}
    assert others == set()


def test_a_batch_without_any_sound_teaches_nothing() -> None:
    training = SwitchTask(TINY).begin(0, ("a", "b"))
    training.log = lambda *_, **__: None  # type: ignore[method-assign]
    loss = training.training_step(numbered([0, 1, 0, 1], [False] * 4), 0)
    assert loss == 0


def test_it_learns_which_sound_belongs_to_which_picture(prepared: Path, tmp_path: Path) -> None:
    # The head that looks for things begins with what a classifier knows of them.
    published = replace(lasting(TINY, 8), matches=False)
    folder = train_on_moments(SwitchTask(published), prepared, tmp_path / "run")
    curves = read_curves(tmp_path / "run")
    assert curves["accuracy"][-1] == 1
    net = load_network(AudioSwitch, folder)
    windows = net.sound_encoder.windows
    held_out = Moments(prepared, "val", size=net.input_size, windows=windows)
    frames = torch.cat([held_out[i]["frames"][:, 0] for i in (0, 3)]).float() / 255
    sounds = torch.cat([held_out[i]["sound"][:, 0] for i in (0, 3)])
    assert held_out.tag(0) != held_out.tag(3)
    with torch.inference_mode():
        assert (net.belongs(frames, sounds) > 0.5).all()
        assert (net.belongs(frames, sounds.flip(0)) < 0.5).all()


def test_one_category_only_is_refused(tmp_path: Path) -> None:
    one = silent_set(tmp_path / "one", ("Bark", "Bark"))
    with pytest.raises(LookhearError, match="one category only"):
        train_on_moments(SwitchTask(lasting(TINY, 1)), one, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_set_without_any_sound_is_refused(tmp_path: Path) -> None:
    silent = silent_set(tmp_path / "silent")
    with pytest.raises(LookhearError, match="sound"):
        train_on_moments(SwitchTask(lasting(TINY, 1)), silent, tmp_path / "run")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder of a saved STA and AudioSwitch."""
    torch.manual_seed(0)
    sta = STA(**TINY_BACKBONE, **HEARING, strides=(4, 8, 16), input_size=(64, 96), width=8)
    sta.save_pretrained(tmp_path / "sta")
    switch = AudioSwitch(**TINY_BACKBONE, **HEARING, input_size=(48, 64), stride=16)
    switch.save_pretrained(tmp_path / "switch")
    return tmp_path


def test_joined_they_are_one_model_of_both_weights(saved: Path) -> None:
    save_joined(saved / "sta", saved / "switch", saved / "joined")
    joined = load_model(saved / "joined")
    assert isinstance(joined.switch, AudioSwitch)
    assert joined.input_size == (64, 96)
    assert joined.switch.input_size == (48, 64)
    sta, switch = load_model(saved / "sta"), load_network(AudioSwitch, saved / "switch")
    state = joined.switch.state_dict()
    assert all(torch.equal(state[name], t) for name, t in switch.state_dict().items())
    rest = joined.state_dict()
    assert all(torch.equal(rest[name], t) for name, t in sta.state_dict().items())


def test_a_joined_model_gets_another_switch(saved: Path) -> None:
    save_joined(saved / "sta", saved / "switch", saved / "joined")
    save_joined(saved / "joined", saved / "switch", saved / "again")
    assert load_model(saved / "again").switch is not None


@pytest.mark.parametrize(
    ("sta", "switch"),
    [
        ("switch", "switch"),
        ("sta", "sta"),
        ("deaf", "switch"),
        ("nowhere", "switch"),
        ("sta", "nowhere"),
    ],
)
def test_what_cannot_be_joined_is_one_line(saved: Path, sta: str, switch: str) -> None:
    STA(**TINY_BACKBONE, sound_encoder=None, width=8).save_pretrained(saved / "deaf")
    with pytest.raises(LookhearError) as raised:
        save_joined(saved / sta, saved / switch, saved / "joined")
    assert "\n" not in str(raised.value)
    assert not (saved / "joined").exists()
