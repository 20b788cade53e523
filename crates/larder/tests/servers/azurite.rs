//! Azurite, Microsoft's own emulator of Azure Blob Storage: one process for all tests of a file.

#![allow(dead_code)]

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use super::servers::{self, Place, Program, Server};

pub(crate) const CONTAINER: &str = "container";
/// The [well-known account](https://learn.microsoft.com/azure/storage/common/storage-connect-azurite) of the emulator.
pub(crate) const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A server with one container.
pub(crate) struct Azurite {
    server: Server,
    key: PathBuf,
}

/// Where it is installed: `LARDER_AZURITE`, else where `cargo xtask test` installs it.
fn program() -> Program {
    static PATH: LazyLock<String> = LazyLock::new(|| {
        std::env::var("LARDER_AZURITE").unwrap_or_else(|_| {
            let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
            let target = std::env::var("CARGO_TARGET_DIR").unwrap_or(format!("{workspace}/target"));
            let installed = "test-tools/node_modules/.bin/azurite-blob";
            let own = PathBuf::from(target).join(installed);
            let usual = PathBuf::from(format!("{workspace}/target")).join(installed);
            servers::text(if own.exists() { &own } else { &usual })
        })
    });
    Program {
        name: &PATH,
        package: "npm install --prefix target/test-tools azurite@3.37.0",
    }
}

impl Azurite {
    pub(crate) fn start() -> Self {
        let arguments = |place: &Place| {
            let port = place.port.to_string();
            let location = servers::text(&place.directory);
            let plain = ["--silent", "--disableTelemetry", "--skipApiVersionCheck"];
            let mut all: Vec<String> = plain.map(str::to_owned).into();
            all.extend([
                "--blobPort".to_owned(),
                port,
                "--location".to_owned(),
                location,
            ]);
            all
        };
        let server = Server::start(program(), arguments, servers::accepts);
        let key = server.place().directory.join("key");
        std::fs::write(&key, KEY).expect("a file of a key");
        let made = Self { server, key };
        made.make_container();
        made
    }

    /// A URL of a store below this prefix.
    pub(crate) fn url(&self, prefix: &str, more: &str) -> String {
        self.url_of(CONTAINER, prefix, more)
    }

    pub(crate) fn url_of(&self, container: &str, prefix: &str, more: &str) -> String {
        format!(
            "az://{container}/{prefix}?account={ACCOUNT}&endpoint=http://{}/{ACCOUNT}&allow_http=1&access_key_file={}{more}",
            self.server.address(),
            self.key.display(),
        )
    }

    /// After a kill: with the container, which it may not have written down.
    pub(crate) fn start_again(&mut self) {
        self.server.start_again();
        self.make_container();
    }

    pub(crate) fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// By its own SDK's client, which comes with nothing but Node: one signed request.
    fn make_container(&self) {
        let script = format!(
            r#"const {{createHmac}}=require('crypto'),http=require('http');
const date=new Date().toUTCString(),v='2021-08-06',p='/{ACCOUNT}/{CONTAINER}';
const text=['PUT','','','','','','','','','','','','x-ms-date:'+date,'x-ms-version:'+v,'/{ACCOUNT}'+p,'restype:container'].join('\n');
const sign=createHmac('sha256',Buffer.from('{KEY}','base64')).update(text,'utf8').digest('base64');
http.request({{port:{},host:'127.0.0.1',method:'PUT',path:p+'?restype=container',headers:{{'x-ms-date':date,'x-ms-version':v,'content-length':0,authorization:'SharedKey {ACCOUNT}:'+sign}}}},
r=>{{r.resume();r.on('end',()=>process.exit(r.statusCode===201||r.statusCode===409?0:1))}}).end();"#,
            self.server.port()
        );
        let made = Command::new("node").args(["-e", &script]).status();
        assert!(
            made.is_ok_and(|made| made.success()),
            "no container could be made"
        );
    }
}
