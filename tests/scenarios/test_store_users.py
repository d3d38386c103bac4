"""Several users of one HDFS, which checks permissions: nobody can make another run, or read, what is not
meant for it."""

import hashlib
import json
import shutil
import tempfile
import urllib.error
from pathlib import Path

import pytest

from harness.checks import check_gone, own_flink
from harness.client import Session
from harness.cluster import Hdfs, request
from harness.waiting import wait_for

pytestmark = pytest.mark.heddle_only("it has no store")
CANARY = "canary-of-hive-site"


class Users:
    """Users of HDFS with homes of their own, whom HADOOP_USER_NAME names. `work.cluster.hdfs` is the
    superuser."""

    def __init__(self, work):
        self.work, self.made = work, []

    def __call__(self, name):
        user = f"{name}-{self.work.name}"[:60]
        hdfs = Hdfs(self.work.cluster.hdfs.active, user)
        if user not in self.made:
            self.made.append(user)
            self.work.cluster.hdfs.mkdir(hdfs.home)
            self.give(hdfs.home, user)
        hdfs.env = {"HADOOP_USER_NAME": user}
        return hdfs

    def give(self, path, user):
        request(self.work.cluster.hdfs.url(path, "SETOWNER", owner=user), "PUT")

    def close(self):
        for user in self.made:
            self.work.cluster.hdfs.delete(f"/user/{user}")


@pytest.fixture
def users(work):
    made = Users(work)
    yield made
    made.close()


def everything(hdfs, path):
    """Path -> status of all files and directories below a path."""
    found = {}
    for name, status in (hdfs.list(path) or {}).items():
        found[f"{path}/{name}"] = status
        if status["type"] == "DIRECTORY":
            found |= everything(hdfs, f"{path}/{name}")
    return found


def end(work, client, user, session):
    client.run("yarn-session.sh", "-id", session.application, stdin="stop\n", env=user.env).ok()
    check_gone(work.cluster, session.application, "SUCCEEDED")


def test_permissions_are_checked(work, users):
    """What all of this file depends on."""
    ann, eve = users("ann"), users("eve")
    ann.write(f"{ann.home}/secret", "x")
    request(ann.url(f"{ann.home}/secret", "SETPERMISSION", permission="600"), "PUT")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        eve.read(f"{ann.home}/secret")


def test_directories_that_another_user_has_made_are_refused(work, users):
    hdfs, bob, eve = work.cluster.hdfs, users("bob"), users("eve")
    common = f"{work.hdfs_dir}/staging"
    hdfs.mkdir(common, permission="1777")
    eve.mkdir(f"{common}/{bob.user}", permission="777")
    eve.mkdir(f"{common}/{bob.user}/.heddle", permission="777")
    eve.mkdir(f"{common}/{bob.user}/.heddle/private", permission="777")
    assert hdfs.status(f"{common}/{bob.user}")["owner"] == eve.user
    before = everything(hdfs, common)
    # A file for the private store.
    flink = own_flink(work.flink_home, work.directory / "flink")
    (flink / "lib/hive-site.xml").write_text(CANARY)
    (flink / "lib/hive-site.xml").chmod(0o600)
    client = work.client(flink_home=flink)
    client.configure({"yarn.staging-directory": f"{work.cluster.fs}{common}"})
    small = ["-jm", "1024", "-tm", "1024"]
    refused = client.run("yarn-session.sh", "-d", "-nm", work.name, *small, env=bob.env)
    assert refused.code != 0 and refused.error_lines() and refused.hints(), refused
    assert f"belongs to {eve.user}" in refused.err and f"{common}/{bob.user}" in refused.err, refused
    assert not work.cluster.yarn.by_name(work.name) and everything(hdfs, common) == before

    hdfs.delete(f"{common}/{bob.user}")
    session = client.session("-nm", work.name, env=bob.env)
    directory = hdfs.status(f"{common}/{bob.user}/.flink/{session.application}")
    assert (directory["owner"], directory["permission"]) == (bob.user, "700")
    private = hdfs.status(f"{common}/{bob.user}/.heddle/private")
    assert (private["owner"], private["permission"]) == (bob.user, "700")
    # Another user's are beside them, and both can be there at a time.
    end(work, client, bob, session)
    wait_for("removed", lambda: not hdfs.list(f"{common}/{bob.user}/.flink"), 20)
    session = client.session("-nm", work.name, env=eve.env)
    assert hdfs.status(f"{common}/{eve.user}/.flink/{session.application}")["owner"] == eve.user
    end(work, client, eve, session)


def common_store(work):
    """A store that everybody may write to, and nobody else can exchange."""
    work.cluster.hdfs.mkdir(work.hdfs_dir)
    work.cluster.hdfs.mkdir(f"{work.hdfs_dir}/store", permission="1777")
    return f"{work.hdfs_dir}/store"


@pytest.mark.extended
def test_a_store_that_another_user_can_exchange_is_not_used(work, users):
    hdfs, bob, eve = work.cluster.hdfs, users("bob"), users("eve")
    loose, sticky = f"{work.hdfs_dir}/loose", f"{work.hdfs_dir}/sticky"
    hdfs.mkdir(work.hdfs_dir)
    hdfs.mkdir(loose, permission="777")
    hdfs.mkdir(sticky, permission="1777")
    eve.mkdir(f"{sticky}/store", permission="1777")
    client = work.client()
    for above, why in ((loose, "mode 0777"), (sticky, f"belongs to {eve.user}")):
        session = client.session("-nm", work.name, f"-Dheddle.store.dir={work.cluster.fs}{above}/store", env=bob.env)
        [warning] = [line for line in session.result.text.splitlines() if f"{above}/store is not used" in line]
        assert why in warning and "heddle store publish" in warning, session.result
        assert not hdfs.list(f"{above}/store"), "something was written there"
        assert any("/flink-dist" in path for path in hdfs.tree(f"{bob.home}/.heddle/private"))
        end(work, client, bob, session)
    # One's own home is one's own.
    store = f"{bob.home}/mine/store"
    session = client.session("-nm", work.name, f"-Dheddle.store.dir={work.cluster.fs}{store}", env=bob.env)
    assert "is not used" not in session.result.text, session.result
    assert any("/flink-dist" in path for path in hdfs.tree(store))
    end(work, client, bob, session)


def test_a_store_that_the_user_may_not_make(work, users):
    hdfs, bob = work.cluster.hdfs, users("bob")
    hdfs.mkdir(work.hdfs_dir)
    store = f"{work.hdfs_dir}/store"
    client = work.client()
    client.configure({"heddle.store.dir": f"{work.cluster.fs}{store}"})
    options = ["-d", "-nm", work.name, "-jm", "1024", "-tm", "1024"]
    planned = client.run("yarn-session.sh", *options, "--dry-run", env=bob.env).ok()
    assert "there is no store at" in planned.text and store in planned.text, planned
    session = client.session("-nm", work.name, env=bob.env)
    [warning] = [line for line in session.result.text.splitlines() if "there is no store at" in line]
    assert "heddle store publish" in warning and "at the same time" not in session.result.text, session.result
    assert hdfs.status(store) is None and any("/flink-dist" in path for path in hdfs.tree(f"{bob.home}/.heddle/private"))
    end(work, client, bob, session)


@pytest.mark.extended
def test_another_user_who_is_faster_does_not_stop_a_deployment(work, users):
    hdfs, bob, eve = work.cluster.hdfs, users("bob"), users("eve")
    store = common_store(work)
    [jar] = work.flink_home.glob("lib/flink-dist-*.jar")
    digest = hashlib.sha256(jar.read_bytes()).hexdigest()
    client = work.client()
    client.configure({"heddle.store.dir": f"{work.cluster.fs}{store}"})
    running = client.start("yarn-session.sh", "-d", "-nm", work.name, "-jm", "1024", "-tm", "1024", env=bob.env)
    uploads = f"{store}/.incoming-{bob.user}"
    wait_for("the upload", lambda: [name for name in hdfs.list(uploads) or {} if name.endswith(f"-{jar.name}")], 30, every=0.02)
    # The file is not complete yet, and has no directory.
    eve.mkdir(f"{store}/{digest[:2]}", permission="700")
    assert hdfs.status(f"{store}/{digest[:2]}")["owner"] == eve.user
    result = running.result().ok()
    [warning] = [line for line in result.text.splitlines() if "at the same time" in line]
    assert "private store" in warning and digest[:2] in warning, result
    assert any(jar.name in path for path in hdfs.tree(f"{bob.home}/.heddle/private"))
    assert not any(jar.name in path for path in hdfs.tree(store)), "a part of it is left"
    end(work, client, bob, Session(client, result.application, result.url, result))
    # What she has closed does not stop the next one, either, nor the other commands.
    session = client.session("-nm", work.name, env=bob.env)
    assert f"belongs to {eve.user}" in session.result.text, session.result
    listed = client.run("heddle", "store", "list", env=bob.env).ok().out
    assert "flink-json" in listed and f"{store}/{digest[:2]} belongs to {eve.user}" in listed, listed
    client.run("heddle", "store", "verify", env=bob.env).ok()
    found = judged(client, env=bob.env)
    assert any(f"{store}/{digest[:2]} of {eve.user} is left alone" in note for note in found["notes"]), found
    end(work, client, bob, session)


def judged(client, **options):
    """What `heddle gc` says once it has judged the store. It leaves all stores alone while any application
    runs of which it cannot find out what that needs, as one of a scenario beside this one."""

    def asked():
        found = json.loads(client.run("heddle", "gc", "--output", "json", **options).ok().out)
        return found if found["keptArtifacts"] > 10 else None

    return wait_for("no other application", asked, 240, every=2)


@pytest.mark.extended
def test_two_users_fill_a_store_at_once(work, users):
    store, both = common_store(work), [users("ann"), users("bob")]
    deployed = []
    for user in both:
        client = work.client()
        client.configure({"heddle.store.dir": f"{work.cluster.fs}{store}"})
        deployed.append(client.start("yarn-session.sh", "-d", "-nm", work.name, "-jm", "1024", "-tm", "1024", env=user.env))
    results = [running.result().ok() for running in deployed]
    owners = {status["owner"] for status in everything(work.cluster.hdfs, store).values() if status["type"] == "FILE"}
    assert owners == {user.user for user in both} or any("at the same time" in result.text for result in results), owners
    for user, client, result in zip(both, work.clients, results):
        end(work, client, user, Session(client, result.application, result.url, result))


@pytest.mark.extended
def test_gc_believes_only_the_user_of_an_application(work, users):
    """In a common staging directory others can say what an application needs; then its files would go."""
    hdfs, bob, eve = work.cluster.hdfs, users("bob"), users("eve")
    store, common = common_store(work), f"{work.hdfs_dir}/staging"
    hdfs.mkdir(common, permission="1777")
    client = work.client()
    client.configure({"heddle.store.dir": f"{work.cluster.fs}{store}", "yarn.staging-directory": f"{work.cluster.fs}{common}"})
    session = client.session("-nm", work.name, env=bob.env)
    # Where earlier releases have put the directories of all users.
    nothing = {"task_manager_resources": [], "application_master_resources": []}
    eve.write(f"{common}/.flink/{session.application}/am.json", json.dumps(nothing))
    # Old enough to be removed.
    for path in hdfs.tree(store):
        request(hdfs.url(path, "SETTIMES", modificationtime=1, accesstime=1), "PUT")
    found = judged(client)
    assert not [item for item in found["items"] if "/flink-dist" in item["path"]], found
    end(work, client, bob, session)


def test_a_file_that_another_user_has_put_into_the_store_is_not_run(work, users):
    hdfs, bob, eve = work.cluster.hdfs, users("bob"), users("eve")
    store = common_store(work)
    [jar] = work.flink_home.glob("lib/flink-csv-*.jar")
    digest = hashlib.sha256(jar.read_bytes()).hexdigest()
    place = f"{store}/{digest[:2]}"
    eve.mkdir(place, permission="755")
    eve.mkdir(f"{store}/cds", permission="755")
    eve.write(f"{place}/{digest}/{jar.name}", b"\0" * jar.stat().st_size)
    planted = hdfs.status(f"{place}/{digest}/{jar.name}")
    assert planted["owner"] == eve.user and planted["length"] == jar.stat().st_size, "it does not look like Flink's"

    client = work.client()
    client.configure({"heddle.store.dir": f"{work.cluster.fs}{store}"})
    session = client.session("-nm", work.name, env=bob.env)
    warnings = [line for line in session.result.text.splitlines() if f"belongs to {eve.user}" in line]
    assert any(place in line and "private store" in line for line in warnings), session.result
    got = work.cluster.localized(jar.name, session.application)
    assert got and {hashlib.sha256(file.read_bytes()).hexdigest() for file in got} == {digest}
    assert hdfs.status(f"{place}/{digest}/{jar.name}")["modificationTime"] == planted["modificationTime"]
    mine = [path for path in hdfs.tree(f"{bob.home}/.heddle/private") if path.endswith(jar.name)]
    assert len(mine) == 1 and hdfs.status(mine[0])["permission"] == "600"
    others = {status["owner"] for path, status in everything(hdfs, store).items() if "/flink-json-" in path}
    assert others == {bob.user}, "the rest of the store is used"
    end(work, client, bob, session)

    # With a jar of one's own, class data archives are one's own as well; without it they come from the store.
    hdfs.delete(place)
    session = client.session("-nm", work.name, env=bob.env)
    assert f"{store}/cds belongs to {eve.user}" in session.result.text, session.result
    end(work, client, bob, session)


def test_a_closed_file_of_lib_stays_closed(work, users):
    hdfs, bob, eve = work.cluster.hdfs, users("bob"), users("eve")
    flink = own_flink(work.flink_home, work.directory / "flink")
    (flink / "lib/hive-site.xml").write_text(CANARY)
    (flink / "lib/hive-site.xml").chmod(0o600)
    client = work.client(flink_home=flink)
    store = f"{work.hdfs_dir}/store"
    hdfs.mkdir(work.hdfs_dir, permission="1777")
    session = client.session("-nm", work.name, f"-Dheddle.store.dir={work.cluster.fs}{store}", env=bob.env)
    shared = {path.rpartition("/")[2] for path in hdfs.tree(store)}
    assert not any("hive" in name for name in shared) and any(name.startswith("flink-dist") for name in shared), shared
    [place] = [path for path in hdfs.tree(f"{bob.home}/.heddle/private") if path.endswith("/hive-site.xml")]
    assert hdfs.status(place)["permission"] == "600" and hdfs.read(place) == CANARY
    with pytest.raises(urllib.error.HTTPError, match="403"):
        eve.read(place)
    assert {file.read_text() for file in work.cluster.localized("hive-site.xml", session.application)} == {CANARY}
    end(work, client, bob, session)


def test_a_record_of_another_user_is_not_believed(work, users):
    """What an application has left is read only from files of its user: others could tell anything of it."""
    hdfs, bob, eve = work.cluster.hdfs, users("bob"), users("eve")
    client = work.client()
    session = client.session("-nm", work.name, env=bob.env)
    end(work, client, bob, session)
    record = f"{bob.home}/.heddle/outcomes/{session.application}/outcome.json"
    assert hdfs.status(record)["owner"] == bob.user

    def silent():
        told = json.loads(client.run("heddle", "why", "--all", session.application, "--output", "json", env=bob.env).out)
        return [each["why"] for each in told["silent"] if each["source"] == "outcome"]

    assert silent() == [], "it is read"
    request(hdfs.url(record, "SETPERMISSION", permission="644"), "PUT")
    users.give(record, eve.user)
    [why] = silent()
    assert f"{record} belongs to {eve.user}" in why and "it is not read" in why, why


@pytest.fixture
def public():
    """A directory of this machine that every user may enter, which pytest's own are not."""
    made = Path(tempfile.mkdtemp(prefix="heddle-public-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def test_an_administrator_publishes_for_all(work, users, public):
    hdfs, admin, ann, bob = work.cluster.hdfs, users("admin"), users("ann"), users("bob")
    store = f"{work.hdfs_dir}/store"
    hdfs.mkdir(work.hdfs_dir)
    hdfs.mkdir(store)
    users.give(store, admin.user)
    client = work.client()
    unnamed = client.run("heddle", "store", "publish", env=admin.env)
    assert unnamed.code != 0 and "heddle.store.dir" in unnamed.err
    client.configure({"heddle.store.dir": f"{work.cluster.fs}{store}"})
    said = client.run("heddle", "store", "publish", "--output", "json", env=admin.env).ok().out
    published = json.loads(said)
    assert all(file["uploaded"] for file in published["files"]) and len(published["files"]) > 20
    found = everything(hdfs, store)
    assert {status["owner"] for status in found.values()} == {admin.user}
    assert {status["permission"] for status in found.values() if status["type"] == "DIRECTORY"} == {"755"}
    assert {status["permission"] for status in found.values() if status["type"] == "FILE"} == {"644"}
    again = json.loads(client.run("heddle", "store", "publish", "--output", "json", env=admin.env).ok().out)
    assert not any(file["uploaded"] for file in again["files"])
    files = hdfs.tree(store)

    for user in (ann, bob):
        session = client.session("-nm", work.name, env=user.env)
        assert "private store" not in session.result.text, session.result
        assert hdfs.tree(store) == files
        # The record of the session comes some seconds after it is registered.
        assert not [path for path in hdfs.tree(f"{user.home}/.heddle") if "/outcomes/" not in path], "something was uploaded again"
        end(work, client, user, session)
    # What is missing there goes to the user's own. What is there is used also if it is closed here.
    flink = own_flink(work.flink_home, work.directory / "flink")
    [closed] = flink.glob("lib/flink-csv-*.jar")
    content = closed.read_bytes()
    closed.unlink()
    closed.write_bytes(content)
    closed.chmod(0o600)
    (public / "extra.jar").write_bytes(b"PK\x05\x06" + b"\0" * 18)
    (flink / "lib/extra.jar").symlink_to(public / "extra.jar")
    session = work.client(flink_home=flink).session("-nm", work.name, f"-Dheddle.store.dir={work.cluster.fs}{store}", env=bob.env)
    assert hdfs.tree(store) == files
    assert [path.rpartition("/")[2] for path in hdfs.tree(f"{bob.home}/.heddle/private") if ".jar" in path] == ["extra.jar"]
    end(work, client, bob, session)

    refused = client.run("heddle", "store", "publish", env=bob.env)
    assert refused.code != 0 and f"belongs to {admin.user}" in refused.err, refused
    listed = client.run("heddle", "store", "list", env=bob.env).ok().out
    assert "flink-dist" in listed and admin.user in listed
    client.run("heddle", "store", "verify", env=bob.env).ok()
    changed = next(path for path in files if "flink-csv" in path)
    hdfs.write(changed, b"\0" * files[changed][0])
    verified = client.run("heddle", "store", "verify", env=bob.env)
    assert verified.code != 0 and changed in verified.err and "SHA-256" in verified.err, verified
