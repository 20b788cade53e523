//! Caches what is computed from the files of a directory tree, and shows what that saves.
//!
//! `cargo run --release --example quickstart [-- DIR]`; without DIR it walks this repository.

mod stories;
mod table;
mod tree;
mod work;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use table::{Row, Table};
use tree::Tree;

const USAGE: &str = "usage: cargo run --release --example quickstart [-- DIR]";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let root = match &arguments[..] {
        [] => repository(),
        [help] if help == Path::new("--help") || help == Path::new("-h") => {
            println!("{USAGE}\nDIR is the tree to walk; without it, this repository.");
            return ExitCode::SUCCESS;
        }
        [directory] => directory.clone(),
        _ => return refuse("one directory at most"),
    };
    let tree = match Tree::walk(&root) {
        Ok(tree) => tree,
        Err(fault) => return refuse(&fault),
    };
    match run(&tree).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("quickstart: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn refuse(fault: &str) -> ExitCode {
    eprintln!("quickstart: {fault}\n{USAGE}");
    ExitCode::from(2)
}

/// The repository's root, as short as it can be said from where we are.
fn repository() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (Ok(root), Ok(here)) = (root.canonicalize(), std::env::current_dir()) else {
        return root;
    };
    if root == here {
        PathBuf::from(".")
    } else {
        root
    }
}

async fn run(tree: &Tree) -> Result<(), Box<dyn std::error::Error>> {
    println!("{tree}\n");
    // Three entries a file, and some room, so that no entry has to make way for another.
    larder::setup(&format!("memory://?size={}", 4 * tree.files.len() + 1_000)).await?;

    let digest = Row::measure("digest (async)", tree, work::digest, work::digest::stats).await;
    let counts = async |path: &str| work::counts(path);
    let counts = Row::measure("counts (sync)", tree, counts, work::counts::stats).await;
    let render = Row::measure("render (async)", tree, work::render, work::render::stats).await;
    println!("{}", Table(vec![digest, counts, render]));

    stories::tell(&tree.files).await
}
