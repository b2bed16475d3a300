"""`holdfast destroy`: removes everything that a deploy made. What `bootstrap` made stays, on AWS.

The local environment consists of the local cloud and its work directory. The cloud is stopped, and the directory is removed. Tests also run the
destroy of AWS for it, one `terraform destroy` after the other (`--terraform`).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from holdfast_cli.core import tools
from holdfast_cli.core.console import Step, line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.parallel import side_by_side
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import aws, manifest, releases, stacks, terraform
from holdfast_cli.deploy.preparation import exclusive, prerequisites
from holdfast_cli.local import cloud

# What a deploy leaves in its work directory.
MADE = ("cloud", "lambda", "redis", "state", "terraform", "artifacts", "releases", "outputs.json", "release.json", "logs")


def destroy(settings: Settings, by_terraform: bool = False) -> None:
    if settings.env == "production" and not settings.rehearsal:
        raise Refused("ENV=production is never destroyed by make.")
    if settings.service:
        raise Refused("SERVICE is not for destroy: it removes the whole environment.")
    if settings.on_local_cloud and not settings.work.exists():
        line("Nothing to destroy.")
        return
    with exclusive(settings):
        here = not settings.on_local_cloud or cloud.running(settings)
        trouble, removed = None, list[str]()
        try:
            if here and (by_terraform or not settings.is_local):
                removed = _destroy_stacks(settings)
        except Failed as failed:
            if not settings.on_local_cloud:
                raise
            # All of it lives in the local cloud, which goes anyway.
            trouble = failed
        stopped = cloud.stop(settings) if settings.on_local_cloud else []
        forgotten = [name for name in MADE if _remove(settings.work / name)]
    _leave(settings.work)
    said: list[str] = []
    if removed:
        said.append(f"removed the stacks {', '.join(removed)}")
    if stopped:
        said.append(f"stopped {' and '.join(cloud.NAMES[record] for record in stopped)}")
    if not here and "state" in forgotten:
        said.append("the local cloud was not running, so its state is just forgotten")
    elif forgotten and not removed:
        said.append(f"removed what it had in {settings.work}")
    if trouble:
        raise Failed(f"{trouble}\nThe local cloud and its state are removed all the same.")
    line(f"Destroyed ENV={settings.env}: {'; '.join(said)}." if said else "Nothing to destroy.")


def _destroy_stacks(settings: Settings) -> list[str]:
    """Destroys the stacks in reverse order; the names of those there were."""
    if settings.is_local:
        tools.require_terraform()
    else:
        prerequisites(settings, builds=False)
        aws.require_buckets(settings)
    manifest.placeholder(settings)
    chosen = [s for s in terraform.stacks(settings) if not settings.is_local or s.state.exists()]
    terraform.prepare(settings, chosen)
    there = {stack.name for stack in chosen if stack.exists()}

    def one(stack: terraform.Stack) -> None:
        with Step(f"destroying stack {stack.name}"):
            stack.destroy()

    for stage in reversed(stacks.STAGES):
        side_by_side(one, [stack for stack in chosen if stack.name in stage and stack.name in there])
    if not settings.is_local:
        releases.History(settings).forget()
    return [stack.name for stack in chosen if stack.name in there]


def _remove(path: Path) -> bool:
    """Removes a file or a folder; whether there was one."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return True
    existed = path.exists()
    path.unlink(missing_ok=True)
    return existed


def _leave(work: Path) -> None:
    """Removes the work directory itself, unless it holds a file that no deploy made, such as another environment's."""
    if [path.name for path in work.iterdir()] == ["lock"]:
        shutil.rmtree(work, ignore_errors=True)
