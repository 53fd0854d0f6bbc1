"""Many jobs at a time, on this machine or on a campus cluster, by Dask."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker
from typing import Any

from .errors import UsageError
from .worker import work

FEW = 2  # so many jobs are done sooner here than workers start
AHEAD = 3  # jobs that wait at each worker: none is idle, and memory stays small


def run(
    jobs: Iterator[tuple[Any, dict]],
    count: int,
    workers: int | None,
    scheduler: str | None,
) -> Iterator[tuple[Any, dict | Exception]]:
    """Yield the label and the outcome of each of ``count`` labelled jobs, as they end; an Exception if it had none."""
    if count <= FEW and workers is None and scheduler is None:
        for label, job in jobs:
            try:
                yield label, work(job)
            except Exception as error:  # one submission's bad luck must not end the class
                yield label, error
        return
    with cluster(workers or min(os.cpu_count() or 1, count), scheduler) as client:
        yield from spread(client, jobs)


def spread(client: Any, jobs: Iterator[tuple[Any, dict]]) -> Iterator[tuple[Any, dict | Exception]]:
    """Keep the cluster's workers busy without piling up jobs or results."""
    from distributed import as_completed

    labels: dict[str, Any] = {}
    queue = as_completed()  # without results: one that it fetches when a run is stopped is a traceback on the screen

    def add() -> None:
        for label, job in jobs:
            future = client.submit(work, job, pure=False, retries=2)
            labels[future.key] = label
            queue.add(future)
            return

    for _ in range(AHEAD * max(1, len(client.scheduler_info()["workers"]))):
        add()
    for future in queue:
        add()
        try:
            outcome = future.result()
        except Exception as error:
            outcome = error
        yield labels.pop(future.key), outcome
        future.release()


@contextlib.contextmanager
def cluster(workers: int, scheduler: str | None) -> Iterator[Any]:
    """Yield a client of the given scheduler, or of a cluster of our own on this machine."""
    from distributed import Client, LocalCluster

    hush()
    if scheduler:
        try:
            client = Client(scheduler, timeout="20s")
        except (OSError, ValueError, TimeoutError) as error:
            raise UsageError(f"There is no Dask scheduler at {scheduler}: {error}") from None
        with client:
            client.wait_for_workers(1, timeout=60)
            yield client
        return
    fork_from_warm_process()
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "memory_limit": 0}
    with contextlib.ExitStack() as stack:
        with deaf_to_interrupts():
            local = stack.enter_context(LocalCluster(n_workers=workers, **options))
        yield stack.enter_context(Client(local))


def hush() -> None:
    """Keep Dask's log off the screen: what went wrong with a job is its outcome, and a stopped run is one line."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)


@contextlib.contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Let what is started here never hear Ctrl-C, which a terminal sends to every process; this one hears it at the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def fork_from_warm_process() -> None:
    """Let Dask fork its workers from one process that has imported everything: torch alone takes two seconds each time."""
    import dask
    from distributed.utils import get_mp_context

    dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
    get_mp_context().set_forkserver_preload(["distributed", "autograder.preload"])
    resource_tracker.ensure_running()  # whoever starts it later lets interrupts through again
