"""The second half of a run: from STANet to STANet+.

    stanet+/S+/short, long, cross    sources that know other moments learn the tags of whole frames
    stanet+/SA+/long, cross
    stanet+/ST+/short, long, cross
    stanet+/maps                     their maps, fused with those of S, SA and ST: pseudo-fixations
    stanet+/STA+/short, cross        STA+ learns them
    stanet+/model                    STA, both STA+ and the switch, for `lookhear predict`
    stanet+/test/...                 clips with gaze: their maps without and with tags, and scores

All are stages of the ledger of the run that they go on from (`lookhear.stanet.run`), none of whose
own stages is done again; where one is not done yet, it is done first.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from lookhear.data import Partners
from lookhear.data.identity import identities
from lookhear.files import sole_use
from lookhear.nets.saved import load_network
from lookhear.progress import Bars, Progress, no_bars
from lookhear.stanet import PLUS_SOURCES, scam_plus
from lookhear.stanet.graphs import PlusSources
from lookhear.stanet.pseudo_fixations import Sources
from lookhear.stanet.recipes.attending import STAPlusTask
from lookhear.stanet.recipes.classifying import SourceTask
from lookhear.stanet.recipes.matching import save_together
from lookhear.stanet.recipes.presets import PlusPreset, plus_of
from lookhear.stanet.report import Made, MadePlus, Tested, TestedPlus
from lookhear.stanet.run import Run, RunSettings, RunTest, Trained
from lookhear.stanet.run_folder import PLUS, TEST_PLUS, TEST_PLUS_TAGGED, PlusMapFolders
from lookhear.stanet.stanet_plus import STANetPlus
from lookhear.stanet.steps import STANetPlusSteps, Steps
from lookhear.training.initial_weights import InitialWeights, beginning, parts_of
from lookhear.training.schedule import check_machine


def train_stanet_plus(
    settings: RunSettings, say: Callable[[str], object], bars: Bars = no_bars
) -> Made:
    """Do all stages of STANet, and then of STANet+, that are not done.

    Args:
        settings: of the run, which may have been begun by
            :func:`~lookhear.stanet.run.train_stanet`.
        say: is told of each stage as it begins.
        bars: show how far a stage is.

    Raises:
        LookhearError: see :func:`~lookhear.stanet.run.train_stanet`; or the preset has no STANet+.
    """
    with sole_use(settings.out):
        return PlusRun(settings, say, bars).make()


class PlusRun(Run):
    """The stages of both halves."""

    def make(self) -> Made:
        """Do everything."""
        self._check()
        trained = self._trained()
        tested = self._tested(trained)
        sources = self._plus_sources(trained)
        maps = self._plus_maps(f"{PLUS}/maps", trained, sources, trained.moments, trained.boxes)
        sta = {
            str(partners): self._sta_plus(trained, partners, maps) for partners in self._plus.sta
        }
        published = self._preset.rules == "released"
        parts = {"sta": trained.sta, **sta, "switch": trained.switch}
        model = self._do(
            f"{PLUS}/model",
            identities(parts) | {"published": published},
            lambda folder: save_together(parts, folder, published=published, replaces=True),
        )
        test, of_plus = self._settings.test, None
        if test and tested:
            of_plus = self._plus_tested(test, trained, sources, model, tested)
        made = self._made(trained, tested, MadePlus(maps, model, of_plus))
        self._tell(made)
        return made

    @property
    def _plus(self) -> PlusPreset:
        return plus_of(self._preset, self._settings.preset)

    def _check(self) -> None:
        sources, sta = self._plus.sources.values(), self._plus.sta.values()
        super()._check()
        for schedule in (*(of.schedule for of in sources), *(of.schedule for of in sta)):
            check_machine(self._settings.machine, schedule)

    def _plus_sources(self, trained: Trained) -> dict[str, Path]:
        folders = {}
        for source, partners in PLUS_SOURCES:
            start = self._sight(trained.coarse["SA"], "head.classifier", "head.self_attention")
            if source == "SA+":
                start |= self._hearing(trained, trained.coarse["SA"], "head.votes")
            name = f"{source}/{partners}"
            task = SourceTask(self._plus.sources[source, partners], start)
            folders[name] = self._train(f"{PLUS}/{name}", task, trained.moments)
        return folders

    def _sta_plus(self, trained: Trained, partners: Partners, maps: Path) -> Path:
        start = self._sight(trained.sta) | self._hearing(trained, trained.sta)
        task = STAPlusTask(self._plus.sta[partners], maps, start)
        return self._train(f"{PLUS}/STA+/{partners}", task, trained.moments, fixations=maps)

    def _sight(self, alike: Path, *more: str) -> InitialWeights:
        """Where a backbone begins, and other parts that need the same one."""
        if self._plus.goes_on:
            return parts_of(alike, "backbone", *more)
        return beginning("backbone", self._plus.pretrained)

    def _hearing(self, trained: Trained, alike: Path, *more: str) -> InitialWeights:
        """Where a sound encoder begins, and other parts that need the same backbone, too."""
        if self._plus.goes_on:
            return parts_of(alike, "sound_encoder", "head.sound_gate", *more)
        return parts_of(trained.sound, "sound_encoder")

    def _plus_maps(
        self,
        stage: str,
        trained: Trained,
        plus: Mapping[str, Path],
        moments: Path,
        boxes: Path,
        knows_tags: bool = True,
    ) -> Path:
        """Fuse what all eleven sources see of moments."""
        preset = self._preset

        def make(folder: Path, progress: Progress) -> int:
            fine = Sources.load(trained.fine, preset.loss("fine"), rules=preset.rules)
            sources = PlusSources.load(plus, preset.loss("fine"), rules=preset.rules)
            return scam_plus.make_maps(
                fine, sources, moments, folder, preset.grid, boxes, knows_tags, progress
            )

        read = {"moments": moments, "boxes": boxes, **trained.fine, **plus}
        return self._mapped(stage, read, moments, make, knows_tags)

    def _plus_tested(
        self, test: RunTest, trained: Trained, plus: Mapping[str, Path], model: Path, tested: Tested
    ) -> TestedPlus:
        """Map the test's moments without tags and with them, and score all."""
        moments, maps = tested.moments, tested.maps
        blind = self._plus_maps(TEST_PLUS, trained, plus, moments, maps.coarse, knows_tags=False)
        tagged = self._plus_maps(TEST_PLUS_TAGGED, trained, plus, moments, maps.tagged_coarse)
        folders = PlusMapFolders(blind, tagged)

        def steps() -> Steps:
            net = load_network(STANetPlus, model)
            return STANetPlusSteps(moments, maps, folders, net, self._preset.grid)

        read = {"moments": moments, "model": model, "blind": blind, "tagged": tagged}
        read |= {"fine": maps.fine, "fine-tags": maps.tagged}
        means = self._scores(f"{PLUS}/test/scores", test, moments, steps, read)
        return TestedPlus(folders, means)
