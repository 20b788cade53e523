//! The scripts: each is one step for the server, sent by its hash.

use std::sync::LazyLock;

use ::redis::{Arg, Cmd, Script};

/// A script, known to the server by its hash once it has run there.
pub(super) struct Lua {
    code: &'static str,
    hash: String,
}

macro_rules! scripts {
    ($($name:ident = $file:literal;)*) => {
        $(pub(super) static $name: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!($file)));)*
    };
}

scripts! {
    READ = "read.lua";
    FILL = "fill.lua";
    WRITE = "write.lua";
    TOUCH = "touch.lua";
    REMOVE = "remove.lua";
    VERSIONS = "versions.lua";
    FORGET = "forget.lua";
    ADD = "add.lua";
    ACQUIRE = "acquire.lua";
    RENEW = "renew.lua";
    RELEASE = "release.lua";
    ADMIT = "admit.lua";
    SET_BITS = "set_bits.lua";
}

impl Lua {
    fn new(code: &'static str) -> Self {
        let hash = Script::new(code).get_hash().to_owned();
        Self { code, hash }
    }

    /// The call of this script with so many keys; keys and arguments follow. `room` is about how long they are together.
    pub(super) fn call(&self, keys: usize, arguments: usize, room: usize) -> Cmd {
        let mut cmd = Cmd::with_capacity(3 + keys + arguments, 64 + room);
        cmd.arg("EVALSHA").arg(self.hash.as_str()).arg(keys);
        cmd
    }

    /// The same call with the whole text, for a server that does not know the hash (yet, or since it was started anew).
    fn whole(&self, call: &Cmd) -> Cmd {
        let mut cmd = Cmd::new();
        cmd.arg("EVAL").arg(self.code);
        for argument in call.args_iter().skip(2) {
            if let Arg::Simple(bytes) = argument {
                cmd.arg(bytes);
            }
        }
        cmd
    }
}

/// The call with the text of its script, if it is one by hash.
pub(super) fn whole(call: &Cmd) -> Option<Cmd> {
    let mut arguments = call.args_iter();
    let (Some(Arg::Simple(b"EVALSHA")), Some(Arg::Simple(hash))) =
        (arguments.next(), arguments.next())
    else {
        return None;
    };
    let all = [
        &READ, &FILL, &WRITE, &TOUCH, &REMOVE, &VERSIONS, &FORGET, &ADD, &ACQUIRE, &RENEW,
        &RELEASE, &ADMIT, &SET_BITS,
    ];
    let script = all
        .into_iter()
        .find(|script| script.hash.as_bytes() == hash)?;
    Some(script.whole(call))
}
