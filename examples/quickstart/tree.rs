//! The files of a directory tree, within limits.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::table::number;

const MOST_FILES: usize = 10_000;
const MOST_BYTES: u64 = 256 << 20;
const LARGEST_FILE: u64 = 16 << 20;

/// The files that were found, and what was left out.
#[derive(Default)]
pub(crate) struct Tree {
    root: PathBuf,
    pub(crate) files: Vec<String>,
    bytes: u64,
    is_cut: bool,
    too_large: u64,
    unreadable: u64,
    not_text: u64,
}

impl Tree {
    /// Walks a directory, but not into `.git` and `target`, and along no link.
    pub(crate) fn walk(root: &Path) -> Result<Self, String> {
        let fault = |error| format!("`{}`: {error}", root.display());
        if !fs::metadata(root).map_err(fault)?.is_dir() {
            return Err(format!("`{}` is not a directory", root.display()));
        }
        fs::read_dir(root).map_err(fault)?;
        let mut tree = Self {
            root: root.to_owned(),
            ..Self::default()
        };
        let mut directories = vec![root.to_owned()];
        while let Some(directory) = directories.pop() {
            match fs::read_dir(&directory) {
                Ok(entries) => tree.take(entries, &mut directories),
                Err(_) => tree.unreadable += 1,
            }
            if tree.is_cut {
                break;
            }
        }
        tree.files.sort();
        Ok(tree)
    }

    fn take(&mut self, entries: fs::ReadDir, directories: &mut Vec<PathBuf>) {
        for entry in entries.flatten() {
            if self.files.len() >= MOST_FILES || self.bytes >= MOST_BYTES {
                self.is_cut = true;
                return;
            }
            let (name, path) = (entry.file_name(), entry.path());
            let path = path.strip_prefix(".").unwrap_or(&path);
            match entry.metadata() {
                Ok(about) if about.is_dir() && name != ".git" && name != "target" => {
                    directories.push(path.to_owned());
                }
                Ok(about) if about.is_file() => self.file(path, about.len()),
                Ok(_) => {}
                Err(_) => self.unreadable += 1,
            }
        }
    }

    fn file(&mut self, path: &Path, size: u64) {
        match path.to_str() {
            _ if size > LARGEST_FILE => self.too_large += 1,
            None => self.not_text += 1,
            Some(name) => {
                self.bytes += size;
                self.files.push(name.to_owned());
            }
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, size) = (number(self.files.len() as u64), number(self.bytes >> 10));
        write!(f, "{}: {files} files, {size} KiB", self.root.display())?;
        if self.is_cut {
            write!(f, " of more: this is as much as quickstart takes")?;
        }
        for (count, why) in [
            (self.too_large, "too large"),
            (self.unreadable, "that cannot be opened"),
            (self.not_text, "whose names are not UTF-8"),
        ] {
            if count > 0 {
                write!(f, "\nleft out: {} {why}", number(count))?;
            }
        }
        Ok(())
    }
}
