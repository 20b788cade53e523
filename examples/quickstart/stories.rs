//! What happens to a value later: an edge, a stale hit, a failing source. On a copy, in a temporary directory.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use larder::{Source, cached, invalidates};

use crate::work::{counts, digest, render};

type Outcome = Result<(), Box<dyn std::error::Error>>;

pub(crate) async fn tell(files: &[String]) -> Outcome {
    let copy = Copy::of(files)?;
    edge(&copy.file).await?;
    stale(&copy.file).await?;
    fail_safe(&copy.file).await
}

#[invalidates(digest(path = path), counts(path = path), render(path = path))]
async fn rewrite(path: &str, text: &str) -> io::Result<()> {
    tokio::fs::write(path, text).await
}

async fn edge(file: &str) -> Outcome {
    println!(
        "An edge: `rewrite` is marked #[invalidates(digest(path = path), counts(path = path), ..)]"
    );
    let before = (digest(file).await?, lines(file)?);
    println!("  before            {}, lines: {}", before.0, before.1);
    let text = fs::read_to_string(file)? + "one more line\n";

    fs::write(file, &text)?;
    assert!(digest(file).await? == before.0 && lines(file)? == before.1);
    println!(
        "  changed by others {}, old: no edge told the cache",
        digest(file).await?
    );

    rewrite(file, &text).await?;
    let after = (digest(file).await?, lines(file)?);
    assert!(after.0 != before.0 && after.1 == before.1 + 1);
    println!("  after rewrite     {}, lines: {}, new", after.0, after.1);

    let nowhere = format!("{file}/nowhere");
    assert!(rewrite(&nowhere, "").await.is_err());
    println!("  a rewrite that fails forgets nothing\n");
    Ok(())
}

fn lines(file: &str) -> io::Result<usize> {
    Ok(counts(file)?.map_or(0, |counts| counts.lines))
}

const TTL: Duration = Duration::from_millis(40);

#[cached(key = "last:{path}", ttl = TTL, stale = "1h", tags = ["last lines"])]
async fn last_line(path: &str) -> io::Result<String> {
    let text = tokio::fs::read_to_string(path).await?;
    Ok(text.lines().last().unwrap_or_default().to_owned())
}

async fn stale(file: &str) -> Outcome {
    println!(
        "A stale hit: ttl = 40 ms, stale = \"1h\"; 80 ms of real time pass, the file changes meanwhile"
    );
    let old = last_line(file).await?;
    fs::write(file, "rewritten\n")?;
    tokio::time::sleep(TTL * 2).await;

    println!("  last_line::explain(path) says:");
    let explain = last_line::explain(file).await?.to_string();
    explain.lines().for_each(|line| println!("    {line}"));
    let (answer, reads) = larder::detect_async(last_line(file)).await;
    assert_eq!((answer?, reads[0].source), (old.clone(), Source::Refresh));
    println!("  the call gives    \"{old}\", at once, and a reload starts behind it");

    let reloaded = async {
        while last_line::peek(file).await?.as_ref() == Some(&old) {
            tokio::task::yield_now().await;
        }
        Ok::<_, larder::Error>(())
    };
    tokio::time::timeout(Duration::from_secs(10), reloaded).await??;
    let new = last_line(file).await?;
    assert_eq!(new, "rewritten");
    println!("  the next one      \"{new}\"\n");
    Ok(())
}

#[cached(key = "size:{path}", ttl = TTL, fail_safe = "1h")]
async fn size(path: &str) -> io::Result<u64> {
    Ok(tokio::fs::metadata(path).await?.len())
}

async fn fail_safe(file: &str) -> Outcome {
    println!(
        "A source that fails: ttl = 40 ms, fail_safe = \"1h\"; 80 ms of real time pass, the file is removed"
    );
    let good = size(file).await?;
    fs::remove_file(file)?;
    tokio::time::sleep(TTL * 2).await;

    let Err(error) = size::uncached(file).await else {
        return Err("the file that was removed is still there".into());
    };
    println!("  without the cache {error}");
    let (answer, reads) = larder::detect_async(size(file)).await;
    assert_eq!((answer?, reads[0].source), (good, Source::Saved));
    println!("  the call gives    {good} bytes, the last good value");
    let (answer, loads) = (size(file).await?, size::stats().loads);
    assert_eq!((answer, loads), (good, 2));
    println!("  the next one too, without asking the source: it is left alone for 10 s");
    Ok(())
}

/// A copy of some text file, in a directory that goes when this is dropped.
struct Copy {
    directory: PathBuf,
    file: String,
}

impl Copy {
    fn of(files: &[String]) -> io::Result<Self> {
        let name = format!("larder-quickstart-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory)?;
        let copy = Self {
            file: directory.join("copy.txt").display().to_string(),
            directory,
        };
        let text = files.iter().find_map(|file| {
            let text = fs::read_to_string(file).ok()?;
            println!("What follows happens to a copy of {file}.\n");
            Some(text.trim_end().to_owned() + "\n")
        });
        fs::write(&copy.file, text.unwrap_or_default())?;
        Ok(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // A directory that cannot be removed is no reason to fail: it is a temporary one.
        drop(fs::remove_dir_all(&self.directory));
    }
}
