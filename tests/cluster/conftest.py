"""A Ray cluster of two nodes on this machine. These tests run with `pytest --cluster`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = (
    "0"  # with this, it stays on 127.0.0.1 on every system
)

NODE = {
    "num_cpus": 1,
    "object_store_memory": 100 << 20,
    "include_dashboard": False,
    "include_log_monitor": False,
    "node_ip_address": "127.0.0.1",
}


@pytest.fixture(scope="session")
def cluster_address() -> Iterator[str]:
    """The address of a cluster of two nodes with a core each, which only this machine reaches."""
    from ray.cluster_utils import Cluster

    # Other programs may fill the memory; workers are as important as the process that waits.
    settings = {"memory_monitor_refresh_ms": 0, "worker_niceness": 0}
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "_system_config": settings})
    try:
        cluster.add_node(**NODE)
        cluster.wait_for_nodes()
        yield cluster.address
    finally:
        cluster.shutdown()
