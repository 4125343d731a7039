"""Generation on one thread: seconds of music per CPU second, and peak memory of five minutes.

The floor is the network alone: the same number of forward steps, with nothing chosen and nothing rendered.
"""

from __future__ import annotations

import json
import subprocess
import sys

from bench.table import markdown

RUNS = 3
LENGTHS = (30, 180, 300)
CHILD = """
import json, resource, time
from generator.model import load_model
from generator.render import render
from generator.request import GenerationRequest, plan
request = GenerationRequest("an allegro in D major", seed={seed}, seconds={seconds})
planned = plan(request)
model = load_model(None, "cpu")
began = time.process_time()
score = model.compose(request, planned.controls, None)
composed = time.process_time()
stems, mix = render(score, 16)
rendered = time.process_time()
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([mix.frames / mix.sample_rate, composed - began, rendered - composed, memory * 1024]))
"""


def main() -> None:
    """Measure and print."""
    print("## Generation\n")
    print(f"`python -m bench.generation`: each a process of its own, one thread, medians of {RUNS} seeds.\n")
    rows = []
    for seconds in LENGTHS:
        runs = sorted(_run(seconds, seed) for seed in range(RUNS))
        length, composing, rendering, memory = runs[len(runs) // 2]
        rows.append(
            (
                f"{length:.0f} s",
                f"{length / composing:.0f}",
                f"{length / rendering:.0f}",
                f"**{length / (composing + rendering):.0f}**",
                f"{memory / 2**20:.0f} MiB",
            )
        )
    columns = ("music", "s per CPU s, notes", "render", "**both**", "peak memory of the process")
    print(markdown(columns, rows))
    print(_floor())
    print("Goals: at least 10 s per CPU second; at most 1.2 GB for five minutes.\n")


def _run(seconds: int, seed: int) -> tuple[float, float, float, float]:
    code = CHILD.format(seconds=seconds, seed=seed)
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    length, composing, rendering, memory = json.loads(done.stdout)
    return length, composing, rendering, memory


def _floor() -> str:
    """One forward step of the network, repeated, in a process of one thread."""
    code = """
import json, time, torch
from generator.card import read_card
from generator.model import load_model
from generator.quartet.network import Cache
torch.set_num_threads(1)
network = load_model(None, "cpu")._network
steps = network.shape.context - 1
with torch.inference_mode():
    for _ in range(2):
        cache = Cache(network.shape, 1, torch.device("cpu"))
        step = torch.zeros(1, 1, network.shape.width)
        began = time.process_time()
        for _ in range(steps):
            network.advance(step, cache)
        spent = time.process_time() - began
print(json.dumps([steps, spent]))
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    steps, spent = json.loads(done.stdout)
    sixteenth = 60 / 100 / 4
    return (
        f"Floor for the notes: {steps} bare forward steps take {spent:.2f} CPU s, at 100 quarter notes a minute "
        f"{steps * sixteenth / spent:.0f} s of music per CPU second.\n"
    )


if __name__ == "__main__":
    main()
