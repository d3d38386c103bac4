"""Exceptions from the rules of the compiler have reasons, and only listed files have `unsafe` code."""

from . import exceptions


def test_each_exception_has_its_reason():
    found = [f"{name}:{line}" for name, text in exceptions.rust_files().items() for line in exceptions.without_reason(text)]
    assert not found, "give each a `reason = \"...\"`: " + ", ".join(found)


def test_unsafe_code_is_where_it_may_be_and_says_why_it_is_sound():
    files = {name: text for name, text in exceptions.rust_files().items() if exceptions.UNSAFE.search(exceptions.code_of(text))}
    assert set(files) == exceptions.UNSAFE_FILES
    assert not [f"{name}:{line}" for name, text in files.items() for line in exceptions.unsound(text)]


def test_no_manifest_turns_a_lint_off():
    assert not exceptions.lints_turned_off()


# ---- the checks themselves


def test_an_exception_without_a_reason_is_found():
    text = """
#![allow(dead_code)]
// #[allow(unused)]
const TEXT: &str = "#[allow(unused)]";
#[allow(clippy::panic, reason = "")]
#[expect(clippy::panic, reason = "it cannot be otherwise")]
#![cfg_attr(test, allow(clippy::unwrap_used))]
#[allow(
    clippy::expect_used,
    reason = "tests lay out directories [of their own]"
)]
fn f() {}
"""
    assert exceptions.without_reason(text) == [2, 5, 7]


def test_unsafe_code_without_a_word_is_found():
    text = """
#![allow(unsafe_code, reason = "it calls C")]
// SAFETY: it is.
unsafe impl Send for A {}
fn f() {
    // SAFETY: nothing can go wrong.
    call(1, 2, unsafe { g() });
    let unsafe_name = 1;
    let x = unsafe { g() };
}
"""
    assert exceptions.unsound(text) == [9]
