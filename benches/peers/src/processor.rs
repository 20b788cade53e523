//! Keeps measured threads apart: two threads that the scheduler put on one processor would measure the scheduler.

/// Binds this thread to the `index`th of the processors that the process may use.
#[cfg(target_os = "linux")]
pub fn pin(index: u64) {
    // SAFETY: `cpu_set_t` is plain data for which all zeroes is a value, and both calls get its true size.
    unsafe {
        let size = size_of::<libc::cpu_set_t>();
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size, &mut allowed) != 0 {
            return;
        }
        let usable: Vec<usize> = (0..libc::CPU_SETSIZE as usize)
            .filter(|&processor| libc::CPU_ISSET(processor, &allowed))
            .collect();
        let mut own: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(usable[index as usize % usable.len()], &mut own);
        // Refused in some sandboxes; then the scheduler decides, as it would without us.
        libc::sched_setaffinity(0, size, &own);
    }
}

#[cfg(not(target_os = "linux"))]
pub fn pin(_index: u64) {}
