//! The store in files: the suite.

mod disk;

use disk::{Directory, Opened, drive, open, parked, run};
use larder::conformance;
use proptest::prelude::*;

#[test]
fn a_directory_does_what_every_store_must() {
    let directory = Directory::new();
    let url = format!("file://{}?sweep=20ms", directory.path().display());
    run(conformance::all(&Opened(url)));
}

#[test]
fn a_directory_does_so_for_callers_that_park() {
    let directory = Directory::new();
    let url = format!("file://{}", directory.path().display());
    parked(conformance::all(&Opened(format!(
        "{url}?sync_reads=inline"
    ))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn two_handles_do_what_the_model_does(steps in disk::model::steps()) {
        let directory = Directory::new();
        let url = format!("file://{}", directory.path().display());
        let handles = [open(&url, "").unwrap(), open(&url, "").unwrap()];
        drive(disk::model::compare([&*handles[0], &*handles[1]], steps));
    }
}
