"""The structure of the workspace: no circles of modules within a crate, and crates that depend only
downward."""

import pytest

from . import bans, crates
from .circles import circles
from .sources import flatten, read_crate, without_tests

NAMES = [directory.name for directory in crates.members()]


@pytest.mark.parametrize("name", NAMES)
def test_a_crate_has_no_circle_of_modules(name):
    found = circles(read_crate(crates.ROOT / name))
    if name in crates.STILL_WITH_CIRCLES:
        assert found, f"{name} has no circles any more: take it off STILL_WITH_CIRCLES in tests/structure/crates.py"
    else:
        assert not found, "\n" + "\n".join(found)


def test_crates_depend_only_downward():
    assert not crates.wrong_arrows({name: crates.dependencies(crates.ROOT / name) for name in NAMES})


def test_the_list_of_crates_with_circles_names_crates():
    assert crates.STILL_WITH_CIRCLES <= set(NAMES)


def test_the_bans_of_the_workspace_hold_in_each_crate():
    assert not bans.forgotten_bans()


@pytest.mark.parametrize("name", bans.HDFS_FILES)
def test_calls_to_hdfs_have_a_deadline(name):
    assert not bans.calls_without_deadline((crates.ROOT / name).read_text())


# ---- the checks themselves


def test_a_call_to_hdfs_without_a_deadline_is_found():
    bounded = 'self.client.guard("list", path, self.client.hdfs.list(path)).await'
    assert bans.calls_without_deadline(bounded) == []
    assert bans.calls_without_deadline("timeout(CLEAN_UP, client.hdfs.delete(path, false)).await") == []
    assert bans.calls_without_deadline(f"{bounded}; client.hdfs.delete(path, false).await") == ["delete"]


def make(directory, files):
    for name, text in files.items():
        file = directory / "src" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return read_crate(directory)


def test_two_files_that_use_each_other(tmp_path):
    root = make(tmp_path, {
        "lib.rs": "mod a;\nmod b;\n",
        "a.rs": "use crate::b::B;\npub struct A(B);\n",
        "b.rs": "pub struct B;\nfn f(_: super::a::A) {}\n",
    })  # fmt: skip
    assert circles(root) == [
        "circle of 2 modules in crate:\n"
        "    a -> b: a.rs:1: use crate::b::B;\n"
        "    b -> a: b.rs:2: fn f(_: super::a::A) {}"
    ]


def test_an_arrow_to_a_re_export_leads_to_what_defines(tmp_path):
    root = make(tmp_path, {
        "lib.rs": "mod a;\nmod b;\npub use a::A;\npub use b::*;\n",
        "a.rs": "use crate::B;\npub struct A(B);\n",
        "b.rs": "use crate::{A as Other};\npub struct B(Other);\n",
    })  # fmt: skip
    (found,) = circles(root)
    assert "a -> b" in found and "b -> a" in found


def test_a_file_that_only_re_exports_is_in_no_circle(tmp_path):
    root = make(tmp_path, {
        "lib.rs": "//! Text.\nmod a;\nmod b;\npub use a::A;\npub struct Own;\n",
        "a.rs": "use crate::Own;\npub struct A(Own);\n",
        "b.rs": "use crate::{A, Own};\npub struct B(A, Own);\n",
    })  # fmt: skip
    assert circles(root) == []


def test_a_file_that_uses_the_children_that_use_it_is_in_one(tmp_path):
    root = make(tmp_path, {
        "lib.rs": "mod d;\n",
        "d/mod.rs": "mod a;\npub use a::A;\npub struct Own;\nfn f() -> A { a::make() }\n",
        "d/a.rs": "use super::Own;\npub struct A(Own);\npub fn make() {}\n",
    })  # fmt: skip
    (found,) = circles(root)
    assert found.startswith("circle of 2 modules in crate::d:\n") and "a -> mod.rs" in found and "mod.rs -> a" in found


def test_a_directory_is_one_module_for_those_outside(tmp_path):
    root = make(tmp_path, {
        "lib.rs": "mod d;\nmod e;\n",
        "d/mod.rs": "pub mod a;\npub mod b;\n",
        "d/a.rs": "use crate::e::E;\npub struct A(E);\n",
        "d/b.rs": "pub struct B;\n",
        "e.rs": "use crate::d;\npub struct E(d::b::B);\n",
    })  # fmt: skip
    (found,) = circles(root)
    assert "d -> e: a.rs:1" in found and "e -> d: e.rs:2" in found


def test_a_module_in_a_file_beside_its_directory(tmp_path):
    root = make(tmp_path, {
        "lib.rs": "mod d;\n",
        "d.rs": "mod a;\nmod b;\n",
        "d/a.rs": "use super::b;\npub fn f() { b::g() }\n",
        "d/b.rs": "use super::a;\npub fn g() { a::f() }\n",
    })  # fmt: skip
    (found,) = circles(root)
    assert "crate::d" in found


def test_tests_comments_and_texts_count_for_nothing(tmp_path):
    root = make(tmp_path, {
        "lib.rs": "mod a;\nmod b;\n#[cfg(test)]\nmod checks;\n",
        "a.rs": "use crate::b::B;\npub struct A(B);\n",
        "b.rs": '//! [`crate::a::A`]\npub struct B;\nconst T: &str = "crate::a::A";\n'
                "#[cfg(test)]\nuse crate::a::{A};\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n",
        "checks.rs": "use crate::a::A;\nuse crate::b::B;\n",
    })  # fmt: skip
    assert circles(root) == []


def test_each_circle_is_named_once(tmp_path):
    root = make(tmp_path, {
        "lib.rs": "mod a;\nmod b;\nmod c;\nmod d;\n",
        "a.rs": "use crate::b::X;\npub struct X1;\n",
        "b.rs": "use crate::c::X;\npub struct X;\n",
        "c.rs": "use crate::a::X1;\npub struct X;\nuse crate::d::Y;\n",
        "d.rs": "pub struct Y;\n",
    })  # fmt: skip
    (found,) = circles(root)
    assert found.startswith("circle of 3 modules")


def test_the_paths_of_a_use():
    paths = flatten("a::{self, b::{c, d as e}, f::*, g}")
    assert paths == [(["a"], "a"), (["a", "b", "c"], "c"), (["a", "b", "d"], "e"), (["a", "f", "*"], "*"), (["a", "g"], "g")]


def test_what_is_left_of_code_keeps_its_lines():
    code = "fn a() { 'x'; \"}\" }\n#[cfg(test)]\n#[allow(x)]\nmod t {\n fn b() {}\n}\nfn c<'a>(_: &'a str) {}\n"
    left = without_tests(code)
    assert left.count("\n") == code.count("\n") and "fn a()" in left and "fn c<'a>(_: &'a str)" in left and "fn b" not in left


def test_arrows_between_crates():
    assert crates.wrong_arrows({"hadoop-rpc": {"tokio"}, "yarn-api": {"hadoop-rpc"}}) == []
    assert crates.wrong_arrows({"hadoop-rpc": {"yarn-api"}}) == ["hadoop-rpc -> yarn-api does not lead downward"]
    assert crates.wrong_arrows({"hadoop-fs": {"yarn-api"}}) == ["hadoop-fs -> yarn-api does not lead downward"]
    assert crates.wrong_arrows({"flink-model": {"tokio"}}) == ["flink-model must not depend on tokio"]
    assert crates.wrong_arrows({"new": set()}) == ["new has no layer"]
