"""Kubernetes documents, and the rules of restricted pod security as its documentation has them."""

import pathlib

import yaml

#: Of operators, which the schemas of Kubernetes do not know.
CUSTOM = {"ServiceMonitor", "PrometheusRule", "Kustomization", "CronWorkflow", "WorkflowTemplate"}
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def documents(path):
    return [document for document in yaml.safe_load_all(pathlib.Path(path).read_text()) if document]


def pod_spec(document):
    """Of whatever makes pods; None of anything else."""
    spec = document.get("spec", {})
    if document["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    return spec["template"]["spec"] if document["kind"] in ("Deployment", "CronJob", "Job") else None


def faults(spec):
    """What the profile `restricted` forbids, and what else our pods promise: nothing of the image is written to."""
    found = []

    def expect(holds, text):
        if not holds:
            found.append(text)

    pod = spec.get("securityContext", {})
    containers = [*spec.get("initContainers", []), *spec["containers"], *spec.get("ephemeralContainers", [])]
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        expect(not spec.get(name), name)
    expect(not pod.get("sysctls"), "sysctls")
    for volume in spec.get("volumes", []):
        kinds = set(volume) - {"name"}
        expect(len(kinds) == 1 and kinds <= VOLUMES, f"volume {volume['name']}")
        expect("emptyDir" not in volume or "sizeLimit" in volume["emptyDir"], f"volume {volume['name']} without a limit")
    for container in containers:
        own = container.get("securityContext", {})

        def effective(key):
            return own.get(key, pod.get(key))

        expect(effective("runAsNonRoot") is True, "runAsNonRoot")
        expect((effective("runAsUser") or 0) > 0, "runAsUser")
        expect((effective("seccompProfile") or {}).get("type") in ("RuntimeDefault", "Localhost"), "seccompProfile")
        expect(own.get("allowPrivilegeEscalation") is False, "allowPrivilegeEscalation")
        expect(not own.get("privileged"), "privileged")
        expect(own.get("procMount", "Default") == "Default", "procMount")
        capabilities = own.get("capabilities", {})
        expect("ALL" in capabilities.get("drop", []), "capabilities.drop")
        expect(set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"}, "capabilities.add")
        expect(all("hostPort" not in port for port in container.get("ports", [])), "hostPort")
        expect(own.get("readOnlyRootFilesystem") is True, "readOnlyRootFilesystem")
        expect({"cpu", "memory"} <= set(container["resources"]["requests"]), "requests")
        expect("memory" in container["resources"]["limits"], "limits")
        expect(not container["image"].endswith(":latest") and ":" in container["image"], "image")
    expect(spec.get("automountServiceAccountToken") is False, "automountServiceAccountToken")
    return found
