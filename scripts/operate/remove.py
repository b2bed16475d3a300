"""`make destroy`: removes everything that a deploy made. What `make bootstrap` made stays, on AWS."""

import shutil

import aws
import build
import cloud
import deploy
import releases
import terraform
import tools
from say import Failed, Refused, Step, line

# What a deploy leaves in its work directory.
MADE = ("cloud", "lambda", "redis", "state", "terraform", "artifacts", "releases", "outputs.json", "release.json", "logs")


def destroy(settings):
    if settings.env == "production" and not settings.rehearsal:
        raise Refused("ENV=production is never destroyed by make.")
    if settings.service:
        raise Refused("SERVICE is not for destroy: it removes the whole environment.")
    if settings.on_local_cloud and not settings.work.exists():
        line("Nothing to destroy.")
        return
    with deploy.exclusive(settings):
        here = not settings.on_local_cloud or cloud.running(settings, cloud.EMULATOR)
        trouble, removed = None, []
        try:
            removed = _destroy_stacks(settings) if here else []
        except Failed as failed:
            if not settings.on_local_cloud:
                raise
            # All of it lives in the local cloud, which goes anyway.
            trouble = failed
        stopped = cloud.stop(settings) if settings.on_local_cloud else []
        forgotten = [name for name in MADE if _remove(settings.work / name)]
    said = []
    if removed:
        said.append(f"removed the stacks {', '.join(removed)}")
    if stopped:
        names = {cloud.EMULATOR: "the local cloud", cloud.REDIS: "redis-server"}
        said.append(f"stopped {' and '.join(names[record] for record in stopped)}")
    if not here and "state" in forgotten:
        said.append("the local cloud was not running, so its state is just forgotten")
    if trouble:
        raise Failed(f"{trouble}\nThe local cloud and its state are removed all the same.")
    line(f"Destroyed ENV={settings.env}: {'; '.join(said)}." if said else "Nothing to destroy.")


def _destroy_stacks(settings):
    """Destroys the stacks in reverse order; the names of those there were."""
    if settings.is_local:
        tools.require_terraform()
    else:
        deploy.prerequisites(settings, builds=False)
        aws.require_buckets(settings)
    build.placeholder(settings)
    chosen = [s for s in terraform.stacks(settings) if not settings.is_local or s.state.exists()]
    terraform.prepare(settings, chosen)
    there = {stack.name for stack in chosen if stack.exists()}

    def one(stack):
        with Step(f"destroying stack {stack.name}"):
            stack.destroy()

    for stage in reversed(terraform.STAGES):
        terraform.side_by_side(one, [stack for stack in chosen if stack.name in stage and stack.name in there])
    if not settings.is_local:
        releases.History(settings).forget()
    return [stack.name for stack in chosen if stack.name in there]


def _remove(path):
    """Removes a file or a folder; whether there was one."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return True
    existed = path.exists()
    path.unlink(missing_ok=True)
    return existed
