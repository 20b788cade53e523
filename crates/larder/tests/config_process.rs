//! What a process gets from a file, a working directory and its environment. Each case is a process of its own, because the default cache is the process's.

#![cfg(all(feature = "yaml", feature = "toml"))]

mod shelf;

use larder::__private::wait;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

const CASE: &str = "CONFIG_CASE";

/// A directory of one case, gone with it.
struct Directory(PathBuf);

impl Directory {
    fn of(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("larder-config-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        for (name, text) in files {
            std::fs::write(path.join(name), text).unwrap();
        }
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs one of the cases below in a process of its own.
fn run(case: &str, directory: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "one_case", "--nocapture"])
        .current_dir(directory);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LARDER_")) {
        command.env_remove(name);
    }
    command.env(CASE, case).env("RUST_BACKTRACE", "0");
    command.envs(variables.iter().copied()).output().unwrap()
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn works(case: &str, files: &[(&str, &str)], variables: &[(&str, &str)]) {
    let directory = Directory::of(files);
    let output = run(case, &directory.0, variables);
    assert!(output.status.success(), "{case}: {}", told(&output));
    assert!(
        told(&output).contains("1 passed"),
        "{case} did not run: {}",
        told(&output)
    );
}

/// The body of a case; nothing when the test runs by itself.
#[test]
fn one_case() {
    shelf::known();
    match std::env::var(CASE).as_deref() {
        Ok("first use") => assert_eq!(capacity(&larder::cache()), 7),
        Ok("first use with a named one") => {
            assert_eq!(capacity(&larder::cache()), 7);
            assert_eq!(capacity(&larder::named("users").unwrap()), 3);
        }
        Ok("nothing") => {
            assert_eq!(larder::cache().name(), "default");
            assert!(capacity(&larder::cache()) > 100);
        }
        Ok("from a file") => {
            let set_up = wait(larder::setup_from_file("here.toml")).unwrap();
            assert_eq!(set_up.caches().len(), 2);
            assert_eq!(capacity(&larder::cache()), 7);
            assert_eq!(capacity(&larder::named("users").unwrap()), 3);
            assert!(set_up.cache("users").is_some() && set_up.cache("other").is_none());
            assert_eq!(set_up.advice()[0].id, "strict-without-fallback");
            let again = wait(larder::setup_from_file("here.toml")).unwrap_err();
            assert_eq!(again.kind(), larder::ErrorKind::AlreadySetUp);
        }
        Ok("a name is taken") => {
            let users = larder::Cache::builder().name("users").build().unwrap();
            larder::register(&users).unwrap();
            let taken = wait(larder::setup_from_file("here.toml")).unwrap_err();
            assert_eq!(
                taken.to_string(),
                "register: there is a cache named `users` already"
            );
            let late = larder::Cache::builder().name("late").build().unwrap();
            larder::set_default(late).expect("nothing was set up");
        }
        Ok("from the environment") => {
            let set_up = wait(larder::setup_from_env()).unwrap();
            assert_eq!(capacity(set_up.cache("default").unwrap()), 7);
        }
        Ok("an error from the environment") => {
            let error = wait(larder::setup_from_env()).unwrap_err();
            panic!("told: {error}");
        }
        Ok("code counts most") => {
            wait(larder::setup("memory://?size=7")).unwrap();
            assert_eq!(capacity(&larder::cache()), 7);
        }
        Ok("secrets") => {
            wait(larder::setup_from_file("here.yaml")).unwrap();
            let told = shelf::opened("desk").unwrap();
            assert_eq!(told.password.as_deref(), Some("from a file"));
            assert_eq!(told.prefix, "p:");
            assert_eq!(told.timeout.as_deref(), Some("200ms"));
            assert_eq!(told.shelves, Some(3));
            let told = shelf::opened("chair").unwrap();
            assert_eq!(told.password.as_deref(), Some("from a variable"));
        }
        Ok(other) => panic!("there is no case `{other}`"),
        Err(_) => {}
    }
}

/// How many entries it holds, found out by filling it.
fn capacity(cache: &larder::Cache) -> usize {
    for n in 0..200_u64 {
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl("1h")
            .wait()
            .unwrap();
    }
    cache.len()
}

#[test]
fn the_first_use_reads_what_the_environment_says() {
    works("nothing", &[], &[]);
    works("first use", &[], &[("LARDER_URL", "memory://?size=7")]);
    works("first use", &[], &[("LARDER_MEMORY_SIZE", "7")]);
    works("first use", &[("larder.yaml", "memory_size: 7\n")], &[]);
    works("first use", &[("larder.toml", "memory_size = 7\n")], &[]);
    works(
        "first use",
        &[("larder.yaml", "memory_size: 9\n")],
        &[("LARDER_MEMORY_SIZE", "7")],
    );
    let two = [
        ("larder.yaml", "memory_size: 9\n"),
        ("mine.toml", "memory_size = 7\n"),
    ];
    works("first use", &two, &[("LARDER_CONFIG", "mine.toml")]);
    let named = "caches: {default: {memory_size: 7}, users: {memory_size: 3}}";
    works("first use with a named one", &[("larder.yaml", named)], &[]);
}

#[test]
fn a_wrong_environment_is_a_loud_end_at_the_first_use() {
    let both = [
        ("larder.yaml", "ttl: 1m\n"),
        ("larder.toml", "ttl = \"1m\"\n"),
    ];
    for (files, variables, due) in [
        (
            &[("larder.yaml", "tll: 1m\n")][..],
            &[][..],
            "config: larder.yaml:1:1: unknown key `tll` (did you mean `ttl`?)",
        ),
        (
            &[],
            &[("LARDER_URL", "memroy://")],
            "config: LARDER_URL: unknown scheme `memroy` (did you mean `memory`?)",
        ),
        (
            &[],
            &[("LARDER_CONFIG", "missing.yaml")],
            "config: missing.yaml cannot be read: ",
        ),
        (
            &both,
            &[],
            "config: larder.yaml and larder.toml are both there: remove one, or name one in LARDER_CONFIG",
        ),
    ] {
        let directory = Directory::of(files);
        for (case, before) in [
            (
                "first use",
                "larder: the default cache cannot be made of what the environment says: ",
            ),
            ("an error from the environment", "told: "),
        ] {
            let output = run(case, &directory.0, variables);
            assert!(!output.status.success());
            let told = told(&output);
            assert!(told.contains(&format!("{before}{due}")), "{told}");
        }
    }
    let directory = Directory::of(&[]);
    let output = run("first use", &directory.0, &[("LARDER_TLL", "1m")]);
    assert!(told(&output).contains("Mend it there, or call `larder::setup_from_env().await`"));
}

#[test]
fn set_up_from_a_file_or_the_environment_is_all_or_nothing() {
    let file =
        "[caches.users]\nmemory_size = 3\nstrict = true\n[caches.default]\nmemory_size = 7\n";
    works("from a file", &[("here.toml", file)], &[]);
    works("a name is taken", &[("here.toml", file)], &[]);
    works("from the environment", &[("larder.toml", file)], &[]);
    works(
        "from the environment",
        &[],
        &[("LARDER_URL", "memory://?size=7")],
    );
}

#[test]
fn what_code_says_does_not_look_at_the_environment() {
    works(
        "code counts most",
        &[("larder.yaml", "tll: 1m\n")],
        &[("LARDER_URL", "memroy://")],
    );
}

#[test]
fn secrets_come_from_files_and_variables() {
    let file = "defaults: {prefix: 'p:'}\ncaches:\n  a: {url: shelf://desk, password_file: secret, shelves: 3, timeout: 200ms}\n  b: {url: shelf://chair, password_env: LARDER_PW}\n";
    let files = [("here.yaml", file), ("secret", "from a file\n")];
    works("secrets", &files, &[("LARDER_PW", "from a variable")]);
}
