"""Gives the local cloud the condition key `iam:PermissionsBoundary`, which it does not know: without it, no caller whose policy has that condition
could make a role. `scripts/local/sitecustomize.py` installs it when the variable HOLDFAST_BOUNDARY_KEY is set.

Its value is the boundary that the request names, or else the boundary of the role that the request changes (IAM User Guide, "Delegating
responsibility to others using permissions boundaries").
"""

from __future__ import annotations

_NAMED = ("iam:CreateRole", "iam:PutRolePermissionsBoundary")
_OF_THE_ROLE = ("iam:AttachRolePolicy", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePolicy")


def install() -> None:
    from ministack.core import iam_actions
    from ministack.services import iam

    known = iam_actions.request_tag_context

    def boundary(action: str, parameters: dict) -> str | None:
        if action in _NAMED:
            return iam_actions._query_param(parameters, "PermissionsBoundary") or None
        if action in _OF_THE_ROLE:
            return (iam._roles.get(iam_actions._query_param(parameters, "RoleName")) or {}).get("PermissionsBoundary")
        return None

    def keys(service: str, action: str, body: bytes, parameters: dict) -> dict:
        value = boundary(action, parameters)
        return {**known(service, action, body, parameters), **({"iam:permissionsboundary": value} if value else {})}

    iam_actions.request_tag_context = keys
