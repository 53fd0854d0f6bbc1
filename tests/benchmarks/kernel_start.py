"""Times a kernel's first answer: a stock ipykernel against one from the warm fork server in the sandbox, in one run.

    python -m tests.benchmarks.kernel_start [--times 10] [--torch]

Measured is the time from asking for a kernel until the answer to its first cell, which imports numpy (or torch) and prints.
"""

import argparse
import asyncio
import json
import os
import statistics
import time

from jupyter_client.manager import AsyncKernelManager

from autograder.provisioner import SandboxKernelManager
from autograder.sandbox import Sandbox


async def first_answer(manager, code):
    """Return the seconds from asking for a kernel until it has answered."""
    started = time.perf_counter()
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.execute(code)  # not wait_for_ready(), which idles for 0.2 s of its own
        reply = await client.get_shell_msg(timeout=120)
        assert reply["content"]["status"] == "ok"
        return time.perf_counter() - started
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)


async def measure(times, torch):
    """Return the seconds of each start, by turns."""
    code = f"import {'torch' if torch else 'numpy'}; print(1)"
    settings = Sandbox().for_unit("", torch)
    seconds = {"stock": [], "sandbox": []}
    await first_answer(
        SandboxKernelManager(kernel_name="python3", settings=settings), code
    )  # starts the fork server
    for _ in range(times):
        seconds["stock"].append(await first_answer(AsyncKernelManager(kernel_name="python3"), code))
        sandboxed = SandboxKernelManager(kernel_name="python3", settings=settings)
        seconds["sandbox"].append(await first_answer(sandboxed, code))
    return seconds


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--torch", action="store_true")
    given = parser.parse_args()
    seconds = asyncio.run(measure(given.times, given.torch))
    medians = {name: round(statistics.median(values), 3) for name, values in seconds.items()}
    ratio = round(medians["stock"] / medians["sandbox"], 1)
    print(
        json.dumps(
            {"median seconds": medians, "times faster": ratio, "n": given.times, "load": os.getloadavg()[0]}
        )
    )


if __name__ == "__main__":
    main()
