//! `cargo xtask book`: the guide as a book, if mdBook is there. The pages are plain Markdown and read without it.

use std::process::Command;

use crate::step::root;

/// Builds the guide into `target/book`.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    if let Some(argument) = arguments.first() {
        return Err(format!("`cargo xtask book` takes no `{argument}`"));
    }
    let guide = root().join("docs");
    let status = Command::new("mdbook").arg("build").arg(&guide).status();
    match status {
        Ok(status) if status.success() => {
            println!("open {}", root().join("target/book/index.html").display());
            Ok(())
        }
        Ok(status) => Err(format!("`mdbook build docs` ended with {status}")),
        Err(error) => Err(format!(
            "`mdbook` cannot be run ({error}): `cargo install mdbook` brings it; without it, begin to read at docs/SUMMARY.md"
        )),
    }
}
