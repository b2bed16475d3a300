"""The deployed releases, and the rollback. Each release names the one before it."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from holdfast_cli.core import catalogue
from holdfast_cli.core.errors import Refused
from holdfast_cli.core.settings import DELETE_ONLY, Settings
from holdfast_cli.deploy import aws, manifest

Release = dict[str, Any]

# Fields of a release that make it what it is; who deployed it when does not.
_CONTENT = ("version", "commit", "arch", "functions", "variables", "cache", "cache_mode")


class History:
    """Kept where the deployment is: in the work directory for ENV=local, in the artifacts bucket otherwise."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.work / "releases"

    def _read(self, name: str) -> str | None:
        if not self.settings.is_local:
            return aws.read_object(self.settings, f"releases/{self.settings.env}/{name}")
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def _write(self, name: str, text: str) -> None:
        if not self.settings.is_local:
            aws.write_object(self.settings, f"releases/{self.settings.env}/{name}", text)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self.folder / f"{name}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(self.folder / name)

    def get(self, name: str | None) -> Release | None:
        text = self._read(f"{name}.json") if name else None
        return json.loads(text) if text else None

    def current(self) -> Release | None:
        """The release that is deployed, as far as this tool knows; None before the first."""
        return self.get((self._read("current") or "").strip())

    def add(self, release: Release) -> None:
        """Writes a release down as the one that is deployed."""
        self._write(f"{release['name']}.json", json.dumps(release, indent=2) + "\n")
        self.make_current(release)

    def forget(self) -> None:
        """Nothing is deployed any more; the releases stay where they are."""
        self._write("current", "\n")

    def make_current(self, release: Release) -> None:
        self._write("current", release["name"] + "\n")


def candidate(settings: Settings, current: Release | None, now: float | None = None) -> Release:
    """The release that this run is about: the built manifest with the variables it is given. Of SERVICE alone, the other
    functions stay those of the current release. The current one itself if nothing differs."""
    built = manifest.read(settings)
    entries = {name: {"sha256": entry["sha256"], "s3Key": entry["s3Key"]} for name, entry in built["functions"].items()}
    if settings.service and current:
        wanted, known = catalogue.wanted(settings), catalogue.functions()
        entries = {**entries, **{name: entry for name, entry in current["functions"].items() if name not in wanted}}
        entries = dict(sorted((name, entry) for name, entry in entries.items() if name in known))
    release = {
        "version": built.get("version"), "commit": built.get("commit"), "arch": built["arch"],
        "variables": settings.variables, "cache": settings.cache, "cache_mode": settings.cache_mode, "functions": entries,
    }
    if current and same(release, current):
        return current
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    digest = hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()
    return {"name": f"{stamp}-{digest[:12]}", "previous": current["name"] if current else None, **release}


def same(one: Release, other: Release) -> bool:
    """Whether two releases deploy the same. A commit that changed no artifact is no other release."""
    return all(one.get(field) == other.get(field) for field in _CONTENT if field != "commit")


# How far the cache is switched on, in the order in which it is: one step a deploy (docs/cache-switching.md).
_MODES = ("dynamodb", DELETE_ONLY, "redis")


def check_switch(settings: Settings, current: Release | None, after: str | None) -> None:
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


def changed(one: Release | None, other: Release | None) -> list[str]:
    """Names of the functions that two releases have otherwise."""
    mine, theirs = ({name: entry["sha256"] for name, entry in (release or {}).get("functions", {}).items()} for release in (one, other))
    return sorted(name for name in {*mine, *theirs} if mine.get(name) != theirs.get(name))


def lacking_in(release: Release) -> list[str]:
    """Functions that the Terraform code has by now and a release has not."""
    return sorted(set(catalogue.functions()) - set(release["functions"]))


def install(settings: Settings, release: Release, keep_inputs: bool = False, whole: bool = True) -> None:
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
    entries: manifest.Entries = {}
    for name, entry in release["functions"].items():
        file = settings.work / "artifacts" / entry["s3Key"]
        if settings.is_local and not file.exists():
            raise Refused(f"release {release['name']}: its artifact {file} is missing; check out commit {release['commit']} and deploy it.")
        entries[name] = {"sha256": entry["sha256"], "file": str(file), "s3Key": entry["s3Key"]}
    manifest.write(settings, {
        "version": release["version"], "commit": release["commit"], "arch": release["arch"], "functions": entries})
