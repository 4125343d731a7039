"""What a check of a log found."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it should be.

    Attributes:
        what: A sentence that says what is wrong.
        where: The row: `entry 7`, `tile 0/1`, `checkpoint 8`, `database`, `log`.
    """

    what: str
    where: str


@dataclass(frozen=True, slots=True)
class FsckReport:
    """What a check found.

    Attributes:
        entries: Entries in the log.
        problems: What must not be; none in a sound log.
        warnings: What is odd, and breaks nothing.
    """

    entries: int
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def shortened(shown: Sequence[Problem], count: int) -> list[Problem]:
    """Returns the first of many problems that are reported one by one, the last with the number of those left out.

    Args:
        shown: The first.
        count: How many there are.
    """
    if count <= len(shown):
        return list(shown)
    *others, last = shown
    return [*others, Problem(f"{last.what} (and {count - len(shown)} more)", last.where)]


@dataclass(slots=True)
class Findings:
    """Problems and warnings as they are found.

    Of problems of one series, which tend to come in thousands, the first is reported with the number of the others.
    """

    warnings: list[Problem] = field(default_factory=list)
    _singles: list[Problem] = field(default_factory=list)
    _series: dict[str, list[Problem]] = field(default_factory=lambda: defaultdict(list))

    def problem(self, what: str, where: str) -> None:
        """Note a problem that is reported by itself."""
        self._singles.append(Problem(what, where))

    def problems_of(self, found: Iterable[Problem]) -> None:
        """Note problems that are reported one by one."""
        self._singles.extend(found)

    def one_of_many(self, series: str, what: str, where: str) -> None:
        """Note a problem of a series."""
        self._series[series].append(Problem(what, where))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that are reported."""
        firsts = [
            Problem(f"{first.what} (and {len(others)} more)" if others else first.what, first.where)
            for first, *others in self._series.values()
        ]
        return (*self._singles, *firsts)
