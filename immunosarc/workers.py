"""Who does the work: this process, several on this machine, or a cluster; the numbers are the same.

A task carries its own seed and its own part of the data, never the worker; results come back in the order of
the tasks. So they are identical to the bit wherever they were computed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from immunosarc.errors import ImmunosarcError

__all__ = ["Workers", "workers"]

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_AHEAD = 4  # tasks in the queue for each thread: enough that none waits, few enough that memory holds
_PATIENCE = 60
"""Seconds until a scheduler without a single worker is an error."""
_ANY_SIZE = {"distributed.admin.large-graph-warning-threshold": "1 TiB"}
"""Rows of a matrix travel within their task; what was scattered beforehand would die with its worker."""
_CURE = "install it with: pip install 'immunosarc[dask]'"


@dataclass(frozen=True)
class Workers:
    """Those who do the work; see :func:`workers`.

    Attributes
    ----------
    client : distributed.Client or None
        None means this process alone.
    """

    client: Any = None

    def map(self, function: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> Iterator[_Result]:
        """Yield the result of each task, in the order of the tasks.

        Parameters
        ----------
        function : callable
            Of a module, so that another process finds it; it depends on nothing but the task.
        tasks : iterable
            Each is sent once; a worker that dies is replaced, and its tasks are done again.

        Yields
        ------
        object

        Raises
        ------
        ImmunosarcError
            When the cluster is gone.
        """
        if self.client is None:
            yield from map(function, tasks)
            return
        import dask

        waiting: deque[Any] = deque()
        room = 0
        for task in tasks:
            if len(waiting) >= room:
                room = _AHEAD * max(1, sum(self.client.nthreads().values()))  # workers come and go
            if len(waiting) >= room:
                yield self._result(waiting.popleft())
            with dask.config.set(_ANY_SIZE):
                waiting.append(self.client.submit(function, task, pure=False))
        while waiting:
            yield self._result(waiting.popleft())

    def _result(self, future: Any) -> Any:
        from distributed import CancelledError, KilledWorker

        try:
            return future.result()
        except (CancelledError, KilledWorker) as failure:
            raise ImmunosarcError(
                f"the cluster gave up a task ({type(failure).__name__}): workers died while they had it, most "
                "often for want of memory; give each worker more, or use fewer of them"
            ) from failure


@contextmanager
def workers(*, jobs: int = 1, scheduler: str | None = None, client: Any = None) -> Iterator[Workers]:
    """Give those who do the work, and send them home at the end.

    Parameters
    ----------
    jobs : int
        Processes on this machine; 1 is this one alone.
    scheduler : str, optional
        Address of a running dask scheduler, ``tcp://host:8786``.
    client : distributed.Client, optional
        A client of a cluster that is yours; it is left open.

    Yields
    ------
    Workers

    Raises
    ------
    ImmunosarcError
        When two of the three are given, ``jobs`` is below 1, dask is not installed, nobody answers at the
        address, or no worker is there within a minute.

    Examples
    --------
    >>> with workers() as hands:
    ...     list(hands.map(abs, [-2, 3]))
    [2, 3]
    """
    if sum((jobs != 1, scheduler is not None, client is not None)) > 1:
        raise ImmunosarcError("jobs, scheduler and client each say who does the work; give one of them.")
    if jobs < 1:
        raise ImmunosarcError(f"jobs is a number of processes, at least 1, not {jobs}.")
    if client is not None or (scheduler is None and jobs == 1):
        yield Workers(client)
        return
    with _cluster(jobs, scheduler) as own:
        yield Workers(own)


@contextmanager
def _cluster(jobs: int, scheduler: str | None) -> Iterator[Any]:
    try:
        from distributed import Client, LocalCluster
    except ImportError as failure:
        raise ImmunosarcError(f"more than one process needs dask.distributed; {_CURE}") from failure
    if scheduler is None:
        with (
            LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=":0") as cluster,  # type: ignore[no-untyped-call]
            Client(cluster) as client,  # type: ignore[no-untyped-call]
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout="10s")  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as failure:
        raise ImmunosarcError(
            f"no dask scheduler answers at {scheduler!r} ({type(failure).__name__}); start one with "
            "`dask scheduler` and give the address that it prints, as in tcp://host:8786"
        ) from failure
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError as failure:
            raise ImmunosarcError(
                f"the scheduler at {scheduler!r} has no workers; start them with `dask worker {scheduler}`"
            ) from failure
        yield client
