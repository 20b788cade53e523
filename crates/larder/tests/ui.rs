//! What the compiler says when an attribute is used wrongly: one case a file, its words beside it.
//!
//! `TRYBUILD=overwrite cargo test -p larder --test ui` writes the words anew; read them as a user would.

#![cfg(feature = "macros")]

// Apart from each other: cases that must compile are built, and one of them would have all others built too instead of checked.

#[test]
fn what_is_right_compiles() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

#[test]
fn each_mistake_is_answered_at_its_token_with_the_mend() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*.rs");
    if cfg!(not(feature = "jwt")) {
        cases.compile_fail("tests/ui/fail_without_jwt/*.rs");
    }
}
