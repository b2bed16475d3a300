"""The operator tool of Holdfast: `scripts/holdfast <verb>`; `make <target>` calls the verb of the same name.

Each group may use itself and the groups before it in `LAYERS`. scripts/tests/test_layers.py checks this.

* `core`: settings, console, commands and the tools of `.tools/`. It does not depend on a deployment.
* `local`: the local cloud, Terraform's provider and `doctor`, which run on this machine.
* `deploy`: the steps from crates to a deployment, such as build, releases, Terraform, canary, rollback and destroy.
* `operate`: commands on a deployment, such as status, logs, smoke test, dead letters and epochs.
* `capacity`: the costs and the quotas of a load, by arithmetic.
* `generate`: files from code or state, such as diagram, permissions, pipelines, bills of materials and scale.
* `verify`: tests, proofs, benchmarks, scans, rehearsal.
* `verbs`: how verbs are declared, and the verbs that act on users, sessions, messages and events.
"""

LAYERS = ("core", "local", "deploy", "operate", "capacity", "generate", "verify", "verbs", "cli")
