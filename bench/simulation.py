"""Simulated time: processes that wait cost nothing, and one runs at a time, in the order of their times.

A process is a generator that yields the seconds it waits, or a thread that calls sleep. Threads let real code run,
which waits wherever it likes; they take turns, so nothing in it needs a lock.
"""

import heapq
import threading
from collections.abc import Callable, Generator
from itertools import count

Process = Generator[float]


class Simulation:
    """A clock and the processes that wait for it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._turn = threading.Semaphore(0)
        self._current: _Thread | None = None

    def spawn(self, process: Process, delay: float = 0.0) -> None:
        """Begin a process that is a generator."""

        def step() -> None:
            try:
                wait = next(process)
            except StopIteration:
                return
            self._at(self.now + wait, step)

        self._at(self.now + delay, step)

    def thread(self, run: Callable[[], None], delay: float = 0.0) -> None:
        """Begin a process that is a thread."""
        thread = _Thread(self, run)
        self._at(self.now + delay, thread.take_turn)

    def sleep(self, seconds: float) -> None:
        """Let a thread wait."""
        thread = self._current
        assert thread, "only a thread of the simulation may sleep"
        self._at(self.now + max(seconds, 0.0), thread.take_turn)
        thread.give_turn()

    def run(self, until: float = float("inf")) -> None:
        """Run until nothing waits any more, or the time is over."""
        while self._waiting and self._waiting[0][0] <= until:
            self.now, _, step = heapq.heappop(self._waiting)
            step()

    def _at(self, time: float, step: Callable[[], None]) -> None:
        heapq.heappush(self._waiting, (time, next(self._order), step))


class _Thread:
    def __init__(self, simulation: Simulation, run: Callable[[], None]) -> None:
        self._simulation = simulation
        self._run = run
        self._mine = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._error: BaseException | None = None

    def take_turn(self) -> None:
        """Run, called by the simulation, until the thread waits or ends."""
        self._simulation._current = self  # noqa: SLF001  the two are one thing
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._mine.release()
        self._simulation._turn.acquire()  # noqa: SLF001
        self._simulation._current = None  # noqa: SLF001
        if self._error:
            raise self._error

    def give_turn(self) -> None:
        """Let the others run, called by the thread."""
        self._simulation._turn.release()  # noqa: SLF001
        self._mine.acquire()

    def _main(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001  it is raised where the simulation runs
            self._error = error
        finally:
            self._simulation._turn.release()  # noqa: SLF001
