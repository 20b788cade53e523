use std::rc::Rc;

use larder::background;

#[background(every = "30s")]
async fn rates() -> u64 {
    let here = Rc::new(7);
    std::future::ready(()).await;
    *here
}

fn main() {}
