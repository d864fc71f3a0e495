"""Whether anything that is broken ends in something else than a result or one line.

    python benchmarks/fuzz.py OUT [--seed 0] [--media 1000] [--weights 300] [--data 300]
        [--clips DIR]

makes small sound files of all kinds in OUT (and takes the clips of DIR), breaks them at random, and
gives them to predicting, to the loading of weights and models, and to the checking and preparing of
data, each in a forked process of its own. A fault is: an exception that is no LookhearError, an
error of more than a line, a crash, more than 20 seconds, a gigabyte more memory than whole files
take, words on the terminal, what is left of a failure, or a file where none belongs. What was at
fault is kept in OUT/faults, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from lookhear.data.check import check
from lookhear.data.check.findings import render
from lookhear.data.loader import Moments
from lookhear.data.prepare import prepare, read_tagged
from lookhear.data.readers.stavis import read_stavis
from lookhear.data.world.files import World, write_world
from lookhear.errors import LookhearError
from lookhear.media import open_clip
from lookhear.nets.saved import card_sections, load_model, load_watcher, model_folder
from lookhear.nets.state_dicts import fitted, misfit, read_state
from lookhear.prediction.page import ModelNotes
from lookhear.prediction.results import Settings, write_results

LONGEST = 20  # seconds
MOST_GROWTH = 1 << 20  # KiB beyond what whole files take
MOST_ADDRESSES = 12 << 30  # bytes; protects the machine
MOST_LETTERS = 1500  # of a line
SIDES = 64, 48
FRAMES = 8

CONTAINERS = (
    ("mp4", "libx264", "aac"),
    ("mov", "libx265", "alac"),
    ("mkv", "libvpx-vp9", "libopus"),
    ("mkv", "ffv1", "flac"),
    ("mkv", "libsvtav1", "ac3"),
    ("webm", "libvpx", "libopus"),
    ("avi", "mpeg4", "libmp3lame"),
    ("avi", "mjpeg", "pcm_s16le"),
    ("ts", "libx264", "aac"),
    ("ts", "mpeg2video", "mp2"),
    ("mpg", "mpeg1video", "mp2"),
    ("flv", "flv", "libmp3lame"),
    ("wmv", "wmv2", "wmav2"),
    ("mxf", "mpeg2video", "pcm_s16le"),
    ("nut", "huffyuv", "pcm_s16le"),
    ("gif", "gif", None),
    ("apng", "apng", None),
    ("y4m", "wrapped_avframe", None),
    ("h264", "libx264", None),
    ("ivf", "libvpx", None),
    ("swf", "flv", None),
    ("mjpeg", "mjpeg", None),
)
PIXEL_FORMATS = {"gif": "rgb8", "apng": "rgb24", "mjpeg": "yuvj420p", "huffyuv": "yuv422p"}
STILLS = "PNG JPEG BMP WEBP TIFF PPM TGA SGI PCX JPEG2000 AVIF QOI HEIF".split()  # noqa: SIM905
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--media", type=int, default=1000)
    parser.add_argument("--weights", type=int, default=300)
    parser.add_argument("--data", type=int, default=300)
    parser.add_argument("--clips", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(0)  # threads do not survive a fork
    torch.set_num_threads(1)
    out: Path = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    runner = Runner(out, random.Random(arguments.seed))
    begun = time.monotonic()
    for name, kind, count in (
        ("media", Media(out / "seeds", arguments.clips), arguments.media),
        ("weights", Weights(out / "models"), arguments.weights),
        ("data", Data(out / "sets"), arguments.data),
    ):
        runner.run(name, kind, count)
    print(f"{time.monotonic() - begun:.0f} s, {len(runner.faults)} faults")
    for fault in runner.faults:
        print(fault)
    sys.exit(bool(runner.faults))


class Media:
    """Clips and pictures, predicted with all that comes of it."""

    def __init__(self, folder: Path, clips: Path | None) -> None:
        folder.mkdir(exist_ok=True)
        self.seeds = [*written_clips(folder), *written_stills(folder)]
        if clips is not None:
            self.seeds += [
                path for path in sorted(clips.iterdir()) if path.stat().st_size < 1 << 20
            ]
        self._watcher = load_watcher("small", "cpu")
        self._notes = ModelNotes("small", card_sections(model_folder("small")))

    def place(self, seed: Path, folder: Path) -> Path:
        return Path(shutil.copy(seed, folder / seed.name))

    def spoil(self, case: Path, others: list[Path], chance: random.Random) -> None:
        spoil(case, chance.choice(others), chance)

    def take(self, case: Path, out: Path) -> list[str]:
        clip = open_clip(case)
        outcome = write_results(clip, out / "results", self._watcher, self._notes, Settings())
        return [*outcome.problems]


class Weights:
    """Weights of others, and models of this project."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._own = state = {f"layer{i}.weight": torch.randn(8, 3, 3, 3) for i in range(6)}
        torch.save({"epoch": 3, "state_dict": state}, folder / "weights.pth")
        torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
        save_file(state, folder / "weights.safetensors")
        shutil.copytree(model_folder("small"), folder / "small", dirs_exist_ok=True)
        self.seeds = sorted(folder.iterdir()) + [folder / "small"] * 3

    def place(self, seed: Path, folder: Path) -> Path:
        if seed.is_dir():
            return Path(shutil.copytree(seed, folder / seed.name))
        return Path(shutil.copy(seed, folder / seed.name))

    def spoil(self, case: Path, others: list[Path], chance: random.Random) -> None:
        files = [other for other in others if other.is_file()]
        if case.is_dir():
            file = case / chance.choice(("config.json", "model.safetensors", "config.json"))
            if file.suffix == ".json" and chance.random() < 0.7:
                spoil_json(file, chance)
            else:
                spoil(file, chance.choice(files), chance)
        else:
            spoil(case, chance.choice(files), chance)

    def take(self, case: Path, _: Path) -> list[str]:
        if case.is_dir():
            load_model(case, "cpu")
        else:
            misfit(fitted(read_state(case), self._own), self._own)
        return []


class Data:
    """Data sets: lists, tables, gaze, and shards; looked at, prepared and read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        world = folder / "world"
        write_world(world, World("sounding", 2, seed=1, duration=2.0), 1)
        prepare(read_tagged(world), folder / "moments")
        tables = folder / "tables"
        tables.mkdir(exist_ok=True)
        clip = next((world / "AVE").iterdir())
        shutil.copy(clip, tables / "a.mp4")
        rows = "".join(f"a.mp4,Cat {n % 3},{n / 5},2\n" for n in range(5))
        (tables / "clips.csv").write_text(f"path,tag,start,end\n{rows}")
        looks = "".join(f"a.mp4,{n / 50:.2f},{3 * n},{2 * n},p{n % 4}\n" for n in range(80))
        (tables / "fixations.csv").write_text(f"clip,time,x,y,observer\n{looks}")
        self.seeds = [world, folder / "moments", tables]

    def place(self, seed: Path, folder: Path) -> Path:
        return Path(shutil.copytree(seed, folder / seed.name))

    def spoil(self, case: Path, _: list[Path], chance: random.Random) -> None:
        suffixes = chance.choice(
            (
                (".txt", ".csv", ".json"),
                (".txt", ".csv"),
                (".mat", ".tar"),
                (".jpg", ".wav", ".mat"),
            )
        )
        files = [path for path in sorted(case.rglob("*")) if path.is_file()]
        chosen = [path for path in files if path.suffix in suffixes] or files
        file = chance.choice(chosen)
        if file.suffix == ".json" and chance.random() < 0.5:
            spoil_json(file, chance)
        else:
            spoil(file, chance.choice(files), chance)

    def take(self, case: Path, out: Path) -> list[str]:
        findings = check(case)
        render(findings)
        if (case / "manifest.json").exists():
            moments = Moments(case, "train", size=(32, 32))
            for index in range(min(len(moments), 3)):
                moments[index]
        elif (case / "fold_lists").exists():
            for of_one in read_stavis(case):
                for clip in of_one.clips:
                    for index in range(min(clip.frame_count, 3)):
                        clip.fixation_map(index)
                        clip.density(index)
        if not (case / "manifest.json").exists():
            prepare(read_tagged(case), out / "results")
        return []


class Runner:
    """Takes one case after the other, each in a process of its own."""

    def __init__(self, out: Path, chance: random.Random) -> None:
        self._out = out
        self._chance = chance
        self.faults: list[str] = []

    def run(self, name: str, kind: Any, count: int) -> None:
        """Take whole files first, which tell what is usual; then as many broken ones."""
        begun, usual, ends = time.monotonic(), 0, Counter[str]()
        for number, seed in enumerate(dict.fromkeys(kind.seeds)):
            end, memory, _ = self._case(
                f"{name}-whole-{number}", kind, seed, spoilt=False, usual=None
            )
            usual = max(usual, memory)
            if end != "taken":
                print(f"{name}: {seed.name} is not taken as it is: {end}")
        slowest, most = 0.0, 0
        for number in range(count):
            seed = self._chance.choice(kind.seeds)
            end, memory, seconds = self._case(
                f"{name}-{number}", kind, seed, spoilt=True, usual=usual
            )
            ends[end] += 1
            slowest, most = max(slowest, seconds), max(most, memory - usual)
        print(
            f"{name}: {count} of {len(set(kind.seeds))} kinds in {time.monotonic() - begun:.0f} s: "
            f"{dict(ends)}; slowest {slowest:.1f} s, {max(most, 0) >> 10} MiB above whole files",
            flush=True,
        )

    def _case(
        self, name: str, kind: Any, seed: Path, *, spoilt: bool, usual: int | None
    ) -> tuple[str, int, float]:
        folder = self._out / "cases" / name
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("in", "out", "tmp"):
            (folder / part).mkdir(parents=True)
        case = kind.place(seed, folder / "in")
        if spoilt:
            kind.spoil(case, kind.seeds, self._chance)
        before = listed(folder)
        end, memory, seconds = forked(lambda: kind.take(case, folder / "out"), folder)
        faults = [] if end in ("taken", "refused") else [end]
        if usual is not None and memory - usual > MOST_GROWTH:
            faults.append(f"{(memory - usual) >> 10} MiB more than whole files take")
        faults += left_over(folder, before, end)
        if faults and usual is not None:
            shutil.copytree(folder, self._out / "faults" / name, dirs_exist_ok=True)
            self.faults.append(f"{name} ({seed.name}): {'; '.join(faults)}")
        shutil.rmtree(folder)
        return ("fault" if faults else end), memory, seconds


def forked(work: Callable[[], list[str]], folder: Path) -> tuple[str, int, float]:
    """Do work in a fork: how it ended, its most memory in KiB, and seconds."""
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            words = os.open(folder / "words", os.O_CREAT | os.O_WRONLY)
            os.dup2(words, 1)
            os.dup2(words, 2)
            os.environ["TMPDIR"] = str(folder / "tmp")
            resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
            lines = work()
            status = 71 if any("\n" in line or len(line) > MOST_LETTERS for line in lines) else 0
        except LookhearError as error:
            line = str(error)
            status = 71 if "\n" in line or len(line) > MOST_LETTERS else 1
            (folder / "line").write_text(line, errors="replace")
        except BaseException:
            (folder / "line").write_text(traceback.format_exc(), errors="replace")
        finally:
            os._exit(status)
    ended, status, usage = 0, 0, None
    while time.monotonic() - begun < LONGEST and not ended:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        time.sleep(0.002)
    if not ended:
        os.kill(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
        return f"more than {LONGEST} s", usage.ru_maxrss, time.monotonic() - begun
    seconds, memory = time.monotonic() - begun, usage.ru_maxrss if usage else 0
    if os.WIFSIGNALED(status):
        return f"crash by signal {os.WTERMSIG(status)}", memory, seconds
    code = os.waitstatus_to_exitcode(status)
    if code in (0, 1):
        return ("taken", "refused")[code], memory, seconds
    said = (folder / "line").read_text() if (folder / "line").exists() else ""
    return (f"more than a line: {said[:200]}" if code == 71 else said[-600:]), memory, seconds


def listed(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def left_over(folder: Path, before: set[str], end: str) -> Iterator[str]:
    """What a run has left where it should not, or said on the terminal."""
    words = (folder / "words").read_text(errors="replace") if (folder / "words").exists() else ""
    if words:
        yield f"on the terminal: {words[:300]!r}"
    new = listed(folder) - before - {"words", "line"}
    new = {name for name in new if not name.startswith("tmp/torchinductor")}  # torch's own
    wrong = [name for name in new if not name.startswith("out/results")]
    hidden = [name for name in new if any(part.startswith(".") for part in name.split("/"))]
    if end == "refused" and (folder / "out" / "results").exists():
        # What was prepared so far says why the rest is not.
        wrong += [name for name in new if not name.endswith((".json", "results"))]
    if wrong or hidden:
        yield f"left: {sorted({*wrong, *hidden})[:5]}"


def spoil(file: Path, other: Path, chance: random.Random) -> None:
    """Flip bits, cut, splice, or lie in the header."""
    content = bytearray(file.read_bytes())
    size = max(len(content), 1)
    for _ in range(chance.choice((1, 1, 2, 5))):
        way = chance.randrange(7)
        if not content:
            return
        at = chance.randrange(len(content))
        if way == 0:
            for _ in range(chance.choice((1, 10, size // 100 + 1))):
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        elif way == 1:
            del content[at:]
        elif way == 2:
            del content[at : at + chance.randrange(1, size // 4 + 2)]
        elif way == 3:
            piece = other.read_bytes()[: 1 << 16]
            content[at:at] = piece[chance.randrange(len(piece) + 1) :]
        elif way == 4:
            length = chance.choice((1, 2, 4))
            number = chance.choice(EXTREMES) & ((1 << 8 * length) - 1)
            lie = number.to_bytes(length, chance.choice(("big", "little")))
            at = chance.randrange(min(len(content), 600))
            content[at : at + length] = lie
        elif way == 5:
            content[at : at + 64] = bytes(64)
        else:
            content[at:at] = content[at : at + chance.randrange(1, 4096)]
    file.write_bytes(content)


def spoil_json(file: Path, chance: random.Random) -> None:
    """Give some value another one, or take it away."""
    held = json.loads(file.read_text())
    values: list[Any] = [None, -1, 0, 1e308, 10**12, "", "x" * 50, [], {}, True, [[]], float("nan")]
    node = held
    while isinstance(node, dict | list) and node:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = chance.choice(keys)
        inner = node[key]
        if not (isinstance(inner, dict | list) and inner) or chance.random() < 0.3:
            if chance.random() < 0.2:
                del node[key]
            else:
                node[key] = chance.choice(values)
            break
        node = inner
    file.write_text(json.dumps(held))


def written_clips(folder: Path) -> Iterator[Path]:
    """A small clip of each container and codec that there is."""
    for number, (suffix, video, sound) in enumerate(CONTAINERS):
        path = folder / f"{number:02d}-{video}.{suffix}"
        try:
            write_clip(path, video, sound)
        except (av.error.FFmpegError, ValueError, OSError) as error:
            print(f"{path.name}: not written here ({error})")
            path.unlink(missing_ok=True)
            continue
        yield path
    joined = folder / "joined.ts"
    joined.write_bytes(2 * next(folder.glob("*-libx264.ts")).read_bytes())
    yield joined


def write_clip(path: Path, video: str, sound: str | None) -> None:
    width, height = (720, 576) if path.suffix == ".mxf" else SIDES
    form = PIXEL_FORMATS.get(video, "yuv420p")
    chance = np.random.default_rng(0)
    wide = chance.integers(0, 255, (height, width, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(video, 25)
        stream.width, stream.height, stream.pix_fmt = width, height, form
        stream.codec_context.time_base = Fraction(1, 25)
        heard = container.add_stream(sound, 48_000, layout="stereo") if sound else None
        if heard:
            heard.bit_rate = 128_000
        for index in range(FRAMES):
            picture = av.VideoFrame.from_ndarray(np.roll(wide, index, 0), "rgb24")
            picture = picture.reformat(format=form)
            picture.pts, picture.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(picture))
            if heard:
                block = (chance.normal(0, 3000, (1, 2 * 1920))).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(block, "s16", "stereo")
                frame.sample_rate, frame.pts = 48_000, 1920 * index
                frame.time_base = Fraction(1, 48_000)
                container.mux(heard.encode(frame))
        container.mux(stream.encode(None))
        if heard:
            container.mux(heard.encode(None))


def written_stills(folder: Path) -> Iterator[Path]:
    chance = np.random.default_rng(0)
    picture = Image.fromarray(chance.integers(0, 255, (48, 64, 3), np.uint8))
    for form in STILLS:
        content = io.BytesIO()
        if form == "HEIF":
            from pillow_heif import from_pillow

            from_pillow(picture.resize((600, 600))).save(content)
        else:
            picture.save(content, form)
        path = folder / f"still-{form.lower()}.{'tga' if form == 'TGA' else 'dat'}"
        path.write_bytes(content.getvalue())
        yield path
    for form in ("PNG", "WEBP", "AVIF"):
        path = folder / f"moving.{form.lower()}"
        picture.save(path, form, save_all=True, append_images=[picture.rotate(9)] * 3, duration=90)
        yield path
    picture.save(folder / "jpeg.tif", "TIFF", compression="jpeg")
    yield folder / "jpeg.tif"


if __name__ == "__main__":
    main()
