"""What was deployed, release by release, and the way back: each names the one before it."""

import hashlib
import json
import time

import aws
import build
from say import Refused
from settings import DELETE_ONLY

# Fields of a release that make it what it is; who deployed it when does not.
_CONTENT = ("version", "commit", "arch", "functions", "variables", "cache", "cache_mode")


class History:
    """Kept where the deployment is: in the work directory for ENV=local, in the artifacts bucket otherwise."""

    def __init__(self, settings):
        self.settings = settings
        self.folder = settings.work / "releases"

    def _read(self, name):
        if not self.settings.is_local:
            return aws.read_object(self.settings, f"releases/{self.settings.env}/{name}")
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def _write(self, name, text):
        if not self.settings.is_local:
            aws.write_object(self.settings, f"releases/{self.settings.env}/{name}", text)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self.folder / f"{name}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(self.folder / name)

    def get(self, name):
        text = self._read(f"{name}.json") if name else None
        return json.loads(text) if text else None

    def current(self):
        """The release that is deployed, as far as this tool knows; None before the first."""
        return self.get((self._read("current") or "").strip())

    def add(self, release):
        """Writes a release down as the one that is deployed."""
        self._write(f"{release['name']}.json", json.dumps(release, indent=2) + "\n")
        self.make_current(release)

    def forget(self):
        """Nothing is deployed any more; the releases stay where they are."""
        self._write("current", "\n")

    def make_current(self, release):
        self._write("current", release["name"] + "\n")


def candidate(settings, current, now=None):
    """The release that this run is about: the built manifest with the variables it is given. Of SERVICE alone, the other
    functions stay those of the current release. The current one itself if nothing differs."""
    manifest = json.loads(settings.manifest_file.read_text(encoding="utf-8"))
    entries = {name: {"sha256": entry["sha256"], "s3Key": entry["s3Key"]} for name, entry in manifest["functions"].items()}
    if settings.service and current:
        entries = {**entries, **{name: entry for name, entry in current["functions"].items() if name not in build.wanted_of(settings)}}
        entries = dict(sorted((name, entry) for name, entry in entries.items() if name in build.functions()))
    release = {
        "version": manifest.get("version"), "commit": manifest.get("commit"), "arch": manifest["arch"],
        "variables": settings.variables, "cache": settings.cache, "cache_mode": settings.cache_mode, "functions": entries,
    }
    if current and same(release, current):
        return current
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    digest = hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()
    return {"name": f"{stamp}-{digest[:12]}", "previous": current["name"] if current else None, **release}


def same(one, other):
    """Whether two releases deploy the same. A commit that changed no artifact is no other release."""
    return all(one.get(field) == other.get(field) for field in _CONTENT if field != "commit")


# How far the cache is switched on, in the order in which it is: one step a deploy (docs/cache-switching.md).
_MODES = ("dynamodb", DELETE_ONLY, "redis")


def check_switch(settings, current, after):
    """Refuses two steps of switching the cache at once, or one stack's alone: functions that do not know of the cache would end
    sessions that others still serve from it. Locally nothing is served while a deploy is under way."""
    before = (current or {}).get("cache_mode")
    if settings.is_local or before not in _MODES or after not in _MODES or before == after:
        return
    if settings.service:
        raise Refused(f"the cache is {before}, and this would make it {after} for stack {settings.service} alone: deploy without SERVICE.")
    if abs(_MODES.index(before) - _MODES.index(after)) > 1:
        raise Refused(f"the cache is {before}, and this would make it {after}: first deploy with cache_provider=redis and "
                      "redis_delete_only=true, then this (docs/cache-switching.md).")


def changed(one, other):
    """Names of the functions that two releases have otherwise."""
    of = [{name: entry["sha256"] for name, entry in (release or {}).get("functions", {}).items()} for release in (one, other)]
    return sorted(name for name in {*of[0], *of[1]} if of[0].get(name) != of[1].get(name))


def lacking_in(release):
    """Functions that the Terraform code has by now and a release has not."""
    return sorted(set(build.functions()) - set(release["functions"]))


def install(settings, release, keep_inputs=False, whole=True):
    """Makes a release what the next plan is about, with its variables. Refused if it lacks a function that the Terraform code
    has by now; without `whole` the stacks of those functions cannot be planned with it."""
    lacking = lacking_in(release)
    if lacking and whole:
        raise Refused(f"release {release['name']} has no {', '.join(lacking)}: it is of commit {release['commit']}. "
                      "Check that out and deploy it.")
    if not keep_inputs:
        settings.variables = dict(release["variables"])
        settings.cache = release["cache"]
        settings.delete_only = release.get("cache_mode") == DELETE_ONLY
    settings.arch = release["arch"]
    entries = {}
    for name, entry in release["functions"].items():
        file = settings.work / "artifacts" / entry["s3Key"]
        if settings.is_local and not file.exists():
            raise Refused(f"release {release['name']}: its artifact {file} is gone; check out commit {release['commit']} and deploy it.")
        entries[name] = {"sha256": entry["sha256"], "file": str(file), "s3Key": entry["s3Key"]}
    build.write_manifest(settings, {
        "version": release["version"], "commit": release["commit"], "arch": release["arch"], "functions": entries})
