"""A Slurm of three nodes on this machine: a controller and a slurmd a node, from Debian's packages, without munge or a database."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from tests.cluster.conftest import free_ports, kill, processes, until

NODES = ("n1", "n2", "n3")
CONF = """
ClusterName=corpusmill
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
AuthInfo=cred_expire=5
CredType=cred/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0,batch_sched_delay=0
ReturnToService=2
SlurmdTimeout=5
KillWait=2
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool/%n
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/%n.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/%n.log
{nodes}
PartitionName=cpu Nodes=ALL Default=YES State=UP
PartitionName=short Nodes=ALL MaxTime=1 State=UP
"""


class Slurm:
    """conf: for SLURM_CONF. Nodes can be killed, and come back."""

    def __init__(self, home: Path) -> None:
        self.home, self.conf = home, home / "slurm.conf"
        host, ports = socket.gethostname(), free_ports(1 + len(NODES))
        nodes = [
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=3000"
            for name, port in zip(NODES, ports[1:], strict=True)
        ]
        self.conf.write_text(CONF.format(host=host, ports=ports, home=home, nodes="\n".join(nodes)), "utf-8")
        (home / "state").mkdir()
        self.environment = {**os.environ, "SLURM_CONF": str(self.conf)}
        self.daemons: dict[str, subprocess.Popen] = {"slurmctld": self._daemon("slurmctld", "-D", "-i")}
        for name in NODES:
            self.up(name)
        until(lambda: self("sinfo", "-h", "-t", "idle", "-p", "cpu", "-o", "%D").strip() == str(len(NODES)))

    def __call__(self, *command: str) -> str:
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False).stdout

    def _daemon(self, *command: str) -> subprocess.Popen:
        log = (self.home / f"{command[0]}.out").open("ab")
        return subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, start_new_session=True)

    def up(self, node: str) -> None:
        (self.home / "spool" / node).mkdir(parents=True, exist_ok=True)
        self.daemons[node] = self._daemon("slurmd", "-D", "-N", node)

    def kill(self, node: str) -> None:
        """What a power failure does: its daemon and everything that runs on it are gone at once."""
        tasks = [pid for pid in processes() if variable(pid, "SLURMD_NODENAME") == node]
        # First what would tell the controller how the others ended.
        for pid in (self.daemons[node].pid, *{_parent(pid) for pid in tasks} - set(tasks), *tasks):
            kill(pid)
        self.daemons.pop(node).wait()

    def down(self) -> None:
        self("scancel", "--me")
        time.sleep(0.5)
        for daemon in self.daemons.values():
            daemon.terminate()
        for daemon in self.daemons.values():
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()


def missing() -> str:
    """Why there can be no cluster here; empty when there can."""
    if absent := [c for c in ("slurmctld", "slurmd", "sbatch", "squeue") if shutil.which(c) is None]:
        return f"{', '.join(absent)} not on this machine (make test-slurm installs it)"
    return "" if os.geteuid() == 0 else "slurmd needs root"


def _parent(pid: int) -> int:
    """Of a task's process: slurmstepd, or another process of the task."""
    return int(Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[1])


def variable(pid: int, name: str) -> str:
    """Of a process's environment: SLURMD_NODENAME says on which node it is a job's task."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    return next((v.partition(b"=")[2].decode() for v in variables if v.startswith(name.encode() + b"=")), "")
