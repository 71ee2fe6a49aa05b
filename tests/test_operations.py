"""The files under docs/operations: taken by the programs they are for, and every command in them is one that we have."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from pipelines.cli import parser
from tests.pipelines.conftest import contents, manifest, write_shard
from tests.support import ROOT

PLACE = ROOT / "docs" / "operations"


def commands() -> list[tuple[str, str]]:
    """(file, arguments) of every corpusmill command that stands in a file of that folder, or in a page of docs/."""
    found = []
    for path in sorted(PLACE.iterdir()):
        text = path.read_text("utf-8").replace("\\\n", " ")
        if path.name == "kubernetes.yaml":
            for document in yaml.safe_load_all(text):
                spec = document["spec"].get("jobTemplate", document)["spec"]["template"]["spec"]
                arguments = spec["containers"][0]["args"]
                line = f"corpusmill {shlex.join(arguments)}" if arguments[0] == "run" else arguments[0]
                found.append((path.name, line.partition("corpusmill ")[2]))
            continue
        for line in text.splitlines():
            if match := re.search(
                r"(?<![\w/.-])(?:/opt/corpusmill/bin/)?corpusmill (run|verify|retry|rollback) ([^#`']*)", line
            ):
                found.append((path.name, f"{match[1]} {match[2]}".partition(" > ")[0].rstrip("& ")))
    return [(name, line) for name, line in found if not line.endswith("OUT")]


@pytest.mark.parametrize(("name", "line"), commands())
def test_every_command_is_one_that_we_have(name, line):
    args = parser.build().parse_args(shlex.split(line.replace("${SLURM_CPUS_PER_TASK:-1}", "1")))
    assert args.run


def test_there_are_commands_to_check():
    assert {name for name, _ in commands()} >= {
        "airflow_dag.py", "corpusmill.service", "crontab", "github-actions.yml", "kubernetes.yaml", "publishing.md", "scrontab",
        "slurm-array.sbatch",
    }  # fmt: skip


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not on this machine")
def test_systemd_takes_the_units(tmp_path):
    for name in ("corpusmill.service", "corpusmill.timer"):
        text = (PLACE / name).read_text("utf-8").replace("/opt/corpusmill/bin/corpusmill", sys.executable)
        (tmp_path / name).write_text(text, "utf-8")
    units = [tmp_path / "corpusmill.service", tmp_path / "corpusmill.timer"]
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stderr) == (0, "")
    [when] = re.findall(r"OnCalendar=(.*)", (PLACE / "corpusmill.timer").read_text("utf-8"))
    subprocess.run(["systemd-analyze", "calendar", when], capture_output=True, check=True)


@pytest.fixture
def array(tmp_path):
    """What Slurm would set for the second task of an array, and a list of two datasets."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_shard(tmp_path / name / "a.parquet", rows=40)
    (tmp_path / "datasets.txt").write_text(f"one\t{tmp_path / 'one'}\ntwo\t{tmp_path / 'two'}\n", "utf-8")
    (tmp_path / "light.yaml").write_text("name: light\nfilters: [language: {allow: [en, de]}]\n", "utf-8")
    command = tmp_path / "bin" / "corpusmill"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m pipelines "$@"\n', "utf-8")
    command.chmod(0o755)
    return {
        **os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}", "SLURM_ARRAY_TASK_ID": "1", "SLURM_CPUS_PER_TASK": "1",
        "CORPUSMILL_OUT": str(tmp_path / "out"), "CORPUSMILL_RECIPE": str(tmp_path / "light.yaml"),
    }  # fmt: skip


def start(array: dict[str, str], where: Path) -> subprocess.Popen:
    return subprocess.Popen(
        ["bash", PLACE / "slurm-array.sbatch"],
        cwd=where,
        env=array,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_an_array_task_curates_its_line_of_the_list(array, tmp_path):
    (tmp_path / "out").mkdir()
    process = start(array, tmp_path)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["two"]
    assert manifest(tmp_path / "out" / "two")["records"]["read"] == 40


@pytest.mark.slow
def test_an_array_task_that_is_preempted_stops_and_goes_on(array, tmp_path):
    for s in range(6):
        write_shard(tmp_path / "two" / f"s{s}.parquet", s, rows=4000)
    (tmp_path / "out").mkdir()
    process = start(array, tmp_path)
    state = tmp_path / "out" / "two" / ".corpusmill" / "units"
    for _ in range(1200):
        time.sleep(0.05)
        if list(state.glob("*/*/receipt.json")):
            break
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert "stopped: SIGTERM" in err
    process = start(array, tmp_path)
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert len([p for p in contents(tmp_path / "out" / "two") if p.startswith("data/")]) == 7


@pytest.mark.slow
def test_kubernetes_schemas_take_the_jobs():
    validate = pytest.importorskip("kubernetes_validate", reason="make test-all installs it")
    for document in yaml.safe_load_all((PLACE / "kubernetes.yaml").read_text("utf-8")):
        validate.validate(document, "1.30", strict=True)


@pytest.mark.slow
def test_airflow_runs_the_dag_and_skips_what_follows_when_nothing_changed(array, tmp_path):
    airflow = os.environ.get("CORPUSMILL_AIRFLOW")
    if not airflow:
        pytest.skip("make test-airflow installs it in an environment of its own")
    dags = tmp_path / "dags"
    dags.mkdir()
    shutil.copyfile(PLACE / "airflow_dag.py", dags / "airflow_dag.py")
    settings = {
        **array, "AIRFLOW_HOME": str(tmp_path / "home"), "AIRFLOW__CORE__DAGS_FOLDER": str(dags), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_VAR_CORPUSMILL_RECIPE": array["CORPUSMILL_RECIPE"], "AIRFLOW_VAR_CORPUSMILL_INPUT": str(tmp_path / "two"),
        "AIRFLOW_VAR_CORPUSMILL_OUTPUT": str(tmp_path / "curated"),
    }  # fmt: skip
    subprocess.run([airflow, "db", "migrate"], env=settings, check=True, capture_output=True)
    told = []
    for _ in range(2):
        done = subprocess.run(
            [airflow, "dags", "test", "corpusmill_traces"], env=settings, capture_output=True, text=True, check=False
        )
        told.append(done.stdout + done.stderr)
    assert manifest(tmp_path / "curated")["records"]["read"] == 40
    assert "every file is as the manifest says" in told[0], told[0][-3000:]
    assert "every file is as the manifest says" not in told[1]
    assert "skipp" in told[1].lower(), told[1][-3000:]
