"""Encryption zones of HDFS (transparent encryption). heddle fetches no keys: where it would have to write to
a zone or read from it, it refuses by name before anything is uploaded, and it neither writes plain bytes
there nor takes what is encrypted for the content."""

import pytest

from conftest import secured_of
from harness.checks import Before, check_gone, check_refused
from harness.client import SMALL
from harness.hadoop.parts.kerberos import SUPERUSER
from harness.kerberos import ALICE, TICKETS, member

pytestmark = [
    pytest.mark.heddle_only("it gets keys from the KMS"),
    pytest.mark.xdist_group("kerberos-zones"),
    pytest.mark.extended,
    pytest.mark.slow("a cluster of its own"),
    pytest.mark.timeout(900),
]

KEY = "key-of-the-zone"


@pytest.fixture
def zoned(request, cluster, tmp_path, flink_home, client_kind):
    """A secured cluster with an encryption zone. A file with the key, which the daemons can read, takes the
    place of a KMS. The zone is in a directory in which nobody can exchange it."""
    keys = f"jceks://file{tmp_path}/keys.jceks"
    cluster.administer("org.apache.hadoop.crypto.key.KeyShell", "create", KEY, "-provider", keys)
    settings = {"hadoop.security.key.provider.path": keys}
    for work in secured_of(request, cluster, "zones", tmp_path, flink_home, client_kind, set=settings):
        work.zone = f"/tmp/{work.name}-zone"
        work.cluster.hdfs.mkdir(work.zone)
        as_superuser(work, "org.apache.hadoop.hdfs.tools.CryptoAdmin", "-createZone", "-keyName", KEY, "-path", work.zone)
        yield work
        work.cluster.hdfs.delete(work.zone)


def as_superuser(work, main, *arguments):
    return work.cluster.administer(main, *arguments, env={"KRB5CCNAME": work.cluster.tickets(SUPERUSER)})


def put(work, local, name, mode):
    """A file of alice's in the zone, which Hadoop's own client encrypts."""
    path = f"{work.zone}/{name}"
    for words in (("-put", local, path), ("-chmod", mode, path), ("-chown", ALICE, path)):
        as_superuser(work, "org.apache.hadoop.fs.FsShell", *map(str, words))
    return path


def test_what_lies_in_a_zone(zoned, jar):
    work, cluster, hdfs = zoned, zoned.cluster, zoned.cluster.hdfs
    client, at = member(work, by=TICKETS), f"{cluster.fs}{work.zone}"
    deploy = ["yarn-session.sh", "-d", "-jm", "1024", "-tm", "1024", "-nm", work.name]

    def check(*command, words=()):
        """It is refused, the zone and its key are named, and nothing was submitted or written."""
        before, files = Before(cluster), hdfs.tree(work.zone)
        check_refused(client.run(*command), work.zone, KEY, *words)
        before.check_untouched()
        assert hdfs.tree(work.zone) == files

    # Staging directories: one that users share, one that does not exist yet, and the user's own.
    for name, mode in (("own", "755"), ("common", "777")):
        hdfs.mkdir(f"{work.zone}/{name}", mode)
        hdfs.give(f"{work.zone}/{name}", ALICE)
    for place in ("common", "own/new/one", "own"):
        check(*deploy, f"-Dyarn.staging-directory={at}/{place}", words=["yarn.staging-directory"])
    check(*deploy, f"-Dyarn.staging-directory={at}/own", "--dry-run", words=["yarn.staging-directory"])
    check(*deploy, f"-Dheddle.store.dir={at}/own/store", words=["heddle.store.dir"])
    check("heddle", "store", "publish", f"-Dheddle.store.dir={at}/own/store", words=["heddle.store.dir"])

    # A jar that the nodes would have to fetch with the application's tokens. These nodes can read the file
    # with the key; elsewhere it depends on the KMS, so there is only a warning.
    program = put(work, jar, "job.jar", "600")
    target = ["-t", "yarn-application", *SMALL, f"-Dyarn.application.name={work.name}"]
    planned = client.flink("run-application", *target, "--dry-run", "-c", "WordCount", f"{cluster.fs}{program}").ok()
    for word in (work.zone, KEY, "kms-dt"):
        assert word in planned.text, f"no `{word}`: {planned}"

    # What heddle itself would have to read.
    session = client.session("-nm", work.name)
    check_refused(client.flink("run", *session.target(), "-c", "WordCount", f"{cluster.fs}{program}"), work.zone, KEY)
    text = work.directory / "text.txt"
    text.write_text("nobody reads this line\n")
    put(work, text, "text.txt", "600")
    read = session.run(jar, "ReadsHdfsInMain", "--dir", at)
    assert read.code != 0 and "encryption zone" in read.text and "first line:" not in read.out, read
    session.stop().ok()
    check_gone(cluster, session.application, "SUCCEEDED")

    # What everybody may read, the NodeManagers fetch and decrypt as they may.
    public = put(work, text, "public.txt", "644")
    session = client.session("-nm", f"{work.name}-public", f"-Dyarn.ship-files={cluster.fs}{public}")
    assert work.zone in session.result.text and "KMS" in session.result.text, session.result
    assert {file.read_text() for file in cluster.localized("public.txt")} == {text.read_text()}
    session.stop().ok()
    check_gone(cluster, session.application, "SUCCEEDED")
