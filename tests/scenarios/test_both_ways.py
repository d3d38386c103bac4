"""Flink's own client on our session, and ours on a session that Flink's own client deployed."""

import re

import pytest

from harness.cluster import Flink

OTHER = {"heddle": "reference", "reference": "heddle"}


@pytest.mark.extended
@pytest.mark.reference(extended=True)
def test_the_other_client_uses_the_session(work, jar):
    """`client_kind` deploys the session; the other one does everything else."""
    session = work.client().session("-nm", work.name)
    other = work.client(OTHER[work.kind])
    job = session.run(jar, "Sleepy", "--seconds", "600", options=["-d"], client=other).ok().job
    Flink(session.url).wait_job(job, "RUNNING")
    listed = other.flink("list", *session.target()).ok().out
    assert re.search(rf"{job} : Sleepy \(RUNNING\)", listed)
    out = other.flink("cancel", *session.target(), job).ok().out
    assert f"Cancelled job {job}." in out

    result = session.run(jar, "WordCount", client=other).ok()
    assert f"Job with JobID {result.job} has finished." in result.out
    assert "collected: 25" in session.run(jar, "PrintCollect", client=other).ok().out

    other.run("yarn-session.sh", "-id", session.application, stdin="stop\n").ok()
    assert work.cluster.yarn.wait_state(session.application, "FINISHED")["finalStatus"] == "SUCCEEDED"


@pytest.mark.reference(extended=True)
def test_the_other_client_reads_the_properties_file(work, jar):
    session = work.client().session("-nm", work.name)
    other = work.client(OTHER[work.kind])
    other.configure({"yarn.properties-file.location": session.client.properties})
    assert "No running jobs." in other.flink("list").ok().out
    session.stop().ok()
