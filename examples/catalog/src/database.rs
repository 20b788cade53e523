//! The database: SQLite with a few thousand products.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

/// What the shop sells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Product {
    /// Names it, for example `p17`.
    pub id: String,
    /// For people.
    pub name: String,
    /// In cents.
    pub price: u32,
    /// What it is listed under.
    pub category: String,
    /// How many are in stock.
    pub stock: u32,
}

/// What an update changes; what is missing stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// A new name.
    pub name: Option<String>,
    /// A new price, in cents.
    pub price: Option<u32>,
    /// A new category.
    pub category: Option<String>,
    /// What is left.
    pub stock: Option<u32>,
}

/// Why the database did not do as told.
#[derive(Clone, Debug)]
pub enum Failure {
    /// There is a product of that name already.
    Taken(String),
    /// The database failed.
    Database(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(id) => write!(f, "there is a product `{id}` already"),
            Self::Database(what) => write!(f, "the database failed: {what}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.to_string())
    }
}

/// Many may ask at once; one query runs at a time, apart from the threads that serve.
#[derive(Clone, Debug)]
pub struct Database(Arc<Mutex<Connection>>);

/// How many products a new database has.
pub const PRODUCTS: u32 = 4_000;

/// What products are listed under.
pub const CATEGORIES: [&str; 8] = [
    "cameras", "garden", "gadgets", "kitchen", "lamps", "shoes", "tools", "toys",
];

const MAKERS: [&str; 10] = [
    "Acre", "Birch", "Corvo", "Delta", "Ember", "Fjord", "Grove", "Halden", "Iris", "Juno",
];

const KINDS: [&str; 8] = [
    "Mirrorless",
    "Trowel",
    "Tracker",
    "Skillet",
    "Lantern",
    "Runner",
    "Wrench",
    "Railway",
];

const COLUMNS: &str = "id, name, price, category, stock";

impl Database {
    /// Opens the file and fills it if it is new.
    ///
    /// # Errors
    ///
    /// When it cannot be opened or is no database.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let mut connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             CREATE TABLE IF NOT EXISTS products (
                 id TEXT PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL,
                 category TEXT NOT NULL, stock INTEGER NOT NULL);
             CREATE INDEX IF NOT EXISTS by_category ON products (category, name);",
        )?;
        let rows: u32 =
            connection.query_row("SELECT count(*) FROM products", [], |row| row.get(0))?;
        if rows == 0 {
            fill(&mut connection)?;
        }
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let connection = Arc::clone(&self.0);
        let work = move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner));
        match tokio::task::spawn_blocking(work).await {
            Ok(answer) => answer,
            Err(error) => Err(Failure::Database(error.to_string())),
        }
    }

    /// One product, if there is one of that name.
    ///
    /// # Errors
    ///
    /// When the database fails; so for all below.
    pub async fn get(&self, id: &str) -> Result<Option<Product>, Failure> {
        let id = id.to_owned();
        self.with(move |connection| Ok(find(connection, &id)?))
            .await
    }

    /// All of a category, by name.
    pub async fn list(&self, category: &str) -> Result<Vec<Product>, Failure> {
        let category = category.to_owned();
        self.with(move |connection| {
            let sql =
                format!("SELECT {COLUMNS} FROM products WHERE category = ? ORDER BY name, id");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map([&category], product)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Adds a product.
    pub async fn create(&self, product: Product) -> Result<Product, Failure> {
        self.with(move |connection| {
            let sql = "INSERT INTO products VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";
            match connection.execute(sql, columns(&product))? {
                0 => Err(Failure::Taken(product.id)),
                _ => Ok(product),
            }
        })
        .await
    }

    /// Changes a product and gives it as it is now, if there is one of that name.
    pub async fn update(&self, id: &str, changes: Changes) -> Result<Option<Product>, Failure> {
        let id = id.to_owned();
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            let Some(was) = find(&transaction, &id)? else {
                return Ok(None);
            };
            let now = Product {
                id,
                name: changes.name.unwrap_or(was.name),
                price: changes.price.unwrap_or(was.price),
                category: changes.category.unwrap_or(was.category),
                stock: changes.stock.unwrap_or(was.stock),
            };
            transaction.execute(
                "INSERT OR REPLACE INTO products VALUES (?, ?, ?, ?, ?)",
                columns(&now),
            )?;
            transaction.commit()?;
            Ok(Some(now))
        })
        .await
    }

    /// Removes a product; says whether there was one.
    pub async fn delete(&self, id: &str) -> Result<bool, Failure> {
        let id = id.to_owned();
        self.with(move |connection| {
            Ok(connection.execute("DELETE FROM products WHERE id = ?", [&id])? > 0)
        })
        .await
    }

    /// Removes all products.
    pub async fn clear(&self) -> Result<(), Failure> {
        self.with(|connection| Ok(connection.execute("DELETE FROM products", []).map(drop)?))
            .await
    }
}

fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<Product>> {
    let sql = format!("SELECT {COLUMNS} FROM products WHERE id = ?");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row([id], product).optional()
}

fn product(row: &Row<'_>) -> rusqlite::Result<Product> {
    Ok(Product {
        id: row.get(0)?,
        name: row.get(1)?,
        price: row.get(2)?,
        category: row.get(3)?,
        stock: row.get(4)?,
    })
}

fn columns(product: &Product) -> (&str, &str, u32, &str, u32) {
    let Product {
        id,
        name,
        price,
        category,
        stock,
    } = product;
    (id, name, *price, category, *stock)
}

/// The same products each time.
fn fill(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for n in 0..PRODUCTS {
        let at = n as usize;
        let kind = at % CATEGORIES.len();
        let name = format!(
            "{} {} {}",
            MAKERS[at / 8 % MAKERS.len()],
            KINDS[kind],
            100 + n / 80
        );
        let price = 499 + n * 7_919 % 40_000 / 10 * 10;
        transaction.execute(
            "INSERT INTO products VALUES (?, ?, ?, ?, ?)",
            params![format!("p{n}"), name, price, CATEGORIES[kind], n * 31 % 120],
        )?;
    }
    transaction.commit()
}
