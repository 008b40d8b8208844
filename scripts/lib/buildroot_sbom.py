"""Adds the crates to the bill of materials that Buildroot's generate-cyclonedx writes."""

from __future__ import annotations

import json
import tomllib

from lib.buildroot_sources import RUST
from lib.report import BuildError

ARCHIVE = "edgeai-crates"


def read(text: str) -> dict:
    """The CycloneDX document that generate-cyclonedx has printed."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise BuildError(
            "Buildroot's generate-cyclonedx printed no document; its own error stands above. The first time it fetches the licences' "
            "list into the download folder (cyclonedx/spdx-1.6.schema.json), for which it needs the network, or the file."
        ) from None


def with_crates(bill: dict) -> dict:
    """The CycloneDX document with a component and dependencies for each crate of Cargo.lock (purl type `cargo`)."""
    if ARCHIVE not in {component["bom-ref"] for component in bill["components"]}:
        raise BuildError(f"the bill of materials has no {ARCHIVE}: is edgeai in the configuration?")
    packages = tomllib.loads((RUST / "Cargo.lock").read_text())["package"]
    versions: dict[str, list[str]] = {}
    for package in packages:
        versions.setdefault(package["name"], []).append(package["version"])

    def reference(name: str, version: str) -> str:
        return f"pkg:cargo/{name}@{version}"

    def needed(entry: str) -> str:
        # Cargo.lock names the version only where there are several.
        name, _, version = entry.partition(" ")
        return reference(name, version or versions[name][0])

    components, dependencies = [], []
    for package in packages:
        ref = reference(package["name"], package["version"])
        component = {"bom-ref": ref, "type": "library", "name": package["name"], "version": package["version"], "purl": ref}
        if "checksum" in package:
            component["hashes"] = [{"alg": "SHA-256", "content": package["checksum"]}]
        components.append(component)
        dependencies.append({"ref": ref, "dependsOn": sorted({needed(entry) for entry in package.get("dependencies", [])})})
    whole = {**bill, "components": [*bill["components"], *components], "dependencies": [*bill["dependencies"], *dependencies]}
    for dependency in whole["dependencies"]:
        if dependency["ref"] == "edgeai":
            dependency["dependsOn"] = [*dependency.get("dependsOn", []), needed("edgeai")]
    return whole
