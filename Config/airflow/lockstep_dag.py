"""Replicates a pair, checks it, and tells Airflow that the replica is good: DAGs that train from it schedule on the asset.

For Airflow 3. Workers need the `lockstep` binary and /etc/lockstep/lockstep.yaml; for pods instead see `lockstep_kubernetes_dag.py`.
"""

from __future__ import annotations

import os
import signal
import subprocess
from datetime import datetime, timedelta

from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk import DAG, Asset, BaseOperator

CONFIG = "/etc/lockstep/lockstep.yaml"


class LockstepOperator(BaseOperator):
    """Runs one command of lockstep; its exit code decides what becomes of the task.

    0 succeeds. 7 (another run of the pair is at work) is skipped, and what comes after with it. 8 (a limit was reached) and 75
    (try again later), and a process that was killed, are retried as the task says. All others fail at once, drift (4) and
    unproven (5) among them: trying again does not change them.
    """

    template_fields = ("arguments",)

    def __init__(self, *, arguments: list[str], **options) -> None:
        super().__init__(**options)
        self.arguments = arguments
        self.process: subprocess.Popen | None = None

    def execute(self, context) -> None:
        command = ["lockstep", *self.arguments]
        self.log.info("%s", " ".join(command))
        # A group of its own, so that a task that Airflow ends takes nothing else with it.
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        with self.process:
            for line in self.process.stdout:
                self.log.info("%s", line.rstrip())
        code = self.process.returncode
        if code == 0:
            return
        if code == 7:
            raise AirflowSkipException("another run of this pair is at work")
        if code in (8, 75) or code < 0 or code in (130, 143):
            raise AirflowException(f"exit code {code}: the next attempt goes on from here")
        raise AirflowFailException(f"exit code {code}: see the lines above, and man lockstep for its meaning")

    def on_kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            # The run stops at the next part and records where it is.
            os.killpg(self.process.pid, signal.SIGTERM)


with DAG(
    dag_id="lockstep_models",
    description="Keeps the replica of the models identical, and proves it",
    schedule="*/30 * * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    # One run of a pair at a time; its lease would make a second one wait anyway.
    max_active_runs=1,
    tags=["lockstep"],
) as dag:
    run = LockstepOperator(
        task_id="run",
        arguments=["run", "models", "--config", CONFIG],
        retries=6,
        retry_delay=timedelta(minutes=1),
        retry_exponential_backoff=True,
        max_retry_delay=timedelta(minutes=30),
    )
    check = LockstepOperator(
        task_id="check",
        arguments=["run", "models", "--check", "--config", CONFIG],
        retries=3,
        retry_delay=timedelta(minutes=5),
        outlets=[Asset("lockstep://models")],
    )
    run >> check
