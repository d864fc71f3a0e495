"""The authors' checkpoints become models: names, sizes, classes, and what does not fit."""

from pathlib import Path

import pytest
import torch
from test_where_when import CLASSES, PUBLISHED, TINY, golden
from torch import Tensor

from conftest import Run
from lookhear import LookhearError
from lookhear.actions.net import WhereWhen
from lookhear.actions.published import KINDS, NAMES, convert, network_of
from lookhear.nets.backbones import backbone_features
from lookhear.nets.saved import load_network
from lookhear.nets.state_dicts import misfit, renamed

NAMED = ("archery", "bowling", "diving", "golf")


def of_kind(kind: str) -> dict[str, Tensor]:
    figures = golden(KINDS[kind])
    return {
        key.removeprefix("state/"): of for key, of in figures.items() if key.startswith("state/")
    }


@pytest.mark.parametrize("temporal", PUBLISHED)
def test_every_published_name_finds_its_place_at_full_size(temporal: str) -> None:
    names = {**NAMES}[temporal]  # type: ignore[index]
    with torch.device("meta"):
        net = WhereWhen(NAMED, temporal=temporal, widths=(1024, 512), normalised=False)  # type: ignore[arg-type]
    own = {k: v for k, v in net.state_dict().items() if not k.startswith("backbone.")}
    grown = {8: 512, 12: 1024, 16: 2048, 24: 2048 + 512, 32: 4 * 512}  # the golden's sizes
    theirs = renamed(of_kind({v: k for k, v in KINDS.items()}[temporal]), names)  # type: ignore[index]
    full = {
        key: torch.empty([grown.get(side, side) for side in of.shape], device="meta")
        for key, of in theirs.items()
    }
    assert misfit(full, own) is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_golden_becomes_a_model_with_resnets_weights(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    backbone = backbone_features("resnet10t", (32,), **TINY["backbone_args"])
    torch.save(backbone.state_dict(), tmp_path / "resnet.pth")
    torch.save({"state_dict": of_kind(kind)}, tmp_path / "theirs.pth")
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES))
    monkeypatch.setattr("lookhear.actions.published.BACKBONE", TINY)
    out = tmp_path / "model"
    given = str(tmp_path / "resnet.pth")
    convert(tmp_path / "theirs.pth", kind, out, tmp_path / "classes.txt", given)
    net = load_network(WhereWhen, out, "cpu")
    assert (net.categories, net.frames) == (CLASSES, 50)
    figures = golden(KINDS[kind])
    logits = net.attend(figures["input"].transpose(1, 2)).logits
    torch.testing.assert_close(logits, figures["logits"], rtol=0, atol=1e-5)
    for key, weights in backbone.state_dict().items():
        torch.testing.assert_close(net.backbone.state_dict()[key], weights)
    assert "where-when" in (out / "README.md").read_text()


def test_weights_of_the_other_network_are_told() -> None:
    with pytest.raises(LookhearError, match="maybe they are of where-when-recurrent"):
        network_of(of_kind("where-when-recurrent"), "plain", NAMED, **TINY)
    with pytest.raises(LookhearError, match="with 2 classes"):
        network_of(of_kind("where-when-plain"), "plain", NAMED[:2], **TINY)


def test_the_verb_asks_for_classes_and_knows_what_is_its_own(run: Run, tmp_path: Path) -> None:
    torch.save(of_kind("where-when-plain"), tmp_path / "theirs.pth")
    given = "convert", tmp_path / "theirs.pth", "--out", tmp_path / "model"
    code, _, error = run(*given, "--as", "where-when-plain")
    assert (code, error.count("\n")) == (1, 1)
    assert "give --classes FILE" in error
    code, _, error = run(*given, "--as", "where-when-fancy")
    assert code == 1
    assert "where-when-plain, where-when-recurrent" in error
    code, _, error = run(*given, "--as", "sta", "--pretrained", "imagenet")
    assert code == 1
    assert "--pretrained: sta brings all its weights" in error
