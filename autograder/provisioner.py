"""The sandbox as a Jupyter kernel provisioner: any client of jupyter_client gets a warm kernel that can touch nothing.

A kernelspec uses it by its metadata::

    {"argv": ["python"], "language": "python", "display_name": "Python in a sandbox",
     "metadata": {"kernel_provisioner": {"provisioner_name": "convnets-sandbox"}}}

The kernel talks ZeroMQ over ``ipc://`` in a folder of its own, for it has no network. Its working folder is a private copy.
"""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerBase
from traitlets import Dict

from .forkserver import Child, server_for
from .sandbox import Sandbox, SandboxError
from .submissions import other_files

PORTS = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")


class Sockets:
    """The folder of this process in which its sandboxed kernels have their sockets."""

    folder: Path | None = None

    @classmethod
    def get(cls) -> Path:
        """Return the folder, made on first use and removed at the end."""
        if cls.folder is None:
            cls.folder = Path(
                tempfile.mkdtemp(prefix="cn-")
            )  # short: a socket's path has room for 108 characters
            atexit.register(shutil.rmtree, cls.folder, ignore_errors=True)
        return cls.folder


class SandboxProvisioner(KernelProvisionerBase):
    """Starts kernels as children of the warm fork server in the sandbox."""

    settings = Dict()
    child: Child | None = None
    place: Path | None = None
    code: int | None = None

    @property
    def has_process(self) -> bool:
        """Whether a kernel was started and has not been cleaned up."""
        return self.child is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Choose the sockets and write the connection file."""
        manager: Any = self.parent
        self.place = Path(tempfile.mkdtemp(dir=Sockets.get()))
        self.place.chmod(0o777)  # the kernel is another user; the folder around it lets nobody else in
        manager.transport, manager.ip = "ipc", str(self.place / "k")
        for number, name in enumerate(PORTS):
            setattr(manager, name, number + 1)
        manager.write_connection_file()
        self.connection_info = manager.get_connection_info()
        return await super().pre_launch(cmd=[], **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork the kernel."""
        assert self.place is not None
        settings = dict(self.settings) or Sandbox(parent=self.parent).for_unit("", False)
        key: Any = self.connection_info["key"]
        info = {**self.connection_info, "ip": "/run/kernel/k", "key": key.decode()}
        folder = Path(kwargs.get("cwd") or ".")
        files = other_files(folder, settings) if kwargs.get("cwd") else {}
        server = server_for(settings, Sockets.get())
        kernel = {"folder": self.place.name, "connection": info}
        self.child = server.spawn(kernel, files)
        self.code = None
        return self.connection_info

    async def poll(self) -> int | None:
        """Return None while the kernel runs."""
        if self.child is not None and self.code is None and not self.child.signal(0):
            self.code = 1
        return self.code if self.child is not None else 0

    async def wait(self) -> int | None:
        """Wait until the kernel has ended."""
        while await self.poll() is None:
            await asyncio.sleep(0.01)
        return self.code

    async def send_signal(self, signum: int) -> None:
        """Send the kernel a signal."""
        if self.child is not None:
            self.child.signal(signum)

    async def kill(self, restart: bool = False) -> None:
        """End the kernel and all that it started."""
        if self.child is not None and self.code is None:
            self.child.end()
            self.code = -9

    async def terminate(self, restart: bool = False) -> None:
        """End the kernel and all that it started."""
        await self.kill(restart)

    async def cleanup(self, restart: bool = False) -> None:
        """Remove the sockets."""
        await self.kill(restart)
        self.child = None
        if self.place and not restart:
            shutil.rmtree(self.place, ignore_errors=True)


class SandboxKernelManager(AsyncKernelManager):
    """Starts every kernel, whatever its kernelspec says, in the sandbox."""

    settings = Dict()

    async def _async_pre_start_kernel(self, **kw: Any):
        if self.provisioner is None:
            spec = self.kernel_spec
            if spec is None or spec.language.lower() != "python":
                raise SandboxError(f"The sandbox runs Python, and the kernel {self.kernel_name!r} does not.")
            self.provisioner = SandboxProvisioner(
                kernel_id=self.kernel_id, kernel_spec=spec, parent=self, settings=self.settings
            )
        return await super()._async_pre_start_kernel(**kw)
