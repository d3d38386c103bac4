"""Files of the user with names that Flink or heddle uses, too: nothing is written through a link into the
NodeManager's cache."""

import pytest

from harness.checks import Before, check_gone, check_refused


@pytest.mark.extended
@pytest.mark.heddle_only("Flink's own client says nothing, and which logging configuration wins is by chance")
def test_shipped_files_stay_as_they_are_on_the_nodes(work, client):
    """Applications with the same files, until one finds them in the cache of a node that an earlier one was
    on."""
    contents = {
        "config.yaml": "parallelism.default: 77\n",
        "log4j.properties": f"# of {work.name}\n",
        "am.json": f'{{"order": "{work.name}"}}\n',
        "program.json": f'{{"program": "{work.name}"}}\n',
    }
    shipped = []
    for name, text in contents.items():
        (work.directory / name).write_text(text)
        shipped += ["-t", work.directory / name]
    cache, nodes = work.cluster.directory, []
    while len(nodes) == len(set(nodes)):
        assert len(nodes) < 3, f"there are two nodes: {nodes}"
        session = client.session("-nm", f"{work.name}-{len(nodes)}", *shipped)
        told = session.result.text
        for name in ("config.yaml", "log4j.properties"):
            assert f"yarn.ship-files: {name} is left out" in told, told
        assert "am.json is left out" not in told and "program.json is left out" not in told
        [inside] = cache.glob(f"nodemanager*/local/usercache/*/appcache/{session.application}/container_*_000001")
        nodes.append(inside.relative_to(cache).parts[0])
        for name in ("am.json", "program.json"):
            assert (inside / name).is_symlink() and (inside / name).read_text() == contents[name]
        for name in ("config.yaml", "log4j.properties"):
            assert not (inside / name).is_symlink() and (inside / name).read_text() != contents[name]
        session.stop().ok()
        check_gone(work.cluster, session.application, "SUCCEEDED")
        copies = [file for name in ("am.json", "program.json") for file in work.cluster.localized(name)]
        ours = [file for file in copies if work.name in file.read_text()]
        assert len(ours) >= 2 and all(file.read_text() == contents[file.name] for file in ours)
        assert not [file for file in copies if "flink_version" in file.read_text() or "mainClass" in file.read_text()]


@pytest.mark.heddle_only("its own files have other names")
def test_names_of_heddles_own_files(work, client):
    before = Before(work.cluster)
    for name in ("heddle-am.json", "container_tokens"):
        (work.directory / name).write_text("mine")
        result = client.run("yarn-session.sh", "-d", "-nm", work.name, "-t", work.directory / name)
        check_refused(result, "two files would both be", name, "yarn.ship-files", "heddle")
    before.check_untouched()
