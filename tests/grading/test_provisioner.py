"""The sandbox as a Jupyter kernel: any client gets a warm one, which can reach nothing."""

import asyncio
import json

import pytest
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager

from autograder.provisioner import SandboxKernelManager

pytestmark = pytest.mark.sandbox


async def run(code, **options):
    """Start a kernel, run code in it, end it; return the reply and what it printed."""
    manager = SandboxKernelManager(kernel_name="python3")
    await manager.start_kernel(**options)
    client = manager.client()
    client.start_channels()
    printed = []
    try:
        await client.wait_for_ready(timeout=60)
        reply = await client.execute_interactive(
            code, timeout=60, output_hook=lambda m: printed.append(m["content"].get("text", ""))
        )
        assert await manager.is_alive()
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
    assert not await manager.is_alive()
    return reply["content"], "".join(printed)


@pytest.mark.filterwarnings(
    "ignore"
)  # jupyter_client's own, about event loops and sockets that it leaves to Python
def test_a_kernel_in_the_sandbox_runs_code_and_sees_only_its_own_folder(tmp_path):
    (tmp_path / "numbers.txt").write_text("7")
    code = "import os, socket\nprint(open('numbers.txt').read(), os.listdir('/proc'), os.listdir('/run/kernels'), os.getpid())\n"
    code += "try: socket.create_connection(('127.0.0.1', 1), 1)\nexcept OSError as error: print(type(error).__name__)\n"
    code += f"print(os.path.exists({str(tmp_path)!r}))"
    reply, printed = asyncio.run(run(code, cwd=str(tmp_path)))
    assert reply["status"] == "ok"
    assert printed.split() == ["7", "[]", "[]", "1", "OSError", "False"]


def test_an_unknown_kernel_is_refused():
    with pytest.raises(NoSuchKernel):
        asyncio.run(SandboxKernelManager(kernel_name="perl6").start_kernel())


@pytest.mark.filterwarnings("ignore")  # as above
def test_a_kernelspec_that_names_the_provisioner_is_enough(tmp_path):
    spec = {
        "argv": ["python"],
        "language": "python",
        "display_name": "Python in a sandbox",
        "metadata": {"kernel_provisioner": {"provisioner_name": "convnets-sandbox"}},
    }
    (tmp_path / "sandboxed").mkdir()
    (tmp_path / "sandboxed" / "kernel.json").write_text(json.dumps(spec))

    async def first_answer():
        specs = KernelSpecManager(kernel_dirs=[str(tmp_path)])
        manager = AsyncKernelManager(kernel_name="sandboxed", kernel_spec_manager=specs)
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        try:
            client.execute("import os; assert os.getpid() == 1 and not os.listdir('/proc')")
            return await client.get_shell_msg(timeout=60)
        finally:
            client.stop_channels()
            await manager.shutdown_kernel(now=True)

    assert asyncio.run(first_answer())["content"]["status"] == "ok"
