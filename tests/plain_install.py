"""After `pip install .` alone, each verb runs, or says in one line which extra it needs.

Run by `.ci/run`, by the Python of an environment that has nothing else: no pytest, no PyTorch, no
Ray. What the verbs work on is made here, by themselves where they can.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from osie_layout import make_osie

LOOKHEAR = Path(sys.executable).with_name("lookhear")

# Each makes what it is followed by; later ones work on what earlier ones have made.
RUNS = """
world world --clips 2 --seconds 1 --seed 1 --workers 1 -> world/AVE
data check world
prepare world --out moments --workers 1 -> moments/manifest.json
predict world/AVE/s1-00000.mp4 world/AVE/s1-00001.mp4 --out predicted
  -> predicted/s1-00000/overlay.mp4 predicted/s1-00001/report.html
demo -> lookhear-demo/scene/report.html
evaluate --data osie --model centre --model small --out pictures -> pictures/report.html
evaluate --data world --model gbvs --model small --model inter-observer --every 5 --out clips
  -> clips/report.html
evaluate --data osie --model maps --every 1 --out of-maps -> of-maps/report.html
"""
NEED_AN_EXTRA = """
predict world/AVE/s1-00000.mp4 --model trained --out run
predict world/AVE/s1-00000.mp4 --engine torch --out run
predict world/AVE/s1-00000.mp4 --model owner/name --out run
evaluate --data osie --model GradCAM:trained --out run
evaluate --data osie --model trained --out run
explain world/AVE/s1-00000.mp4 --weights random --out run
convert weights.pth --as vggsound --out run
export small --out run/small.onnx
events world/AVE/s1-00000.mp4 --model trained --out run
actions world/AVE/s1-00000.mp4 --model trained --out run
train stanet --data world --out run
train hearing --data moments --out run
train source --data moments --out run --net S
train matching --data moments --out run
train switch --data moments --out run
train sta --data moments --out run --maps maps
train fixations --data osie --out run
train actions --data world --out run
train maps --data moments --out run --sources nowhere
train events --data moments --out run
train join --sta nowhere --switch nowhere --out run
prepare world --out others --ray local
"""


def main() -> None:
    """Run everything in a folder of its own."""
    assert not any(map(find_spec, ("torch", "ray", "pytest"))), "not a plain install"
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        make_osie(here / "osie", count=2)
        shutil.copytree(here / "osie/data/stimuli", here / "maps")  # pictures will do as maps
        (here / "trained").mkdir()
        (here / "trained/config.json").write_text('{"network": "STA"}')
        (here / "trained/model.safetensors").touch()
        for line in lines(RUNS):
            words, _, made = line.partition("->")
            code, said = run(here, words)
            assert code == 0, said
            missing = [path for path in made.split() if not (here / path).exists()]
            assert not missing, f"{missing} not made\n{said}"
        for line in lines(NEED_AN_EXTRA):
            code, said = run(here, line)
            assert code == 1, said
            assert said.startswith("lookhear: "), said
            assert said.count("\n") == 1, said
            assert "pip install 'lookhear[" in said, said
        assert not (here / "run").exists()


def lines(text: str) -> list[str]:
    """Those of a text, each with those that continue it."""
    return text.strip().replace("\n  ", " ").splitlines()


def run(folder: Path, words: str) -> tuple[int, str]:
    """Run a verb; return its exit code and all it says."""
    begun = time.monotonic()
    done = subprocess.run(
        [LOOKHEAR, *words.split()],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(f"{time.monotonic() - begun:6.1f} s  lookhear {words}", flush=True)
    return done.returncode, done.stdout


if __name__ == "__main__":
    main()
