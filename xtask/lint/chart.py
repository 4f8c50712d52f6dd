"""Lints and renders the Helm chart with several values, and holds what comes out against Kubernetes' own schemas."""

import pathlib
import sys

import helm_python
import kubernetes_validate
import yaml

chart = pathlib.Path(sys.argv[1])
VALUES = [
    {},
    {"autoscaling": {"enabled": False, "cpu": 70}, "migrations": {"enabled": False}, "networkPolicy": {"enabled": False}},
    {"ingress": {"enabled": True, "className": "nginx", "annotations": {"a": "b"}, "tlsSecret": ""}, "image": {"repository": "r", "tag": "1"}},
    {"imagePullSecrets": [{"name": "s"}], "serviceMonitor": {"enabled": True}},
]
# What must be refused before anything is installed.
REFUSED = [{"publicUrl": "ba.example.com"}, {"roles": {"web": {"replicas": 0, "maxReplicas": 1}}}, {"imgae": {}}]
# Who may reach what is not for people.
CALLERS = {"ba-ai": ["web", "api"], "ba-mcp": ["web", "api", "ai"]}
faults = []


def texts(values):
    """The files that come out, by name."""
    return helm_python.Chart.load(chart).render(values, name="ba", namespace="team", revision=2, is_upgrade=True)


def sums(values):
    """What makes the pods start anew when it changes."""
    roles = next(text for name, text in texts(values).items() if name.endswith("roles.yaml"))
    pods = [d["spec"]["template"] for d in yaml.safe_load_all(roles) if d and d["kind"] == "Deployment"]
    return {pod["metadata"]["annotations"]["checksum/config"] for pod in pods}


for told in [{"publicUrl": "https://other.example.com"}, {"settings": {"LOG_LEVEL": "debug"}}]:
    if sums(told) == sums({}):
        faults.append(f"{told}: pods are not started anew with it")
for values in VALUES:
    linted = helm_python.lint(chart, values, strict=True)
    # The chart has no picture, which is all that is left to say of it.
    faults += [m for m in linted["messages"] if m["severity"] > 1 or "icon" not in m["error"]] + linted["errors"]
    rendered = texts(values)
    kinds = set()
    for name, text in rendered.items():
        if name.endswith(".txt"):
            continue
        for document in yaml.safe_load_all(text):
            if not document:
                continue
            kinds.add(document["kind"])
            callers = CALLERS.get(document["metadata"]["name"])
            if document["kind"] == "NetworkPolicy" and callers:
                pods = [peer["podSelector"] for peer in document["spec"]["ingress"][0]["from"] if "podSelector" in peer]
                if [p.get("matchExpressions", [{}])[0].get("values") for p in pods] != [callers]:
                    faults.append(f"{document['metadata']['name']} may be reached by others than {callers}")
            if document["kind"] == "ServiceMonitor":
                continue  # Not of Kubernetes itself.
            try:
                kubernetes_validate.validate(document, "1.37", strict=True)
            except Exception as error:  # noqa: BLE001
                faults.append(f"{name} {document['kind']}: {error}")
    for kind in ["Deployment", "Service", "PodDisruptionBudget", "Ingress", "ConfigMap", "ServiceAccount"]:
        if kind not in kinds:
            faults.append(f"{values}: there is no {kind}")
    wanted = {"HorizontalPodAutoscaler": "autoscaling", "Job": "migrations", "NetworkPolicy": "networkPolicy"}
    for kind, setting in wanted.items():
        if (kind in kinds) != values.get(setting, {}).get("enabled", True):
            faults.append(f"{values}: {kind} is there, or is not, against the values")
for values in REFUSED:
    try:
        helm_python.Chart.load(chart).validate_schema(values)
        faults.append(f"{values} is not refused")
    except helm_python.HelmError:
        pass
for fault in faults:
    print(fault)
sys.exit(1 if faults else 0)
