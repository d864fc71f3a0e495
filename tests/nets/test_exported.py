"""ONNX files: every network that watches, in ONNX Runtime as in PyTorch; and files of strangers."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from lookhear.errors import LookhearError
from lookhear.media.picture import resampled
from lookhear.nets.export import export
from lookhear.nets.exported import ATTEND, FACTS, ExportedWatcher, Facts
from lookhear.nets.kinds import WatchingNetwork
from lookhear.nets.saved import GRAPHS, WEIGHTS, load_watcher, model_folder
from lookhear.nets.watching import Eye, Watch, Watcher, moment
from lookhear.stanet.sta import STA
from lookhear.stanet.sta_plus import STAPlus
from lookhear.stanet.stanet_plus import STANetPlus

BACKBONE: dict[str, Any] = {
    "backbone": "resnet10t",
    "backbone_args": {"channels": [8, 8, 16, 16], "stem_width": 4, "zero_init_last": False},
}
SWITCH = BACKBONE | {"sound_encoder": "light", "input_size": [48, 64]}
SMALL: dict[str, Any] = BACKBONE | {"width": 8, "input_size": [64, 96], "keep_aspect": True}
PLUS: dict[str, Any] = SMALL | {"hidden": 1, "hidden_width": 8}
LIGHT, WHOLE = {"sound_encoder": "light"}, {"keep_aspect": False}
MINE: dict[str, Any] = {"sound_gate": "matching", "time_mixing": "normalised", "switch": SWITCH}
LITE0 = {"backbone": "tf_efficientnet_lite0", "backbone_args": None}
PUBLISHED = {"time_mixing": "published"}

NETWORKS: dict[str, Callable[[], WatchingNetwork]] = {
    "STA, deaf": lambda: STA(**SMALL, sound_encoder=None),
    "STA of Lite0, deaf": lambda: STA(**SMALL | LITE0, sound_encoder=None),
    "STA, published": lambda: STA(**SMALL | WHOLE | PUBLISHED, sound_encoder="vggsound"),
    "STA, report": lambda: STA(**SMALL, **LIGHT, sound_gate="report"),
    "STA, with a switch": lambda: STA(**SMALL, **LIGHT, **MINE),
    "STA+, deaf": lambda: STAPlus(**PLUS | {"sound_encoder": None}),
    "STA+, published": lambda: STAPlus(**PLUS | WHOLE | PUBLISHED | LIGHT),
    "STA+, fine, with a switch": lambda: STAPlus(**PLUS | LIGHT | MINE, fine_stride=4),
    "STANet+, of two sizes": lambda: STANetPlus(
        SMALL | LIGHT,
        PLUS | LIGHT | {"input_size": [48, 64]},
        PLUS | LIGHT | WHOLE | {"apart": 6},
        SWITCH,
        published=True,
    ),
    "STANet+, sharing, deaf": lambda: sharing(
        STANetPlus(
            SMALL | {"sound_encoder": None},
            PLUS | {"sound_encoder": None},
            PLUS | {"sound_encoder": None, "apart": 6},
        )
    ),
}
COUNT = 15
SIZE = (64, 96)


def sharing(net: STANetPlus) -> STANetPlus:
    net.cross.backbone.load_state_dict(net.short.backbone.state_dict())
    return net


def of_chance(make: Callable[[], WatchingNetwork]) -> WatchingNetwork:
    """A network with norms of chance, whose maps are not flat."""
    torch.manual_seed(0)
    net = make()
    for name, parameter in net.named_parameters():
        if name.endswith(("out_fine.weight", "head.out.weight")):
            parameter.data *= 8  # not more: where maps saturate, enlarging asks for more digits
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean.normal_(std=0.1)
    return net.eval()


def maps_of(watcher: Watcher, size: tuple[int, int], *, hears: bool) -> np.ndarray:
    """Maps of some moments of pictures of chance, seen in batches of unlike numbers."""
    chance = np.random.default_rng(0)
    coarse = chance.integers(0, 256, (COUNT, size[0] // 16, size[1] // 16, 3), dtype=np.uint8)
    seen: list[Any] = [coarse.repeat(16, 1).repeat(16, 2)]
    if hears:
        seen.append(chance.normal(size=(COUNT, 257, 98)).astype(np.float32))
        seen.append((np.arange(COUNT) % 3 > 0).astype(np.float32))
    watch = Watch(watcher)
    for few in (range(7), range(7, COUNT)):
        watch.see([*few], *(part[few.start : few.stop] for part in seen))
    return watch.attend(moment(target, COUNT, watcher.reach) for target in (0, 7, 14))


@pytest.mark.parametrize("name", NETWORKS)
def test_both_engines_say_the_same(name: str, tmp_path: Path) -> None:
    net = of_chance(NETWORKS[name])
    facts = export(net, tmp_path / "net.onnx")
    theirs, ours = load_watcher(net), load_watcher(tmp_path / "net.onnx")
    assert isinstance(ours, ExportedWatcher)
    assert ours.facts == facts
    assert (ours.reach, ours.windows) == (theirs.reach, theirs.windows)
    for size in (SIZE, (96, 64)):
        seen = theirs.size_for(*size)
        assert ours.size_for(*size) == seen
        for hears in {False, theirs.windows is not None}:
            maps = maps_of(ours, seen, hears=hears)
            assert maps.std() > 1e-3
            np.testing.assert_allclose(maps, maps_of(theirs, seen, hears=hears), atol=1e-5)


def test_the_bundled_model_is_one_of_numbers_for_both_engines() -> None:
    ours, theirs = load_watcher("small", "cpu"), load_watcher("small", "cpu", "torch")
    assert isinstance(ours, ExportedWatcher)
    for size in ((240, 336), (160, 480)):
        maps = [
            maps_of(watcher, watcher.size_for(*size), hears=False) for watcher in (ours, theirs)
        ]
        np.testing.assert_allclose(*maps, atol=1e-5)


def test_the_graphs_of_the_bundled_model_have_no_weights_of_their_own() -> None:
    folder = model_folder("small")
    graphs = onnx.load(folder / GRAPHS, load_external_data=False)
    places = [{e.key: e.value for e in of.external_data} for of in graphs.graph.initializer]
    assert {place["location"] for place in places} == {WEIGHTS}
    assert (folder / GRAPHS).stat().st_size < 2**18


@pytest.mark.parametrize(("old", "new"), [((9, 13), (5, 6)), ((6, 8), (12, 9)), ((7, 7), (7, 7))])
def test_pictures_are_resized_as_by_pytorch(old: tuple[int, int], new: tuple[int, int]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, *old, 3), dtype=np.uint8)
    expected = nn.functional.interpolate(
        torch.from_numpy(pictures).permute(0, 3, 1, 2).float(), new, mode="bilinear", antialias=True
    )
    np.testing.assert_allclose(resampled(pictures, new), expected.permute(0, 2, 3, 1), atol=1e-3)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    file = tmp_path_factory.mktemp("good") / "net.onnx"
    export(of_chance(NETWORKS["STA, deaf"]), file)
    return onnx.load(file)


def with_facts(model: onnx.ModelProto, **told: Any) -> None:
    kept = {entry.key: entry.value for entry in model.metadata_props}
    kept[FACTS] = json.dumps(json.loads(kept[FACTS]) | told)
    helper.set_model_props(model, kept)


def without_facts(model: onnx.ModelProto) -> None:
    kept = {entry.key: entry.value for entry in model.metadata_props}
    helper.set_model_props(model, {ATTEND: kept[ATTEND]})


def without_metadata(model: onnx.ModelProto) -> None:
    helper.set_model_props(model, {})


def of_another_format(model: onnx.ModelProto) -> None:
    with_facts(model, format=99)


def that_reaches_far(model: onnx.ModelProto) -> None:
    with_facts(model, reach=10**9)


def that_sees_too_large(model: onnx.ModelProto) -> None:
    with_facts(model, eyes=[{"input_size": [10**6, 10**6], "keep_aspect": False}])


def that_hears_nothing_known(model: onnx.ModelProto) -> None:
    with_facts(model, windows=[0, 0])


def without_attend(model: onnx.ModelProto) -> None:
    kept = {entry.key: entry.value for entry in model.metadata_props}
    helper.set_model_props(model, kept | {ATTEND: base64.b64encode(b"no graph").decode()})


def of_a_custom_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "stranger"
    model.opset_import.append(helper.make_opsetid("stranger", 1))


def with_weights_at(place: Path | str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        weight = model.graph.initializer[0]
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=str(place))

    return change


def that_asks_for_more(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("secret", TensorProto.FLOAT, [1]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_facts, "was not written by lookhear export"),
        (without_metadata, "was not written by lookhear export"),
        (of_another_format, "another version"),
        (that_reaches_far, "damaged"),
        (that_sees_too_large, "input_size"),
        (that_hears_nothing_known, "damaged"),
        (without_attend, "cannot be used"),
        (of_a_custom_operator, "cannot be used"),
        (with_weights_at("../secret.bin"), "cannot be used"),
        (with_weights_at("/etc/hostname"), "cannot be used"),
        (with_weights_at("missing.bin"), "cannot be used"),
        (that_asks_for_more, "another program"),
    ],
    ids=lambda of: getattr(of, "__name__", ""),
)
def test_a_file_that_is_not_ours_is_refused_in_a_line(
    good: onnx.ModelProto, tmp_path: Path, change: Callable[[onnx.ModelProto], None], said: str
) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(2**16))
    (tmp_path / "in").mkdir()
    model = onnx.ModelProto()
    model.CopyFrom(good)
    change(model)
    (tmp_path / "in/net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(LookhearError, match=said) as raised:
        load_watcher(tmp_path / "in/net.onnx")
    assert "\n" not in str(raised.value)
    assert "net.onnx" in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"no graph", bytes(1000)])
def test_a_file_that_is_no_graph_is_refused_in_a_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(LookhearError, match=r"net\.onnx: cannot be used: "):
        load_watcher(tmp_path / "net.onnx")


def test_a_file_larger_than_graphs_can_be_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "net.onnx").open("wb") as file:
        file.truncate(2**31 + 1)
    with pytest.raises(LookhearError, match="larger than"):
        load_watcher(tmp_path / "net.onnx")


def test_what_is_missing_or_cannot_be_run_is_said(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(LookhearError, match="No such file"):
        load_watcher(tmp_path / "net.onnx")
    with pytest.raises(LookhearError, match="lookhear export"):
        load_watcher(tiny_model, engine="onnx")
    with pytest.raises(LookhearError, match=r"ends in \.onnx"):
        export("small", tmp_path / "net.pt")
    with pytest.raises(LookhearError, match="device nonsense"):
        load_watcher("small", "nonsense", "onnx")
    export(of_chance(NETWORKS["STA, deaf"]), tmp_path / "net.onnx")
    with pytest.raises(LookhearError, match="is exported"):
        load_watcher(tmp_path / "net.onnx", engine="torch")


def test_facts_are_read_as_they_were_written() -> None:
    facts = Facts("STA", "1", 1, (Eye((64, 96), True),), (0.0,) * 3, (1.0,) * 3)
    assert Facts.from_json(facts.to_json()) == facts
