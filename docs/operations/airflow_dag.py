"""An Airflow DAG: curate every night, check the result, and skip what follows when nothing had changed.

Works with Airflow 3. RECIPE, INPUT and OUTPUT come from Airflow variables, so that nothing of a deployment stands here.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG(
    dag_id="corpusmill_traces",
    schedule="15 1 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    # A second run would be turned away by the lock, and be called a failure.
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
) as dag:
    place = {
        "RECIPE": "{{ var.value.get('corpusmill_recipe', 'default') }}",
        "INPUT": "{{ var.value.corpusmill_input }}",
        "OUTPUT": "{{ var.value.corpusmill_output }}",
    }
    curate = BashOperator(
        task_id="curate",
        bash_command='corpusmill run "$RECIPE" --input "$INPUT" --output "$OUTPUT" --exit-code-if-unchanged 99',
        env=place,
        append_env=True,
        # Nothing to do: this task and what follows it are skipped.
        skip_on_exit_code=99,
    )
    verify = BashOperator(task_id="verify", bash_command='corpusmill verify "$OUTPUT"', env=place, append_env=True)
    curate >> verify
