"""The same as `lockstep_dag.py` in pods, with the configuration, service account and volume of Config/kubernetes.

For Airflow 3 with apache-airflow-providers-cncf-kubernetes. Airflow sees of a pod only whether it failed, so exit codes are told
apart by retries: a run is tried again whatever it was (continuing costs nothing), a check is not, as drift does not go away.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG, Asset
from kubernetes.client import models as k8s


#: Who takes tokens of the service account, for clouds that the cluster does not run in.
AUDIENCES = {
    "aws": "sts.amazonaws.com",
    "azure": "api://AzureADTokenExchange",
    "google": "//iam.googleapis.com/projects/111122223333/locations/global/workloadIdentityPools/lockstep/providers/cluster",
}


def token(path: str, audience: str) -> k8s.V1VolumeProjection:
    source = k8s.V1ServiceAccountTokenProjection(path=path, audience=audience, expiration_seconds=3600)
    return k8s.V1VolumeProjection(service_account_token=source)


def lockstep(task_id: str, arguments: list[str], **options) -> KubernetesPodOperator:
    """A restricted pod that runs one command."""
    mounts = {
        "config": "/etc/lockstep",
        "secrets": "/run/secrets/lockstep",
        "tokens": "/run/secrets/tokens",
        "state": "/var/lib/lockstep",
        "tmp": "/tmp",
    }
    return KubernetesPodOperator(
        task_id=task_id,
        name=f"lockstep-{task_id}",
        namespace="lockstep",
        image="registry.example.org/lockstep:0.1.0",
        cmds=["/usr/bin/lockstep"],
        arguments=[*arguments, "--config", "/etc/lockstep/lockstep.yaml"],
        env_vars={"HOME": "/tmp"},
        labels={"app.kubernetes.io/name": "lockstep", "azure.workload.identity/use": "true"},
        service_account_name="lockstep",
        automount_service_account_token=False,
        security_context=k8s.V1PodSecurityContext(
            run_as_non_root=True,
            run_as_user=65532,
            run_as_group=65532,
            fs_group=65532,
            seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
        ),
        container_security_context=k8s.V1SecurityContext(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=k8s.V1Capabilities(drop=["ALL"]),
        ),
        container_resources=k8s.V1ResourceRequirements(
            requests={"cpu": "500m", "memory": "512Mi"}, limits={"memory": "1Gi"}
        ),
        volumes=[
            k8s.V1Volume(name="config", config_map=k8s.V1ConfigMapVolumeSource(name="lockstep")),
            k8s.V1Volume(
                name="secrets",
                secret=k8s.V1SecretVolumeSource(secret_name="lockstep-secrets", optional=True, default_mode=0o440),
            ),
            k8s.V1Volume(
                name="tokens",
                projected=k8s.V1ProjectedVolumeSource(sources=[token(*of) for of in AUDIENCES.items()]),
            ),
            k8s.V1Volume(
                name="state",
                persistent_volume_claim=k8s.V1PersistentVolumeClaimVolumeSource(claim_name="lockstep-state"),
            ),
            k8s.V1Volume(name="tmp", empty_dir=k8s.V1EmptyDirVolumeSource(size_limit="256Mi")),
        ],
        volume_mounts=[k8s.V1VolumeMount(name=name, mount_path=path) for name, path in mounts.items()],
        # Another run of the pair is at work.
        skip_on_exit_code=[7],
        termination_grace_period=60,
        **options,
    )


with DAG(
    dag_id="lockstep_models_kubernetes",
    description="Keeps the replica of the models identical, and proves it",
    schedule="*/30 * * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["lockstep"],
) as dag:
    run = lockstep("run", ["run", "models"], retries=6, retry_delay=timedelta(minutes=2), retry_exponential_backoff=True)
    check = lockstep("check", ["run", "models", "--check"], retries=0, outlets=[Asset("lockstep://models")])
    run >> check
