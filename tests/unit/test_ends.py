"""What logs tell of the ends of containers."""

from harness import ends

NODE = """
2026-11-28 18:42:19,167 WARN  nodemanager.DefaultContainerExecutor: Exit code from container container_1_0014_01_000003 is : 143
2026-11-28 18:42:20,167 WARN  nodemanager.DefaultContainerExecutor: Exit code from container container_1_0014_01_000004 is : 1
"""
MASTER = """
2026-11-28T18:07:37Z  WARN app_master::am: worker ended worker=container_1_0014_01_000003 reason="the JVM said \\"no\\":\\n  one line"
2026-11-28T18:07:37Z  INFO app_master::am: TaskManager started worker=container_1_0014_01_000004 pid=24575
2026-11-28T18:07:38Z  WARN app_master::am: why the worker ended worker=container_1_0014_01_000004 reason="killed"
"""


def test_exit_codes():
    assert ends.exit_codes(NODE) == {"container_1_0014_01_000003": 143, "container_1_0014_01_000004": 1}


def test_reasons():
    found = ends.reasons(MASTER)
    assert found["container_1_0014_01_000003"] == 'the JVM said \\"no\\":\n  one line'
    assert found["container_1_0014_01_000004"] == "killed"
