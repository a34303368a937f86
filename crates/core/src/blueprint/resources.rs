//! What the service has for its blueprints, and they for each other.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};
use parking_lot::{Mutex, MutexGuard};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::RegistryError;
use crate::database::{Database, Expiring};

/// What a blueprint builds its state from, and where it leaves what its handlers, and other blueprints, ask for.
///
/// ```
/// use actix_web::web::ServiceConfig;
/// use cyanotype::{Blueprint, Resources, Task};
/// use std::sync::Arc;
///
/// /// What this blueprint tells others.
/// pub trait Weather: Send + Sync {
///     fn is_fine(&self) -> bool;
/// }
///
/// struct Always;
///
/// impl Weather for Always {
///     fn is_fine(&self) -> bool {
///         true
///     }
/// }
///
/// struct Forecast;
///
/// impl Blueprint for Forecast {
///     fn name(&self) -> &'static str {
///         "forecast"
///     }
///     fn prefix(&self) -> &str {
///         "/forecast"
///     }
///     fn routes(&self, _: &mut ServiceConfig) {}
///     fn start<'a>(&'a self, resources: &'a Resources) -> Task<'a> {
///         Box::pin(async move {
///             resources.provide::<dyn Weather>(Arc::new(Always)); // handlers ask for a `Data<dyn Weather>`
///             Ok(())
///         })
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Resources {
    blueprint: &'static str,
    settings: Value,
    shared: Shared,
}

/// What all blueprints of a process share.
#[derive(Clone)]
pub(crate) struct Shared {
    database: Database,
    provided: Arc<Mutex<Provided>>,
}

/// Makes one thing that is provided known to an app's handlers.
pub(crate) type Mount = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

#[derive(Default)]
struct Provided {
    by_type: HashMap<TypeId, (&'static str, Box<dyn Any + Send + Sync>)>,
    mounts: Vec<Mount>,
    expiring: Vec<Expiring>,
    conflict: Option<RegistryError>,
}

impl Resources {
    /// The database that all blueprints share.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.shared.database
    }

    /// The blueprint's settings in force, as the type that [`Blueprint::settings`](crate::Blueprint::settings) names.
    ///
    /// # Errors
    /// When it is another type than that one, which has been checked.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.settings)
    }

    /// Leaves something for handlers, which ask for it as [`Data<T>`](actix_web::web::Data), and for the other blueprints:
    /// a state of one's own, or what a trait tells others. There is one of a type in a process; a second stops the start.
    pub fn provide<T: ?Sized + Send + Sync + 'static>(&self, it: Arc<T>) {
        let mut provided = self.shared.lock();
        let data = Data::from(Arc::clone(&it));
        provided.mounts.push(Arc::new(move |config| {
            config.app_data(data.clone());
        }));
        let before = provided.by_type.insert(TypeId::of::<T>(), (self.blueprint, Box::new(it)));
        if let Some((other, _)) = before {
            let (blueprint, other) = (other, self.blueprint);
            provided.conflict = Some(RegistryError::ProvidedTwice { blueprint, other, provided: type_name::<T>() });
        }
    }

    /// Has the rows of a table deleted when their time is over.
    pub fn expire(&self, table: Expiring) {
        self.shared.lock().expiring.push(table);
    }

    /// What another blueprint has provided; it has started already when it is one that this one
    /// [needs](crate::Blueprint::dependencies).
    #[must_use]
    pub fn provided<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let provided = self.shared.lock();
        let (_, it) = provided.by_type.get(&TypeId::of::<T>())?;
        it.downcast_ref::<Arc<T>>().cloned()
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resources").field("blueprint", &self.blueprint).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(database: Database) -> Self {
        Self { database, provided: Arc::default() }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// What one blueprint sees.
    pub(crate) fn of(&self, blueprint: &'static str, settings: Value) -> Resources {
        Resources { blueprint, settings, shared: self.clone() }
    }

    /// Why the blueprints do not go together after all.
    pub(crate) fn conflict(&self) -> Option<RegistryError> {
        self.lock().conflict.clone()
    }

    /// What makes all that is provided known to an app's handlers.
    pub(crate) fn mounts(&self) -> Vec<Mount> {
        self.lock().mounts.clone()
    }

    /// The tables whose rows expire.
    pub(crate) fn expiring(&self) -> Vec<Expiring> {
        self.lock().expiring.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Provided> {
        self.provided.lock()
    }
}
