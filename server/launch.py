"""Flower processes started, watched and ended by us: a SuperLink of our own, ``flwr run`` on it, SuperNodes.

``flwr run`` by itself starts a detached SuperLink that outlives the run, is shared between checkouts and remembers the
working directory of whoever started it.  Here each run has its own, on a free port, from an empty folder, with its own
``FLWR_HOME`` and without dependency installation, and it ends with the run, whatever happens.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

Value = str | int | float | bool
CONNECTION = "commonwatt"
_START_TIMEOUT_S, _END_TIMEOUT_S = 60.0, 60.0


class LaunchError(Exception):
    """A Flower process did not start or failed; the text says which, and where its log is."""


@dataclass(frozen=True)
class SuperLink:
    """A SuperLink that runs.

    Attributes:
        address: ``host:port``.
        flwr_home: its ``FLWR_HOME``, with the connection ``commonwatt`` configured.
        logs: folder of the logs.
        certificate: path of the certificate authority's file, None without TLS.
    """

    address: str
    flwr_home: Path
    logs: Path
    certificate: Path | None

    def environment(self) -> dict[str, str]:
        """Environment for every Flower process of this SuperLink."""
        return flower_environment(self.flwr_home)


def flower_environment(flwr_home: Path) -> dict[str, str]:
    """The caller's environment, with what keeps Flower local, quiet and reproducible."""
    return os.environ | {
        "FLWR_HOME": str(flwr_home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        # Waiting threads must not spin on cores that other processes need: an 8-fold difference on a small machine.
        "OMP_WAIT_POLICY": "PASSIVE",
        "OMP_NUM_THREADS": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }


def free_port() -> int:
    """A TCP port that is free on this machine now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(
    command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A child process whose output goes to ``log``; it and all its descendants are gone afterwards."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            list(command), env=dict(environment), cwd=cwd, stdout=output, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            yield child
        finally:
            end_tree(child.pid)
            child.wait()


def end_tree(pid: int) -> None:
    """End a process, all its descendants and all of its session: ask, wait 5 s, force.

    The session holds what a parent that died first has left behind.
    """
    family = {process for process in psutil.process_iter() if _session(process.pid) == pid}
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        family |= {parent, *parent.children(recursive=True)}
    for member in family:
        _quietly(member.terminate)
    _, alive = psutil.wait_procs(family, timeout=5)
    for member in alive:
        _quietly(member.kill)
    psutil.wait_procs(alive, timeout=5)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return -1


def _quietly(act: Callable[[], object]) -> None:
    with suppress(psutil.NoSuchProcess):
        act()


@contextmanager
def simulation_superlink(work: Path) -> Iterator[SuperLink]:
    """A SuperLink for simulations, with its files under ``work``."""
    with superlink(work, ["--insecure", "--simulation"], None) as link:
        yield link


@contextmanager
def superlink(work: Path, options: Sequence[str], certificate: Path | None) -> Iterator[SuperLink]:
    """A SuperLink on a free loopback port.

    Raises:
        LaunchError: it did not start.
    """
    home, empty, logs = work / "flwr", work / "empty", work / "logs"
    for folder in (home, empty, logs):
        folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    address = f"127.0.0.1:{port}"
    trust = "insecure = true" if certificate is None else f'root-certificates = "{certificate.resolve()}"'
    (home / "config.toml").write_text(
        f'[superlink]\ndefault = "{CONNECTION}"\n\n[superlink.{CONNECTION}]\naddress = "{address}"\n{trust}\n'
    )
    command = [
        "flower-superlink", *options, "--host", "127.0.0.1", "--port", str(port),
        "--isolation", "subprocess", "--disable-runtime-dependency-installation",
    ]  # fmt: skip
    log = logs / "superlink.log"
    with process(command, flower_environment(home), empty, log) as child:
        scheme = "http" if certificate is None else "https"
        _wait_healthy(child, f"{scheme}://{address}/health", certificate, log)
        yield SuperLink(address, home, logs, certificate)


def _wait_healthy(child: subprocess.Popen[bytes], url: str, certificate: Path | None, log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    verify: bool | ssl.SSLContext = True if certificate is None else ssl.create_default_context(cafile=str(certificate))
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise LaunchError(f"the SuperLink ended with code {child.returncode}: {last_line(log)} (log: {log})")
        try:
            if httpx.get(url, timeout=1.0, verify=verify).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise LaunchError(f"the SuperLink did not answer within {_START_TIMEOUT_S:.0f} s (log: {log})")


def flwr(link: SuperLink, *arguments: str) -> dict[str, object]:
    """Run a ``flwr`` command that prints JSON.

    Raises:
        LaunchError: it failed; the text is its own message.
    """
    done = subprocess.run(
        ["flwr", *arguments, "--format", "json"], env=link.environment(), capture_output=True, text=True, check=False,
        cwd=link.logs,
    )  # fmt: skip
    try:
        answer = json.loads(done.stdout[done.stdout.index("{") :])
    except ValueError:
        raise LaunchError(f"flwr {arguments[0]}: {(done.stderr or done.stdout).strip()[-500:]}") from None
    if not isinstance(answer, dict) or not answer.get("success", True):
        raise LaunchError(f"flwr {arguments[0]}: {answer.get('error-message', answer)}")
    return answer


def run_to_end(
    link: SuperLink,
    app: Path,
    config: Mapping[str, Value],
    federation: Mapping[str, Value],
    watch: Callable[[Callable[[], bool]], None],
) -> None:
    """Run the app in folder ``app`` on a SuperLink and wait for its end.

    Args:
        link: where to run.
        app: the project's folder.
        config: run config.
        federation: federation config; empty in a deployment.
        watch: called once, with a function that tells whether the run goes on; shows progress and returns at the end.

    Raises:
        LaunchError: the run did not complete. ``flwr run`` itself exits with 0 even then.
    """
    command = ["flwr", "run", str(app), CONNECTION, "--stream", "--run-config", _toml(config)]
    if federation:
        command += ["--federation-config", _toml(federation)]
    log = link.logs / "run.log"
    with process(command, link.environment(), link.logs, log) as child:
        watch(lambda: child.poll() is None)
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=_END_TIMEOUT_S)
    runs = flwr(link, "list").get("runs")
    status = runs[0]["status"] if isinstance(runs, list) and runs else "not accepted"
    if status != "finished:completed":
        raise LaunchError(f"the run ended as '{status}': {last_line(log)} (logs: {link.logs})")


def last_line(log: Path) -> str:
    """Last line of a log that says something."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no output"


def _toml(values: Mapping[str, Value]) -> str:
    """Key-value pairs as ``flwr run --run-config`` takes them."""
    return " ".join(f"{key}={json.dumps(value)}" for key, value in values.items())
