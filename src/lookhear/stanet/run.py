"""The whole of STANet: from clips with tags to a network that predicts fixations.

    moments           cut from the clips
    hearing           a sound encoder learns the tags by ear
    matching          a first AudioSwitch learns what looks go with what sounds
    coarse/S, SA, ST  sources of class maps learn the tags of whole frames
    coarse/maps       their maps, fused, and a box for each moment
    fine/S, SA, ST    sources learn the tags of the boxes
    fine/maps         their maps, fused, in the frame: pseudo-fixations
    switch            AudioSwitch learns which sounds belong to which pictures
    sta               STA learns the pseudo-fixations
    model             STA with the switch, for `lookhear predict --model RUN`
    test/...          clips with gaze: their moments, their maps without and with tags, and scores
    report.html       all of it to look at

Each is a stage of the run's ledger, so none is done twice, and a run that was stopped goes on.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lookhear.data.identity import identities
from lookhear.data.loader import Moments
from lookhear.data.prepare import prepare, read_tagged
from lookhear.data.readers.fixated import FixatedClip
from lookhear.data.readers.tagged import TaggedClip, size_of
from lookhear.data.shards import MANIFEST, read_complete, read_manifest
from lookhear.errors import LookhearError, named_by
from lookhear.files import sole_use, whole_folder, write_whole
from lookhear.nets.pretrained import read_pretrained
from lookhear.nets.saved import RUN_MODEL, load_network, model_folder
from lookhear.nets.sound import SoundClassifier
from lookhear.parallel import cores
from lookhear.progress import Bars, Progress, no_bars
from lookhear.resume import Ledger, described
from lookhear.stanet.page import render
from lookhear.stanet.pseudo_fixations import Sources, how, make_maps
from lookhear.stanet.recipes.attending import STATask
from lookhear.stanet.recipes.classifying import SourceTask
from lookhear.stanet.recipes.hearing import HearingTask
from lookhear.stanet.recipes.matching import EAR, SwitchTask, save_joined
from lookhear.stanet.recipes.presets import PRESETS, all_begun_with
from lookhear.stanet.report import Made, MadePlus, Means, Tested, model_cards, run_page
from lookhear.stanet.run_folder import (
    TEST_COARSE,
    TEST_FINE,
    TEST_FINE_TAGGED,
    TEST_MOMENTS,
    MapFolders,
)
from lookhear.stanet.scam import RELEASED_WITHOUT
from lookhear.stanet.sources import S
from lookhear.stanet.sta import STA
from lookhear.stanet.steps import STANetSteps, Steps
from lookhear.training.initial_weights import (
    InitialWeights,
    SavedPart,
    beginning,
    initialise,
    parts_of,
)
from lookhear.training.loop import train_on_moments
from lookhear.training.schedule import ONE_DEVICE, Machine, check_machine
from lookhear.training.task import MomentsTask

REPORT = "report.html"
SCORES = "scores.json"
ALL_BUT_THE_GATE = ("classifier", "self_attention", "fuse", "gru")
"""What the head of an SA has without its sound gate."""


class RunTest(Protocol):
    """Scores a run's maps and its network; as `lookhear.evaluation.from_runs.GazeTest` does."""

    @property
    def data(self) -> Path:
        """Clips with tags, in the layouts that a run learns from, or prepared moments."""

    @property
    def gaze(self) -> Mapping[str, FixatedClip]:
        """Where people looked, by the name of the clip's file without suffix."""

    def table(self, moments: Path, steps: Steps, progress: Progress) -> dict[str, Any]:
        """Score the test's prepared moments, as `json.dump` takes it: `means`, row -> metric."""


@dataclass(frozen=True)
class RunSettings:
    """What decides a run.

    Attributes:
        data: a folder in AVE's layout, a ``clips.csv``, or prepared moments.
        out: the run folder.
        preset: a name in :data:`~lookhear.stanet.recipes.presets.PRESETS`.
        seed: of everything left to chance.
        test: scores the run, such as `lookhear.evaluation.from_runs.GazeTest`; None for no scores.
        sound: folder of a saved network whose sound encoder is taken; None trains one.
        pretrained: with what backbones begin, see :mod:`lookhear.nets.pretrained`; None for what
            the preset says.
        machine: what to train on.
        roots: folders where clips of a ``clips.csv`` may lie, beside its own.
    """

    data: Path
    out: Path
    preset: str = "small"
    seed: int = 0
    test: RunTest | None = None
    sound: Path | None = None
    pretrained: str | None = None
    machine: Machine = ONE_DEVICE
    roots: Sequence[Path] = ()


def train_stanet(settings: RunSettings, say: Callable[[str], object], bars: Bars = no_bars) -> Made:
    """Do all stages of a run that are not done.

    Args:
        settings: of the run.
        say: is told of each stage as it begins.
        bars: show how far a stage is.

    Raises:
        LookhearError: the data cannot be used, or the folder not be written or it holds something
            else; one line says what.
    """
    with sole_use(settings.out):
        return Run(settings, say, bars).make()


@dataclass(frozen=True)
class Trained:
    """What a run has trained, and from what: the folders of its stages.

    Attributes:
        moments: prepared.
        sound: of the saved network whose sound encoder is taken.
        coarse, fine: of the saved S, SA and ST of each stage.
        boxes, fixations: of the coarse maps and the fine ones.
        switch, sta: of the saved networks.
        model: of both together.
    """

    moments: Path
    sound: Path
    coarse: dict[str, Path]
    boxes: Path
    fine: dict[str, Path]
    fixations: Path
    switch: Path
    sta: Path
    model: Path


class Run:
    """The stages of a run; each method does some and returns the folders that later ones read."""

    def __init__(
        self, settings: RunSettings, say: Callable[[str], object], bars: Bars = no_bars
    ) -> None:
        self._settings = settings
        self._preset = named_by("preset", settings.preset, PRESETS)
        known = {"preset": settings.preset, "seed": settings.seed}
        if settings.pretrained is not None:
            weights = read_pretrained(settings.pretrained)
            if weights not in (None, self._preset.pretrained):
                known |= identities({"pretrained": weights})
            self._preset = all_begun_with(self._preset, weights)
        self._ledger = Ledger.open(settings.out, known)
        self._say = say
        self._bars = bars
        self._sound = model_folder(settings.sound) if settings.sound else None

    def make(self) -> Made:
        """Do everything."""
        self._check()
        trained = self._trained()
        made = self._made(trained, self._tested(trained))
        self._tell(made)
        return made

    def _made(self, of: Trained, tested: Tested | None, plus: MadePlus | None = None) -> Made:
        report = self._settings.out / REPORT
        return Made(of.moments, of.boxes, of.fixations, of.model, report, tested, plus)

    def _tell(self, made: Made) -> None:
        """Write the page and the model's card, where something has been done."""
        if self._ledger.worked or not made.report.exists():
            self._say(REPORT)
            for folder, card in model_cards(self._ledger, made).items():
                write_whole(folder / "README.md", card)
            write_whole(made.report, render(run_page(self._ledger, made)))

    def _trained(self) -> Trained:
        """Train all networks."""
        moments = self._moments("moments", self._settings.data)
        self._check_lengths(moments)
        sound = self._sound or self._train("hearing", HearingTask(self._preset.hearing), moments)
        coarse = self._coarse_sources(moments, sound)
        boxes = self._maps("coarse/maps", moments, coarse)
        fine = self._fine_sources(moments, coarse, boxes)
        fixations = self._maps("fine/maps", moments, fine, boxes)
        switch = self._switch(moments, sound, coarse)
        sta = self._sta(moments, coarse, switch, fixations)
        model = self._do(
            RUN_MODEL,
            identities({"sta": sta, "switch": switch}),
            lambda folder: save_joined(sta, switch, folder, replaces=True),
        )
        return Trained(moments, sound, coarse, boxes, fine, fixations, switch, sta, model)

    def _check(self) -> None:
        """Refuse now what would fail after an hour."""
        settings, preset = self._settings, self._preset
        for data in (settings.data, *([settings.test.data] if settings.test else [])):
            if (data / MANIFEST).exists():
                read_complete(data)
            else:
                read_tagged(data, settings.roots)
        if settings.test:
            _ = settings.test.gaze
        sources = (*preset.coarse.values(), *preset.fine.values())
        schedules = (preset.switch.schedule, preset.sta.schedule, *(s.schedule for s in sources))
        for schedule in schedules:
            check_machine(settings.machine, schedule)
        if self._sound:
            encoder = preset.coarse["SA"].net.get("sound_encoder", "vggsound")
            initialise(SoundClassifier(("", ""), encoder), parts_of(self._sound, "sound_encoder"))
        elif preset.hearing is None:
            raise LookhearError(
                f"--preset {settings.preset}: begins with a trained sound encoder; convert "
                "VGGSound's (lookhear convert FILE --as vggsound) and name its folder by --sound"
            )
        if preset.pretrained:
            initialise(S(("one", "other"), **preset.coarse["S"].net), self._first_sight())

    def _check_lengths(self, moments: Path) -> None:
        """Refuse now clips so short that STA would have nothing to learn from in the end."""
        if self._preset.rules != "released":
            return
        data, needed = Moments(moments, "train"), self._preset.sta.schedule.batch_size
        lengths = Counter(data.clip(index) for index in range(len(data))).values()
        left = sum(max(length - RELEASED_WITHOUT, 0) for length in lengths)
        if left < needed:
            raise LookhearError(
                f"{self._settings.data}: as released, --preset {self._settings.preset} makes no "
                "pseudo-fixations of a clip's first three and last four moments; so at most "
                f"{left} of {len(data)} have any, fewer than a batch of {needed}; give clips whose "
                f"tag lasts for more than {RELEASED_WITHOUT} seconds"
            )

    def _moments(self, stage: str, data: Path) -> Path:
        """Cut clips into moments, unless that is done already."""
        if (data / MANIFEST).exists():
            return data
        clips = read_tagged(data, self._settings.roots)

        def work(folder: Path) -> None:
            with self._bars(stage, len(clips.clips)) as advance:
                prepare(clips, folder, workers=cores(), advance=advance)

        inputs = {"clips": [_described(clip, clips.root) for clip in clips.clips]}
        # Of the clips to learn from, those that are the same stay prepared.
        return self._do(stage, inputs, work, replaces=stage == TEST_MOMENTS)

    def _coarse_sources(self, moments: Path, sound: Path) -> dict[str, Path]:
        matching = None
        if self._preset.matching:  # sight learns from hearing, which knows the tags already
            switch = SwitchTask(self._preset.matching, self._ear(sound) | self._first_sight())
            matching = self._train("matching", switch, moments)
        trained: dict[str, Path] = {}
        for source, recipe in self._preset.coarse.items():
            # At stride 32, as published, a backbone has a stage more than that of S, at 16.
            alike = trained.get("S" if recipe.net.get("stride") == 16 else "SA")
            start = self._each_sight() or (parts_of(alike, "backbone") if alike else {})
            if source == "SA":
                start |= parts_of(sound, "sound_encoder")
                if recipe.net.get("sound_votes") and not self._sound:
                    start["head.votes"] = SavedPart(sound, "classifier")
            if matching:
                start |= parts_of(matching, "backbone")
                classifier = "head.classifier" if source == "S" else "head.classifier.0"
                start[classifier] = SavedPart(matching, "head.gate.picture")
                if source == "SA":
                    start["head.sound_gate"] = SavedPart(matching, "head.gate")
            task = SourceTask(recipe, start)
            trained[source] = self._train(f"coarse/{source}", task, moments, boxes=None)
        return trained

    def _fine_sources(
        self, moments: Path, coarse: Mapping[str, Path], boxes: Path
    ) -> dict[str, Path]:
        trained: dict[str, Path] = {}
        for source, recipe in self._preset.fine.items():
            before, taken = coarse[source], ["head"]
            if recipe.net.get("sound_gate") != self._preset.coarse[source].net.get("sound_gate"):
                # The report's fine gate grows to another grid than the coarse one, and begins anew.
                taken = [f"head.{part}" for part in ALL_BUT_THE_GATE]
            start = self._each_sight() or parts_of(before, "backbone", *taken)
            if source == "SA":
                start |= parts_of(before, "sound_encoder")
            task = SourceTask(recipe, start, boxes)
            trained[source] = self._train(f"fine/{source}", task, moments, boxes=boxes)
        return trained

    def _switch(self, moments: Path, sound: Path, coarse: Mapping[str, Path]) -> Path:
        recipe, start = self._preset.switch, self._like_sa(coarse)
        if recipe.matches:
            start["head.gate"] = SavedPart(coarse["SA"], "head.sound_gate")
            if not self._sound:  # SA's ear has learnt more of its own clips by heart
                start |= self._ear(sound)
        return self._train("switch", SwitchTask(recipe, start), moments)

    def _sta(
        self, moments: Path, coarse: Mapping[str, Path], switch: Path, fixations: Path
    ) -> Path:
        recipe, start = self._preset.sta, self._like_sa(coarse)
        if recipe.net.get("sound_gate") == "matching" and self._preset.switch.matches:
            # Its gate opens at one place or none, while SA's may be open nearly everywhere.
            start |= parts_of(switch, "backbone", "sound_encoder")
            start["head.sound_gate"] = SavedPart(switch, "head.gate")
        task = STATask(recipe, fixations, start)
        return self._train("sta", task, moments, fixations=fixations)

    def _first_sight(self) -> InitialWeights:
        """Pretrained weights for the first backbone that is trained."""
        return beginning("backbone", self._preset.pretrained)

    def _each_sight(self) -> InitialWeights:
        """Pretrained weights for every backbone; none where the first hands on what it learns."""
        return {} if self._preset.matching else self._first_sight()

    def _ear(self, sound: Path) -> InitialWeights:
        start = parts_of(sound, "sound_encoder")
        return start if self._sound else start | {EAR: SavedPart(sound, "classifier")}

    def _like_sa(self, coarse: Mapping[str, Path]) -> InitialWeights:
        return parts_of(coarse["SA"], "backbone", "sound_encoder") | self._each_sight()

    def _train(self, stage: str, task: MomentsTask, moments: Path, **reads: Path | None) -> Path:
        """Train a network; return the folder in which it is saved."""
        seed, machine = self._settings.seed, self._settings.machine
        read = identities({"moments": moments, **reads, **task.start})
        inputs = {"recipe": described(task.recipe), "seed": seed, **read}

        def work(run: Path) -> None:
            train_on_moments(task, moments, run, seed, machine)

        return self._do(stage, inputs, work) / RUN_MODEL

    def _maps(
        self,
        stage: str,
        moments: Path,
        nets: Mapping[str, Path],
        boxes: Path | None = None,
        knows_tags: bool = True,
    ) -> Path:
        """Map moments: coarse without boxes, fine with them."""
        preset = self._preset
        loss = preset.loss("coarse" if boxes is None else "fine")

        def make(folder: Path, progress: Progress) -> int:
            sources = Sources.load(nets, loss, rules=preset.rules)
            return make_maps(sources, moments, folder, preset.grid, boxes, knows_tags, progress)

        read = {"moments": moments, "boxes": boxes, **nets}
        return self._mapped(stage, read, moments, make, knows_tags)

    def _mapped(
        self,
        stage: str,
        read: Mapping[str, Path | None],
        moments: Path,
        make: Callable[[Path, Progress], int],
        knows_tags: bool,
    ) -> Path:
        """Map moments into a folder, and say of how many there are no pseudo-fixations."""

        def work(folder: Path) -> None:
            count = sum(read_complete(moments).moments.values())
            with self._bars(stage, count) as progress:
                empty = make(folder, progress)
            if empty:
                self._say(f"{stage}: {empty} of {count} moments have no pseudo-fixations")

        inputs = how(self._preset.grid, knows_tags, self._preset.rules) | identities(read)
        return self._do(stage, inputs, work)

    def _tested(self, trained: Trained) -> Tested | None:
        """Map the test's moments, if there is one, without tags and with them, and score all."""
        test, model = self._settings.test, trained.model
        if test is None:
            return None
        coarse, fine = trained.coarse, trained.fine
        moments = self._moments(TEST_MOMENTS, test.data)
        blind_boxes = self._maps(TEST_COARSE, moments, coarse, knows_tags=False)
        blind = self._maps(TEST_FINE, moments, fine, blind_boxes, knows_tags=False)
        tagged_boxes = self._maps("test/coarse-tags", moments, coarse)
        tagged = self._maps(TEST_FINE_TAGGED, moments, fine, tagged_boxes)
        maps = MapFolders(blind_boxes, blind, tagged_boxes, tagged)

        def steps() -> Steps:
            return STANetSteps(moments, maps, load_network(STA, model), self._preset.grid)

        read = {"moments": moments, "model": model, "coarse": blind_boxes, "fine": blind}
        means = self._scores("test/scores", test, moments, steps, read | {"tagged": tagged})
        return Tested(test.data.resolve().name, moments, test.gaze, maps, means)

    def _scores(
        self,
        stage: str,
        test: RunTest,
        moments: Path,
        steps: Callable[[], Steps],
        read: Mapping[str, Path],
    ) -> Means:
        """Score steps, and return the means over the test's clips."""

        def work(folder: Path) -> None:
            count = sum(read_manifest(moments).moments.values())
            with self._bars(stage, count) as progress:
                table = test.table(moments, steps(), progress)
            with whole_folder(folder) as partial:
                (partial / SCORES).write_text(json.dumps(table, indent=1) + "\n")

        scores = self._do(stage, identities(read), work) / SCORES
        means: Means = json.loads(scores.read_text("utf-8"))["means"]
        return means

    def _do(
        self,
        stage: str,
        inputs: Mapping[str, Any],
        work: Callable[[Path], object],
        replaces: bool = True,
    ) -> Path:
        def announced(folder: Path) -> None:
            self._say(stage)
            (self._settings.out / REPORT).unlink(missing_ok=True)  # it is of the old stage
            work(folder)

        return self._ledger.do(stage, inputs, announced, replaces=replaces)


def _described(clip: TaggedClip, root: Path) -> list[Any]:
    path = os.path.relpath(clip.path, root)
    return [path, clip.tag, clip.start, clip.end, clip.split, size_of(clip.path)]
