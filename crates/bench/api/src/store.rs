//! The interface between handlers and data layers.

use std::error::Error;
use std::fmt;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::model::Order;

pub type Hash = [u8; 32];

pub fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// A request with an idempotency key, and the response to store if the key is new.
pub struct IdempotentRequest {
    pub key_hash: Hash,
    pub method: String,
    pub path: String,
    pub body_hash: Hash,
    pub status: u16,
    pub headers: String,
    pub response: String,
    pub expires_at: DateTime<Utc>,
}

/// The outcome of a request with a key.
pub enum PlaceResult {
    Placed,
    /// The request was repeated; with the stored response.
    Replayed(String),
    /// The key was used with another request.
    KeyReused,
}

impl PlaceResult {
    /// Compares a request with the stored one of its key.
    pub fn of_stored(idempotent: &IdempotentRequest, path: &str, body_hash: &[u8], response: String) -> Self {
        if path == idempotent.path && body_hash == idempotent.body_hash {
            Self::Replayed(response)
        } else {
            Self::KeyReused
        }
    }
}

/// The only user, and the session of all requests.
pub struct Seed {
    pub user: Uuid,
    pub token_hash: Hash,
    pub now: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// A data layer; each worker thread opens its own.
pub trait Store: Sized + 'static {
    /// Creates the tables, the user and the session in an empty database.
    async fn seed(url: &str, seed: &Seed) -> Result<(), StoreError>;
    async fn open(url: &str) -> Result<Self, StoreError>;
    /// The user of a token, if its session has not expired.
    async fn caller(&self, token_hash: &Hash) -> Result<Option<Uuid>, StoreError>;
    async fn find(&self, user: Uuid, id: Uuid) -> Result<Option<Order>, StoreError>;
    /// The user's orders after this id, with their lines.
    async fn list(&self, user: Uuid, after: Uuid, limit: i64) -> Result<Vec<Order>, StoreError>;
    /// Inserts an order with its lines atomically.
    async fn place(&self, user: Uuid, order: &Order) -> Result<(), StoreError>;
    /// Also inserts the key with its response, unless the key was used before.
    async fn place_once(
        &self,
        user: Uuid,
        order: &Order,
        idempotent: &IdempotentRequest,
    ) -> Result<PlaceResult, StoreError>;
}

/// A failure of the database, which results in a 500.
#[derive(Debug)]
pub struct StoreError(Box<dyn Error>);

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl actix_web::ResponseError for StoreError {}

impl<E: Error + 'static> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}
