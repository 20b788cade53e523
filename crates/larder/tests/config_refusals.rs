//! What is told when a configuration is written wrong: the exact text, with file, line and column.

#![cfg(all(feature = "yaml", feature = "toml"))]

mod shelf;

use larder::ErrorKind;
use larder::config::Configuration;

/// Name or URL, text, what is told.
const CASES: &[(&str, &str, &str)] = &[
    // What YAML itself refuses.
    (
        "a.yaml",
        "",
        "config: a.yaml:1:1: this file says nothing: write at least `url: memory://`",
    ),
    (
        "a.yaml",
        "# only a comment\n",
        "config: a.yaml:2:1: this file says nothing: write at least `url: memory://`",
    ),
    (
        "a.yaml",
        "- url: memory://\n",
        "config: a.yaml:1:1: a configuration is a mapping, like `url: memory://`, but this is a list",
    ),
    (
        "a.yaml",
        "memory://\n",
        "config: a.yaml:1:1: a configuration is a mapping, like `url: memory://`, but this is the text `memory://`",
    ),
    (
        "a.yaml",
        "url: [unclosed\nttl: 10m\n",
        "config: a.yaml:2:4: this is no YAML: illegal placement of ':' indicator",
    ),
    (
        "a.yaml",
        "ttl: 10m\nstale: 1h\nttl: 5m\n",
        "config: a.yaml:3:1: `ttl` stands here twice: leave one out",
    ),
    (
        "a.yaml",
        "caches:\n  users:\n    ttl: 1m\n  users:\n    ttl: 2m\n",
        "config: a.yaml:4:3: `users` stands here twice: leave one out",
    ),
    (
        "a.yaml",
        "url: shelf://a\nroutes:\n  \"s:\": shelf://b\n  \"s:\": shelf://c\n",
        "config: a.yaml:4:3: `s:` stands here twice: leave one out",
    ),
    (
        "a.yaml",
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
        "config: a.yaml:5:11: this file is larger or deeper than a configuration can be",
    ),
    (
        "a.yaml",
        "a: [[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]\n",
        "config: a.yaml:1:20: this file is larger or deeper than a configuration can be",
    ),
    (
        "a.yaml",
        "---\nttl: 1m\n---\nttl: 2m\n",
        "config: a.yaml:4:1: this is no YAML: only single YAML document expected but multiple found",
    ),
    // What TOML itself refuses.
    (
        "a.toml",
        "",
        "config: a.toml:1:1: this file says nothing: write at least `url: memory://`",
    ),
    (
        "a.toml",
        "ttl = 10m\n",
        "config: a.toml:1:7: this is no TOML: string values must be quoted, expected literal string",
    ),
    (
        "a.toml",
        "ttl = \"10m\"\nstale = \"1h\"\nttl = \"5m\"\n",
        "config: a.toml:3:1: `ttl` stands here twice: leave one out",
    ),
    (
        "a.toml",
        "[caches.users]\nttl = \"1m\"\n[caches.users]\nttl = \"2m\"\n",
        "config: a.toml:3:9: `users` stands here twice: leave one out",
    ),
    (
        "a.toml",
        "url = \"shelf://a\"\n[routes]\n\"s:\" = \"shelf://b\"\n\"s:\" = \"shelf://c\"\n",
        "config: a.toml:4:1: `s:` stands here twice: leave one out",
    ),
    (
        "a.toml",
        "ttl = 1979-05-27\n",
        "config: a.toml:1:7: `ttl`: expected a span of time like `10m`, with its unit,, but this is a date",
    ),
    (
        "a.toml",
        "hits = 99999999999999999999999999999999999999999\n",
        "config: a.toml:1:8: a number out of range",
    ),
    (
        "a.toml",
        "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a = 1\n",
        "config: a.toml:1:34: this file is larger or deeper than a configuration can be",
    ),
    (
        "a.ini",
        "ttl = 10m\n",
        "config: a.ini ends with none of `.yaml`, `.yml` and `.toml`, so it is not known how to read it",
    ),
    // Keys that are not known, and the nearest.
    (
        "a.yaml",
        "tll: 10m\n",
        "config: a.yaml:1:1: unknown key `tll` (did you mean `ttl`?)",
    ),
    (
        "a.toml",
        "\n\n  tll = \"10m\"\n",
        "config: a.toml:3:3: unknown key `tll` (did you mean `ttl`?)",
    ),
    (
        "a.yaml",
        "cahces:\n  users: shelf://a\n",
        "config: a.yaml:1:1: unknown key `cahces` (did you mean `caches`?)",
    ),
    (
        "a.yaml",
        "caches:\n  users:\n    url: shelf://a\n    prefxi: x\n",
        "config: a.yaml:4:5: unknown key `prefxi` (did you mean `prefix`?)",
    ),
    (
        "a.yaml",
        "caches:\n  users:\n    url: shelf://a\n    shevles: 3\n",
        "config: a.yaml:4:5: unknown key `shevles` (did you mean `shelves`?)",
    ),
    (
        "a.yaml",
        "caches:\n  users:\n    bananas: 3\n",
        "config: a.yaml:3:5: unknown key `bananas`; there is url, levels, routes, timeout, sweep_timeout, breaker, probe, remember, remembered, in_flight, the settings of a cache like `prefix`, of its policy like `ttl` and of its codec like `format`",
    ),
    (
        "a.yaml",
        "url: shelf://a\nbananas: 3\n",
        "config: a.yaml:2:1: unknown key `bananas`; there is breaker, client_side, dedupe, in_flight, key_env, key_file, password_env, password_file, probe, remember, remembered, shelves, sweep_timeout, timeout, ttl_cap, wood, the settings of a cache like `prefix`, of its policy like `ttl` and of its codec like `format`",
    ),
    (
        "a.yaml",
        "defaults:\n  tll: 10m\ncaches:\n  a:\n",
        "config: a.yaml:2:3: unknown key `tll` (did you mean `ttl`?)",
    ),
    (
        "a.yaml",
        "defaults:\n  url: shelf://a\ncaches:\n  a:\n",
        "config: a.yaml:2:3: `url` is no default: put it into a cache",
    ),
    (
        "a.yaml",
        "defaulst:\n  ttl: 1m\ncaches:\n  a:\n",
        "config: a.yaml:1:1: unknown key `defaulst` (did you mean `defaults`?)",
    ),
    (
        "a.yaml",
        "ttl: 1m\ncaches:\n  a:\n",
        "config: a.yaml:1:1: `ttl` stands beside `caches`: put it into one of them, or into `defaults`",
    ),
    (
        "a.yaml",
        "url: shelf://a\ncaches:\n  a:\n",
        "config: a.yaml:1:1: `url` stands beside `caches`: put it into one of them",
    ),
    (
        "a.yaml",
        "levels:\n  - url: shelf://a\n    tiemout: 1s\n",
        "config: a.yaml:3:5: unknown key `tiemout` (did you mean `timeout`?)",
    ),
    (
        "a.yaml",
        "levels:\n  - memory://\n  - url: shelf://a\n    prefix: x\n",
        "config: a.yaml:4:5: `prefix` concerns the whole cache: put it beside `levels`",
    ),
    (
        "a.yaml",
        "levels:\n  - url: memory://\n    sizes: 3\n  - shelf://a\n",
        "config: a.yaml:3:5: unknown key `sizes` (did you mean `size`?)",
    ),
    (
        "a.yaml",
        "levels:\n  - ttl_cap: 3s\n",
        "config: a.yaml:2:5: a level needs a `url`",
    ),
    (
        "a.yaml",
        "levels: []\n",
        "config: a.yaml:1:9: an empty list of levels: leave `levels` out",
    ),
    (
        "a.yaml",
        "levels: shelf://a\n",
        "config: a.yaml:1:9: expected a list of URLs or of mappings with `url`, from near to far, but this is the text `shelf://a`",
    ),
    (
        "a.yaml",
        "levels:\n  - shelf://a shelf://b\n",
        "config: a.yaml:2:5: a level is one URL: give each its own entry of the list",
    ),
    (
        "a.yaml",
        "levels: [shelf://a, shelf://b]\nttl_cap: 1m\n",
        "config: a.yaml:2:1: `ttl_cap` concerns one level: put it into its URL or its entry of `levels`",
    ),
    (
        "a.yaml",
        "url: shelf://a\nlevels: [shelf://b]\n",
        "config: a.yaml:2:1: `url` and `levels` both say where values are kept: leave one out",
    ),
    (
        "a.yaml",
        "caches:\n  a:\n    name: b\n",
        "config: a.yaml:3:5: a cache has no `name` of its own: it is the key under `caches`",
    ),
    (
        "a.yaml",
        "caches:\n  \"\": shelf://a\n",
        "config: a.yaml:2:3: a cache needs a name",
    ),
    (
        "a.yaml",
        "caches: [a, b]\n",
        "config: a.yaml:1:9: expected a mapping from names to caches, but this is a list",
    ),
    // Values of the wrong type.
    (
        "a.yaml",
        "ttl: 600\n",
        "config: a.yaml:1:6: `ttl`: expected a span of time like `10m`, with its unit,, but this is the number `600`",
    ),
    (
        "a.yaml",
        "ttl: ten minutes\n",
        "config: a.yaml:1:6: `ttl`: a duration starts with a number: write it like `10m`, `1h30m`, `1.5s` or `forever`",
    ),
    (
        "a.yaml",
        "ttl: \"10\"\n",
        "config: a.yaml:1:6: `ttl`: a duration needs a unit: `10s`, `10m`, `10h`, `10d` (also `w`, `ms`, `us`, `ns`)",
    ),
    (
        "a.yaml",
        "ttl: 0s\n",
        "config: a.yaml:1:6: `ttl`: a duration cannot be zero: write a longer one, or leave the setting out",
    ),
    (
        "a.yaml",
        "ttl:\n",
        "config: a.yaml:1:4: `ttl`: expected a span of time like `10m`, with its unit,, but there is nothing",
    ),
    (
        "a.yaml",
        "ttl: [1m]\n",
        "config: a.yaml:1:6: `ttl`: expected a span of time like `10m`, with its unit,, but this is a list",
    ),
    (
        "a.yaml",
        "prefix: 5\n",
        "config: a.yaml:1:9: `prefix`: expected text, but this is the number `5`",
    ),
    (
        "a.yaml",
        "prefix: {a: b}\n",
        "config: a.yaml:1:9: `prefix`: expected text, but this is a mapping",
    ),
    (
        "a.toml",
        "prefix = true\n",
        "config: a.toml:1:10: `prefix`: expected text, but this is `true`",
    ),
    (
        "a.yaml",
        "strict: yes\n",
        "config: a.yaml:1:9: `strict`: expected `true` or `false`, but this is the text `yes`",
    ),
    (
        "a.yaml",
        "memory_size: many\n",
        "config: a.yaml:1:14: `memory_size`: expected a whole number, but this is the text `many`",
    ),
    (
        "a.yaml",
        "memory_size: 0\n",
        "config: a.yaml:1:14: `memory_size`: give it at least 1",
    ),
    (
        "a.yaml",
        "memory_size: -1\n",
        "config: a.yaml:1:14: `memory_size`: expected a whole number, but this is the number `-1`",
    ),
    (
        "a.yaml",
        "memory_size: 1.5\n",
        "config: a.yaml:1:14: `memory_size`: expected a whole number, but this is the number `1.5`",
    ),
    (
        "a.yaml",
        "memory_weight: heavy\n",
        "config: a.yaml:1:16: `memory_weight`: a size is a number and a unit, such as `64mb` or `512kib`",
    ),
    (
        "a.yaml",
        "jitter: 10\n",
        "config: a.yaml:1:9: `jitter`: expected a share like `10%`, but this is the number `10`",
    ),
    (
        "a.yaml",
        "jitter: \"100%\"\n",
        "config: a.yaml:1:9: `jitter`: a share is text like \"10%\" or a number between 0 and 1 like 0.1",
    ),
    (
        "a.yaml",
        "early: 60\n",
        "config: a.yaml:1:8: `early`: expected a span like `1m` or a share of the ttl like `33%`, but this is the number `60`",
    ),
    (
        "a.yaml",
        "hits: 0\n",
        "config: a.yaml:1:7: `hits`: a count is a whole number from 1 to 4294967295",
    ),
    (
        "a.yaml",
        "entry_weight: 0\n",
        "config: a.yaml:1:15: `entry_weight`: a weight is a whole number from 1 to 4294967295",
    ),
    (
        "a.yaml",
        "background_loads: few\n",
        "config: a.yaml:1:19: `background_loads`: expected a whole number, but this is the text `few`",
    ),
    (
        "a.yaml",
        "url: 5\n",
        "config: a.yaml:1:6: `url`: expected text, but this is the number `5`",
    ),
    (
        "a.yaml",
        "url: shelf://a\ntimeout: 200\n",
        "config: a.yaml:2:10: `timeout`: expected a span of time like `10m`, with its unit,, but this is the number `200`",
    ),
    (
        "a.yaml",
        "url: shelf://a\ntimeout: forever\n",
        "config: a.yaml:2:10: `timeout`: this has to end: give it a span like `10m`",
    ),
    (
        "a.yaml",
        "url: shelf://a\nshelves: [1]\n",
        "config: a.yaml:2:10: `shelves`: expected a text, a number, `true` or `false`, but this is a list",
    ),
    (
        "a.yaml",
        "prefix: \"a:\"\nurl: shelf://a\nshelves: many\n",
        "config: a.yaml:3:10: `shelves=many`: expected a whole number",
    ),
    (
        "a.yaml",
        "url: shelf://a\nwood: oka\n",
        "config: a.yaml:2:7: unknown value of `wood` `oka` (did you mean `oak`?); there is oak, pine",
    ),
    (
        "a.yaml",
        "prefix: p\nurl:   shelf://a?shelves=many\n",
        "config: a.yaml:2:8: `shelves=many`: expected a whole number",
    ),
    // Places.
    (
        "a.yaml",
        "ttl: 1m\nurl: shlef://a\n",
        "config: a.yaml:2:6: unknown scheme `shlef` (did you mean `shelf`?)",
    ),
    (
        "a.yaml",
        "url: nowhere\n",
        "config: a.yaml:1:6: this is no cache URL: write it like `memory://?size=10000` or `redis://localhost/0`",
    ),
    (
        "a.yaml",
        "url: shelf://\n",
        "config: a.yaml:1:6: `shelf://` needs a place",
    ),
    (
        "a.yaml",
        "url: memory://here\n",
        "config: a.yaml:1:6: `memory://` names no place: leave out `here`",
    ),
    (
        "a.yaml",
        "url: memory://?szie=3\n",
        "config: a.yaml:1:6: unknown parameter `szie` (did you mean `size`?)",
    ),
    (
        "a.yaml",
        "url: shelf://a memory://\n",
        "config: a.yaml:1:6: `memory://` comes first, and once: nothing is nearer",
    ),
    (
        "a.yaml",
        "url: shelf://a off://\n",
        "config: a.yaml:1:6: `off://` stands alone: to keep the rest and switch it off, say `off=1`",
    ),
    (
        "a.yaml",
        "url: off:// shelf://a\n",
        "config: a.yaml:1:6: `off://` stands alone: to keep the rest and switch it off, say `off=1`",
    ),
    (
        "a.yaml",
        "url: shelf://a dir/x\n",
        "config: a.yaml:1:6: the URLs of a chain are set apart by spaces, and one of them is no URL: write a space within a URL as `%20`",
    ),
    (
        "a.yaml",
        "url: shelf://a?x=%zz\n",
        "config: a.yaml:1:6: the value of a parameter: expected two hex digits after `%`",
    ),
    (
        "a.yaml",
        "url: shelf://a:99999\n",
        "config: a.yaml:1:6: the port of `a`: expected a number from 0 to 65535",
    ),
    (
        "a.yaml",
        "url: shelf://a?shelves=1&shelves=2\n",
        "config: a.yaml:1:6: `shelves` stands in this URL twice: leave one out",
    ),
    (
        "a.yaml",
        "url: shelf://a?shelves=1\nshelves: 2\n",
        "config: a.yaml:2:1: `shelves` stands in the URL too: leave one out",
    ),
    (
        "a.yaml",
        "url: shelf://a?ttl=1m\nttl: 2m\n",
        "config: a.yaml:2:1: `ttl` is said twice: leave one out",
    ),
    (
        "a.yaml",
        "url: shelf://a?timeout=1s\ntimeout: 2s\n",
        "config: a.yaml:2:1: `timeout` is said twice: leave one out",
    ),
    (
        "a.yaml",
        "routes:\n  \"\": shelf://a\n",
        "config: a.yaml:2:3: an empty prefix is no route: keys without a route go to `url` or `levels`",
    ),
    (
        "a.yaml",
        "routes:\n  \"s:\": memory://\n",
        "config: a.yaml:2:9: a route leads to stores: the memory tier stands before all of them",
    ),
    (
        "a.yaml",
        "routes:\n  \"s:\": shelf://a?ttl=1m\n",
        "config: a.yaml:2:9: `ttl` concerns the whole cache: it cannot stand in a route",
    ),
    (
        "a.yaml",
        "routes: shelf://a\n",
        "config: a.yaml:1:9: expected a mapping from prefixes of keys to stores, but this is the text `shelf://a`",
    ),
    (
        "a.yaml",
        "routes:\n  \"s:\": 5\n",
        "config: a.yaml:2:9: expected a URL, or a mapping with `url`, but this is the number `5`",
    ),
    (
        "a.yaml",
        "url: memory://\nroutes:\n  \"s:\": shelf://a\n",
        "config: a.yaml:3:3: routes need a `url` or `levels` with a store: all other keys go there",
    ),
    // Secrets.
    (
        "a.yaml",
        "url: shelf://user:hunter2@a\n",
        "config: a.yaml:1:6: a password does not stand in a file: write `password_env: VARIABLE` or `password_file: PATH` beside `url`",
    ),
    (
        "a.yaml",
        "url: shelf://a\npassword: hunter2\n",
        "config: a.yaml:2:1: a secret does not stand here: instead of `password` write `password_env`, with the name of a variable, or `password_file`, with a path",
    ),
    (
        "a.yaml",
        "url: shelf://a\nkey: hunter2\n",
        "config: a.yaml:2:6: a secret does not stand here: instead of `key` write `key_env`, with the name of a variable, or `key_file`, with a path",
    ),
    (
        "a.yaml",
        "url: shelf://a\nkey_env: LARDER_TEST_NOT_THERE\n",
        "config: a.yaml:2:10: the environment variable `LARDER_TEST_NOT_THERE`, which should hold a secret, cannot be read: environment variable not found",
    ),
    (
        "a.yaml",
        "url: shelf://a\npassword_env: LARDER_TEST_NOT_THERE\n",
        "config: a.yaml:2:15: the environment variable `LARDER_TEST_NOT_THERE`, which should hold a secret, cannot be read: environment variable not found",
    ),
    (
        "a.yaml",
        "url: shelf://a\npassword_env: A\npassword_file: b\n",
        "config: a.yaml:3:1: `password_env` and `password_file` both name a secret: leave one out",
    ),
    (
        "a.yaml",
        "url: shelf://a\nkey_env: A\nkey_file: b\n",
        "config: a.yaml:3:11: `key_env` and `key_file` both name a secret: leave one out",
    ),
    (
        "a.yaml",
        "ttl: 1m\nsign_key: hunter2\n",
        "config: a.yaml:2:1: a secret does not stand here: instead of `sign_key` write `sign_key_env`, with the name of a variable, or `sign_key_file`, with a path",
    ),
    (
        "url",
        "shelf://a?encrypt_key=hunter2",
        "url: a secret does not stand here: instead of `encrypt_key` write `encrypt_key_env`, with the name of a variable, or `encrypt_key_file`, with a path",
    ),
    // What cannot be meant together.
    (
        "a.yaml",
        "ttl: 1m\nsoft: 2m\n",
        "config: a.yaml:2:7: `soft` must be shorter than `ttl`: after `soft` a call reloads, after `ttl` the value is gone; use `fail_safe` to keep it longer",
    ),
    (
        "a.yaml",
        "soft: 2m\nttl: 1m\n",
        "config: a.yaml:2:6: `soft` must be shorter than `ttl`: after `soft` a call reloads, after `ttl` the value is gone; use `fail_safe` to keep it longer",
    ),
    (
        "a.toml",
        "soft = \"2m\"\nttl = \"1m\"\n",
        "config: a.toml:2:7: `soft` must be shorter than `ttl`: after `soft` a call reloads, after `ttl` the value is gone; use `fail_safe` to keep it longer",
    ),
    (
        "a.yaml",
        "defaults:\n  stale: 1h\ncaches:\n  a:\n    ttl: 1m\n    soft: 30s\n",
        "config: a.yaml:6:11: `soft` and `stale` contradict each other: one reloads in the foreground, the other behind; keep one of them",
    ),
    (
        "a.yaml",
        "ttl: forever\nstale: 1m\n",
        "config: a.yaml:2:8: `stale`: with `ttl = \"forever\"` nothing comes after the ttl: leave `stale` and `fail_safe` out, and give `early` and `soft` as spans",
    ),
    (
        "a.yaml",
        "ttl: 1m\nearly: auto\nsoft: auto\n",
        "config: a.yaml:3:7: `soft` takes a span or a share of the ttl; \"auto\" is for `early`",
    ),
    (
        "a.yaml",
        "ttl: 1m\nfailover: true\nstale: 1m\n",
        "config: a.yaml:3:8: `failover` calls the source each time, so `early`, `soft`, `stale`, `hits` and `refresh_hits` say nothing beside it: leave them out",
    ),
    (
        "a.yaml",
        "hits: 5\nrefresh_hits: 5\n",
        "config: a.yaml:2:15: `refresh_hits` must be smaller than `hits`: the reload behind has to start before the entry is used up",
    ),
    (
        "a.yaml",
        "url: shelf://a\nmemory_ttl: 2h\nstore_ttl: 1h\n",
        "config: a.yaml:2:13: memory would keep entries for longer than the store behind it: give `memory_ttl` less than the store's cap",
    ),
    (
        "a.yaml",
        "url: shelf://a shelf://b\nstore_ttl: 1h\n",
        "config: a.yaml:2:1: `store_ttl` is for a cache of one store: give each level its own `ttl_cap`",
    ),
    (
        "a.yaml",
        "url: shelf://a\nttl_cap: 1h\nstore_ttl: 1h\n",
        "config: a.yaml:3:1: `store_ttl` and `ttl_cap` say the same: leave one out",
    ),
    (
        "a.yaml",
        "levels:\n  - url: shelf://a\n    ttl_cap: 2h\n  - url: shelf://b\n    ttl_cap: 1h\n",
        "config: a.yaml:3:14: this `ttl_cap` is longer than that of the level behind: the nearer keeps entries for the shorter time",
    ),
    (
        "a.yaml",
        "levels:\n  - shelf://a\n  - url: shelf://b\n    client_side: true\n",
        "config: a.yaml:4:18: `client_side` is for the first store of a chain: what stands before it would not hear of changes",
    ),
    (
        "a.yaml",
        "url: shelf://a\nsign_key_env: A\nencrypt_key_env: B\n",
        "config: a.yaml:3:1: entries are signed or encrypted, not both: encryption proves where they come from as well",
    ),
    (
        "a.yaml",
        "url: shelf://a\nenvelope: none\nsign_key_env: A\n",
        "config: a.yaml:3:1: `sign_key_env` needs the envelope: leave out `envelope=none`, which writes plain JSON",
    ),
    (
        "a.yaml",
        "url: shelf://a\nenvelope: none\ncompress: zstd\n",
        "config: a.yaml:3:1: `compress` needs the envelope: leave out `envelope=none`, which writes plain JSON",
    ),
    // The same in URLs of the program.
    (
        "url",
        "shelf://a?shevles=3",
        "url: unknown parameter of `shelf://` `shevles` (did you mean `shelves`?)",
    ),
    (
        "url",
        "shelf://a?ttl=1m&soft=2m",
        "url: `soft` must be shorter than `ttl`: after `soft` a call reloads, after `ttl` the value is gone; use `fail_safe` to keep it longer",
    ),
    (
        "url",
        "shelf://a?ttl=1m shelf://b?ttl=2m",
        "url: `ttl` is said twice: leave one out",
    ),
    (
        "url",
        "shelf://a?strict=maybe",
        "url: `strict=maybe`: expected `1` or `0`",
    ),
    (
        "url",
        "shelf://a?memory_ttl=2m&ttl_cap=1m",
        "url: memory would keep entries for longer than the store behind it: give `memory_ttl` less than the store's cap",
    ),
    (
        "url",
        "memory://?client_side=1",
        "url: unknown parameter `client_side`; there is size, weight, ttl_cap, name, background_loads, the settings of a cache like `prefix`, of its policy like `ttl` and of its codec like `format`",
    ),
    (
        "url",
        "memory://?timeout=1s",
        "url: unknown parameter `timeout`; there is size, weight, ttl_cap, name, background_loads, the settings of a cache like `prefix`, of its policy like `ttl` and of its codec like `format`",
    ),
];

fn refusal(name: &str, text: &str) -> String {
    let read = match name {
        "url" => Configuration::from_url(text),
        _ => Configuration::from_text(name, text),
    };
    match read.and_then(|configuration| configuration.build()) {
        Ok(_) => "it was taken".to_owned(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            error.to_string()
        }
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_would_be_right() {
    shelf::known();
    let mut wrong = Vec::new();
    for (name, text, told) in CASES {
        let is = refusal(name, text);
        if is != *told {
            wrong.push(format!("{name}\n{text}\ntold: {is}\ndue:  {told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
