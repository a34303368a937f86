//! The list of blueprints; a new one is a line here and a feature of the same name in `Cargo.toml`.

use cyanotype::Service;

/// The service with each blueprint that is compiled in.
pub(crate) fn all(service: Service) -> Service {
    #[cfg(feature = "users")]
    let service = service.blueprint(blueprint_users::Users);
    #[cfg(feature = "orders")]
    let service = service.blueprint(blueprint_orders::Orders);
    service
}
