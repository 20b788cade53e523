//! What the compiler says when an attribute is used wrongly: one case a file, its words beside it.
//!
//! `TRYBUILD=overwrite cargo test -p larder --test ui` writes the words anew; read them as a user would.

#![cfg(feature = "macros")]

// Apart from each other: cases that must compile are built, and one of them would have all others built too instead of checked.

#[test]
fn what_is_right_compiles() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    // What a method's constants say is known only when it is built.
    cases.compile_fail("tests/ui/fail_when_built/*.rs");
}

#[test]
fn each_mistake_is_answered_at_its_token_with_the_mend() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*.rs");
    if cfg!(not(feature = "jwt")) {
        cases.compile_fail("tests/ui/fail_without_jwt/*.rs");
    }
}
