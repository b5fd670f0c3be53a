"""The engine "ray" on a cluster of two nodes on this machine, one of which is lost in the middle."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from lab_store_help import tiny

from isoloss.core.errors import MissingExtraError
from isoloss.lab import load_records, train
from isoloss.lab.engines.ray_cluster import Ray

COLUMNS = ("id", "loss", "loss_se", "tokens", "params", "lr", "seed", "status")

CLUSTER = """
import json, sys
import ray
from pathlib import Path
from ray.cluster_utils import Cluster
from isoloss.core.spec import Spec
from isoloss.lab.engine import Job, engine_for

out, texts = Path(sys.argv[1]), json.loads(sys.argv[2])
out.mkdir()
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
lost = cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
ray.init(address=cluster.address, log_to_driver=False)
events, removed = [], []

def listen(event):
    events.append(event)
    said = {kind: {e["id"] for e in events if e["event"] == kind} for kind in ("point", "ended")}
    if not removed and len(said["point"] - said["ended"]) == 2:  # one on each node
        cluster.remove_node(lost, allow_graceful=False)
        removed.append(lost)

engine_for("ray").train([Spec.from_json(text) for text in texts], Job(out, listen))
out.with_name("said.json").write_text(json.dumps([sum(node["Alive"] for node in ray.nodes()), events]))
ray.shutdown()
cluster.shutdown()
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra 'cluster' is not installed")
def test_a_node_that_is_killed_in_the_middle_of_a_ladder_does_not_change_the_table(tmp_path: Path) -> None:
    specs = [tiny(seed, tokens=1_000_000 + 20_000 * seed) for seed in range(3)]
    texts = json.dumps([spec.to_json() for spec in specs])
    done = subprocess.run(
        [sys.executable, "-c", CLUSTER, str(tmp_path / "ray"), texts], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    alive, events = json.loads((tmp_path / "said.json").read_text())
    steps = {spec.id: [e["step"] for e in events if e["event"] == "point" and e["id"] == spec.id] for spec in specs}
    assert alive == 1, "a node was lost"
    assert any(sorted(seen) != seen for seen in steps.values()), "its run was begun again"
    assert sum(event["event"] == "ended" for event in events) == len(specs)
    there, here = train(specs, tmp_path / "ray"), train(specs, tmp_path / "cpu", workers=2)
    assert all(there[name].tolist() == here[name].tolist() for name in COLUMNS)
    assert all(record["engine"] == "ray" for record in load_records(tmp_path / "ray"))
    assert (tmp_path / "ray" / specs[0].id / "metrics.jsonl").exists()


def test_without_ray_the_answer_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'isoloss\[cluster\]'"):
        Ray().check([])
