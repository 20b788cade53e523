//! One file and one line for each subject.

use crate::board::Board;

mod amalgam;
mod cached;
mod cachet;
mod hitbox_fn;
mod larder;
mod moka;
mod quick_cache;

/// Everything that is measured, in the order of the report. Baselines come first.
pub fn all() -> Board {
    let mut board = Board::default();
    quick_cache::register(&mut board);
    larder::register(&mut board);
    moka::register(&mut board);
    cached::register(&mut board);
    hitbox_fn::register(&mut board);
    cachet::register(&mut board);
    amalgam::register(&mut board);
    board
}
