//! Resources that the service gives to blueprints, and that blueprints share with each other.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};
use parking_lot::{Mutex, MutexGuard};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::RegistryError;
use crate::database::{Database, ExpiringTable};

/// The database, the settings and the values of other blueprints, from which a blueprint builds its state. Values that it
/// [provides](Self::provide) are available to handlers and to other blueprints.
///
/// ```
/// use actix_web::web::ServiceConfig;
/// use cyanotype::{Blueprint, LifecycleFuture, Resources};
/// use std::sync::Arc;
///
/// /// The interface for other blueprints.
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
///     fn start<'a>(&'a self, resources: &'a Resources) -> LifecycleFuture<'a> {
///         Box::pin(async move {
///             resources.provide::<dyn Weather>(Arc::new(Always)); // handlers take a `Data<dyn Weather>`
///             Ok(())
///         })
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Resources {
    blueprint: &'static str,
    settings: Value,
    shared: SharedResources,
}

/// State that all blueprints of a process share.
#[derive(Clone)]
pub(crate) struct SharedResources {
    database: Database,
    provided: Arc<Mutex<Provided>>,
}

/// Registers one provided value on an app, for its handlers.
pub(crate) type RegisterValue = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

#[derive(Default)]
struct Provided {
    by_type: HashMap<TypeId, (&'static str, Box<dyn Any + Send + Sync>)>,
    registrations: Vec<RegisterValue>,
    expiring: Vec<ExpiringTable>,
    conflict: Option<RegistryError>,
}

impl Resources {
    /// The database that all blueprints share.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.shared.database
    }

    /// The blueprint's settings, as the type that [`Blueprint::settings`](crate::Blueprint::settings) declares.
    ///
    /// # Errors
    /// If `T` is a different type and the settings cannot be deserialized into it.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.settings)
    }

    /// Shares a value with handlers, which take it as [`Data<T>`](actix_web::web::Data), and with other blueprints, which call
    /// [`provided`](Self::provided): a blueprint's state, or a trait object that is its interface. Each type can be provided
    /// once in a process; with a second value of the same type the startup fails.
    pub fn provide<T: ?Sized + Send + Sync + 'static>(&self, value: Arc<T>) {
        let mut provided = self.shared.lock();
        let data = Data::from(Arc::clone(&value));
        provided.registrations.push(Arc::new(move |config| {
            config.app_data(data.clone());
        }));
        let earlier = provided.by_type.insert(TypeId::of::<T>(), (self.blueprint, Box::new(value)));
        if let Some((first, _)) = earlier {
            let (blueprint, other) = (first, self.blueprint);
            provided.conflict = Some(RegistryError::DuplicateProvider { blueprint, other, provided: type_name::<T>() });
        }
    }

    /// Registers a table whose expired rows are deleted in the background.
    pub fn delete_expired_rows(&self, table: ExpiringTable) {
        self.shared.lock().expiring.push(table);
    }

    /// A value that another blueprint has provided. Available for each blueprint that this one
    /// [depends on](crate::Blueprint::dependencies): their `start` runs first.
    #[must_use]
    pub fn provided<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let provided = self.shared.lock();
        let (_, value) = provided.by_type.get(&TypeId::of::<T>())?;
        value.downcast_ref::<Arc<T>>().cloned()
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resources").field("blueprint", &self.blueprint).finish_non_exhaustive()
    }
}

impl SharedResources {
    pub(crate) fn new(database: Database) -> Self {
        Self { database, provided: Arc::default() }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// The resources of one blueprint.
    pub(crate) fn of(&self, blueprint: &'static str, settings: Value) -> Resources {
        Resources { blueprint, settings, shared: self.clone() }
    }

    /// The latest conflict between blueprints during their start.
    pub(crate) fn conflict(&self) -> Option<RegistryError> {
        self.lock().conflict.clone()
    }

    /// Functions that register the provided values on an app.
    pub(crate) fn registrations(&self) -> Vec<RegisterValue> {
        self.lock().registrations.clone()
    }

    /// The tables whose rows expire.
    pub(crate) fn expiring_tables(&self) -> Vec<ExpiringTable> {
        self.lock().expiring.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Provided> {
        self.provided.lock()
    }
}
