//! The blueprint list. Each blueprint has an entry here and a feature of the same name in `Cargo.toml`.

use cyanotype::Service;

/// Adds all blueprints that the build includes.
pub(crate) fn all(service: Service) -> Service {
    #[cfg(feature = "users")]
    let service = service.blueprint(blueprint_users::Users);
    #[cfg(feature = "orders")]
    let service = service.blueprint(blueprint_orders::Orders);
    service
}
