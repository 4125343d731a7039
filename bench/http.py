"""The log over HTTP: what a POST of a signed statement costs, and how long proofs take while the log grows.

The floors of a submission, in the same run, with as many clients in as many processes: a bare server of the same kind
that reads the body and answers as much, and the same statements appended without HTTP. A service with clocks around
its parts then says what the time goes to.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from api.registration import party_statement
from api.schemas.signing import Recorded
from api.submission import Intake
from bench import growing
from bench.client import Answers, load, post
from bench.crowd import by_threads, together
from bench.logs import append_verified
from bench.parts import COMMIT, PROJECTIONS
from bench.places import Place, engines, new_place, opened
from bench.servers import PROCESS, serving, spent
from bench.table import markdown

CONNECTIONS: Final = 64
REQUESTS: Final = 64 * 30
WARMING: Final = 128
ROUNDS: Final = 3
LOG_SIZE: Final = 1_000_000
_ENVELOPE: Final = "application/vnd.dsse.envelope.v1+json"
_CREATED: Final = 201
_ALONE: Final = "HTTP alone: what the bare server takes"
_REST: Final = "HTTP besides: FastAPI and its threads"

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Profile:
    """What a POST costs the services.

    Attributes:
        processor: Seconds of the processor, by part.
        busy: Share of the time for which a worker has the processor.
        in_transaction: Share of the time for which one of its appends is in, or waits for, the log's transaction.
        of_which_projections: Share of that time.
        answered: Seconds until the answer, the median.
    """

    processor: Figures
    busy: float
    in_transaction: float
    of_which_projections: float
    answered: float

    @property
    def largest(self) -> str:
        """The part that costs most."""
        return max(self.processor, key=lambda part: self.processor[part])

    def shown(self, part: str) -> str:
        """Return a part for people."""
        return f"{self.processor[part] * 1000:.2f} ms, {self.processor[part] / sum(self.processor.values()):.0%}"


def main() -> None:
    """Measure and print; another size of the log can be named on the command line."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else LOG_SIZE
    print("## Over HTTP\n")
    with tempfile.TemporaryDirectory() as folder, engines() as found:
        places = []
        for number, engine in enumerate(found):
            places.append(new_place(Path(folder) / f"posts-{number}", engine))
        _submissions(places)
        print("### Proofs while the log grows\n")
        print(
            f"`GET /v1/log/entries/…/proof` of entries at random in a log of {size:,}, for {growing.SECONDS} seconds "
            f"each, while another process verifies and appends {growing.APPENDS_PER_SECOND:,} signed entries a second, "
            f"{growing.ENTRIES_OF_A_TURN} at a time. The floor is a bare server that answers as many bytes, beside the "
            "same appends.\n"
        )
        rows: list[tuple[str, ...]] = []
        for number, engine in enumerate(found):
            rows += growing.measure(new_place(Path(folder) / f"proofs-{number}", engine), size)
    print(markdown(growing.COLUMNS, rows))
    print("Goal: p95 at most 20 ms while 1,000 appends a second go on.\n")


def _statements(place: Place, count: int) -> list[bytes]:
    """Statements that a service takes, no two alike, signed by a key that is registered."""
    return [place.home.sign(*party_statement("person", "")).envelope for _ in range(count)]


def _posts(place: Place, statements: Sequence[bytes], path: str = "/v1/statements") -> list[bytes]:
    return [post(path, place.token, each, _ENVELOPE) for each in statements]


def _submissions(places: Sequence[Place]) -> None:
    example = _statements(places[0], 1)[0]
    print(
        f"`python -m bench.http`: `POST /v1/statements` of signed statements of {len(example):,} bytes over "
        f"{CONNECTIONS} connections; medians of {ROUNDS} rounds of {REQUESTS:,}, all four in turn. A client process "
        "for each worker, on the same cores.\n"
    )
    rates, profiles = [], []
    for place in places:
        rates.append(_rates(place))
        profiles.append(_profile(place))
    names = [place.name for place in places]
    rows = [
        (way, *(f"{statistics.median(each[way] for each in rounds):,.0f}" for rounds in rates)) for way in rates[0][0]
    ]
    print(markdown(("per second", *names), rows))
    parts = sorted(profiles[0].processor, key=lambda part: -sum(each.processor[part] for each in profiles))
    columns = ("processor time of a POST, each part without its parts", *names)
    print(markdown(columns, [(part, *(each.shown(part) for each in profiles)) for part in parts]))
    for name, each in zip(names, profiles, strict=True):
        print(
            f"- {name}: the largest cost is **{each.largest}**. A worker has the processor for {each.busy:.0%} of the "
            f"time. The log's transactions, one after the other, last for {each.in_transaction:.0%} of it, "
            f"{each.of_which_projections:.0%} of which are the projections. A POST is answered after "
            f"{each.answered * 1000:.0f} ms (median)."
        )
    print()


def _rates(place: Place) -> list[Figures]:
    """What each way takes in a second, round by round."""
    rounds = []
    with serving("serve", place.environments) as ports, serving("bare", place.environments) as bare:
        load(ports, _posts(place, _statements(place, WARMING)), CONNECTIONS, _CREATED)
        for _ in range(ROUNDS):
            made = [_statements(place, REQUESTS) for _ in range(4)]
            rounds.append(
                {
                    "floor: a bare server": load(
                        bare, _posts(place, made[0], _bare_answer()), CONNECTIONS, _CREATED
                    ).rate,
                    "floor: in process, verified and appended": _directly(place, made[1], "log"),
                    "in process, admitted and appended": _directly(place, made[2], "intake"),
                    "**`POST /v1/statements`**": load(ports, _posts(place, made[3]), CONNECTIONS, _CREATED).rate,
                }
            )
    return rounds


def _directly(place: Place, entries: Sequence[bytes], door: str) -> float:
    """Entries per second that as many clients append without HTTP."""
    count = len(place.environments)
    shares = [
        (each, entries[number::count], door, CONNECTIONS // count) for number, each in enumerate(place.environments)
    ]
    seconds, _ = together(_append_directly, shares)
    return len(entries) / seconds


def _append_directly(
    wait: Callable[[], object], environment: Mapping[str, str], entries: Sequence[bytes], door: str, clients: int
) -> None:
    home = opened(environment)
    intake = Intake(home)
    append: Callable[[bytes], object]
    if door == "log":
        append = partial(append_verified, home.log, verifier=home.service.verifier)
    else:
        append = lambda entry: intake.submit([entry])  # noqa: E731
    wait()
    by_threads(append, entries, clients)
    home.close()


def _profile(place: Place) -> Profile:
    with serving("bare", place.environments) as ports:
        alone, _ = _spent(ports, _posts(place, _statements(place, REQUESTS), _bare_answer()))
    with serving("clocked", place.environments) as ports:
        load(ports, _posts(place, _statements(place, WARMING)), CONNECTIONS, _CREATED)
        told, answers = _spent(ports, _posts(place, _statements(place, REQUESTS)))
    processor = {part: spent["processor"] for part, spent in told.items()}
    whole = processor.pop(PROCESS)
    http = {_ALONE: alone[PROCESS]["processor"]}
    http[_REST] = whole - http[_ALONE] - sum(processor.values())
    transaction = sum(told[part]["wall"] for part in (COMMIT, PROJECTIONS))
    of_a_worker = answers.rate / len(ports)
    return Profile(
        processor | http,
        whole * of_a_worker,
        transaction * of_a_worker,
        told[PROJECTIONS]["wall"] / transaction,
        answers.percentile(0.5),
    )


def _spent(ports: Sequence[int], requests: Sequence[bytes]) -> tuple[dict[str, Figures], Answers]:
    """What services spend on a request, by part, and their answers."""
    for port in ports:
        spent(port)
    answers = load(ports, requests, CONNECTIONS, _CREATED)
    told = [spent(port) for port in ports]
    return {
        part: {kind: sum(each[part][kind] for each in told) / len(requests) for kind in told[0][part]}
        for part in told[0]
    }, answers


def _bare_answer() -> str:
    answer = Recorded(kind="party", leaf_hash=f"sha256:{'0' * 64}", log_index=10_000)
    return f"/{len(answer.model_dump_json())}"


if __name__ == "__main__":
    main()
