//! The default cache of a process is set up once, before its first use.

use larder::{Cache, ErrorKind};

/// One test, because the default cache is the process's.
#[test]
fn the_default_cache_is_set_up_once() {
    let wrong = larder::__private::wait(larder::setup("memroy://")).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Config, "a mistake sets nothing up");
    let cache = larder::__private::wait(larder::setup("memory://?size=7&ttl=1h")).unwrap();
    assert_eq!(cache.name(), "default");
    for n in 0..100_u64 {
        larder::cache()
            .blocking()
            .set(format!("k:{n}"), &n)
            .wait()
            .unwrap();
    }
    assert_eq!(cache.len(), 7, "what is used is what was set up");
    let again = larder::__private::wait(larder::setup("memory://")).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadySetUp);
    assert_eq!(
        again.to_string(),
        "set_default: the default cache was set up or used before: set it up once, at the start of the program"
    );
    let late = larder::set_default(Cache::builder().build().unwrap()).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::AlreadySetUp);
    assert_eq!(larder::cache().len(), 7);
    let seen = std::thread::spawn(|| larder::cache().len()).join().unwrap();
    assert_eq!(seen, 7, "by all threads");
}
