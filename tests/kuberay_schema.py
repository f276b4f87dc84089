"""The fields of a RayService that the overlay uses, as KubeRay has them (ray-operator/apis/ray/v1), and no others."""

from typing import Any


def _object(required: list[str], **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": required, "additionalProperties": False}


COUNT = {"type": "integer", "minimum": 0}
PARAMS = {"type": "object", "additionalProperties": {"type": "string"}}
TEMPLATE = {"type": "object", "required": ["spec"]}
"""The template of a pod. The schema of Kubernetes checks it."""
HEAD = _object(["rayStartParams", "template"], rayStartParams=PARAMS, template=TEMPLATE)
WORKERS = _object(
    ["groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"],
    groupName={"type": "string"},
    replicas=COUNT,
    minReplicas=COUNT,
    maxReplicas=COUNT,
    rayStartParams=PARAMS,
    template=TEMPLATE,
)
AUTOSCALER = _object(
    [],
    resources={"type": "object"},
    idleTimeoutSeconds=COUNT,
    upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]},
)
CLUSTER = _object(
    ["headGroupSpec"],
    enableInTreeAutoscaling={"type": "boolean"},
    autoscalerOptions=AUTOSCALER,
    headGroupSpec=HEAD,
    workerGroupSpecs={"type": "array", "items": WORKERS},
)
SPEC = _object(["rayClusterConfig"], serveConfigV2={"type": "string"}, rayClusterConfig=CLUSTER)
RAY_SERVICE = _object(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayService"},
    metadata={"type": "object", "required": ["name"]},
    spec=SPEC,
)
