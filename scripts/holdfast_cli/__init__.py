"""The operator tool of Holdfast: `scripts/holdfast <verb>`; `make <target>` calls the verb of the same name.

Each group may use itself and the groups before it in `LAYERS`; a test says so (scripts/tests/test_layers.py).

* `core`: settings, console, commands, the tools of `.tools/`: knows nothing of a deployment.
* `local`: what runs on this machine: the local cloud, Terraform's provider, `doctor`.
* `deploy`: from crates to a deployment: build, releases, Terraform, canary, rollback, destroy.
* `operate`: what operators ask of a deployment: status, logs, smoke test, dead letters, epochs.
* `capacity`: what a load costs and needs of an AWS account, by arithmetic.
* `generate`: files that are written from code or state: diagram, permissions, pipelines, bills of materials, scale.
* `verify`: tests, proofs, benchmarks, scans, rehearsal.
* `verbs`: how verbs are declared, and the verbs that act on users, sessions, messages and events.
"""

LAYERS = ("core", "local", "deploy", "operate", "capacity", "generate", "verify", "verbs", "cli")
