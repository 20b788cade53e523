use larder::cached;

#[cached(key = "user:{ids}", skip = [org])]
const fn user((org, _): (u64, u64), id: u64) -> &'static mut u64 {
    loop {}
}

fn main() {}
