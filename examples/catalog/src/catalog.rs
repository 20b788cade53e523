//! The catalogue: what the database says, cached.

use larder::{Cache, cache_put, cached, invalidates};

use crate::database::{Changes, Database, Failure, Product};

/// All that a shop does with its products.
#[derive(Clone, Debug)]
pub struct Catalog {
    cache: Cache,
    database: Database,
}

impl Catalog {
    /// Over a database, with a cache before it.
    #[must_use]
    pub fn new(cache: Cache, database: Database) -> Self {
        Self { cache, database }
    }

    /// The cache that it keeps its answers in.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// One product. Served for 15 minutes, and for a day more while the database fails.
    ///
    /// # Errors
    ///
    /// When the database fails and nothing stands in; so for all below.
    #[cached(cache = self.cache, key = "product:{id}", ttl = "15m", fail_safe = "1d", tags = ["products"])]
    pub async fn get(&self, id: &str) -> Result<Option<Product>, Failure> {
        self.database.get(id).await
    }

    /// The products of a category. Served for 5 minutes, and while it is loaded again.
    #[cached(cache = self.cache, key = "products:{category}", ttl = "5m", stale = "1m", tags = ["products", "lists"])]
    pub async fn list(&self, category: &str) -> Result<Vec<Product>, Failure> {
        self.database.list(category).await
    }

    /// Adds a product: what is added is served from then on, and lists are made anew.
    #[invalidates(cache = self.cache, tags = ["lists"])]
    #[cache_put(cache = self.cache, key = "product:{product.id}", ttl = "15m", fail_safe = "1d", tags = ["products"])]
    pub async fn create(&self, product: Product) -> Result<Option<Product>, Failure> {
        self.database.create(product).await.map(Some)
    }

    /// Changes a product; what it has become is served from then on.
    #[invalidates(cache = self.cache, tags = ["lists"])]
    #[cache_put(cache = self.cache, key = "product:{id}", ttl = "15m", fail_safe = "1d", tags = ["products"])]
    pub async fn update(&self, id: &str, changes: Changes) -> Result<Option<Product>, Failure> {
        self.database.update(id, changes).await
    }

    /// Removes a product; says whether there was one.
    #[invalidates(self.get(id = id))]
    #[invalidates(cache = self.cache, tags = ["lists"])]
    pub async fn delete(&self, id: &str) -> Result<bool, Failure> {
        self.database.delete(id).await
    }

    /// Removes all products and all that is cached of them.
    #[invalidates(cache = self.cache, tags = ["products"])]
    pub async fn clear(&self) -> Result<(), Failure> {
        self.database.clear().await
    }
}
