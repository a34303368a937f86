//! Which frames are code of the application, and not of a library.
//!
//! By default these are the crates of the workspace that contains the program. Crates of a registry or of a git repository,
//! vendored ones and those outside the workspace are libraries.

use std::panic::Location;
use std::sync::{OnceLock, PoisonError, RwLock};

use crate::image::Image;
use crate::settings::SentrySettings;
use crate::symbol;

/// First parts of the names of crates that are on the path of requests, for binaries without debug information.
const LIBRARIES: [&str; 10] =
    ["__rustc", "actix", "alloc", "backtrace", "core", "futures", "std", "tokio", "tracing", "sentry"];

#[derive(Default)]
struct Rules {
    include: Vec<String>,
    exclude: Vec<String>,
}

static RULES: RwLock<Option<Rules>> = RwLock::new(None);

/// A source file of the workspace, relative to the workspace, and the addresses of a stack with a function of that file.
static ORIGIN: OnceLock<(&str, Vec<usize>)> = OnceLock::new();

/// Applies the settings to the frames that are resolved from now on.
pub(crate) fn configure(settings: &SentrySettings) {
    let names = |list: &[String]| list.iter().map(|name| name.replace('-', "_")).collect();
    let rules = Rules { include: names(&settings.in_app_include), exclude: names(&settings.in_app_exclude) };
    *RULES.write().unwrap_or_else(PoisonError::into_inner) = Some(rules);
}

/// Makes the caller's workspace the application. Call it once, from a function that has `#[track_caller]`, too.
#[track_caller]
pub fn set_workspace_of_caller() {
    let file = Location::caller().file();
    ORIGIN.get_or_init(|| {
        let mut addresses = Vec::new();
        backtrace::trace(|frame| {
            addresses.push(frame.ip() as usize);
            true
        });
        (file, addresses)
    });
}

/// The directory of the workspace, if debug information contains it.
fn workspace() -> Option<&'static str> {
    static WORKSPACE: OnceLock<Option<String>> = OnceLock::new();
    let find = || {
        // The compiler states the paths of the workspace's files relative to it, and others in full.
        let (file, addresses) = ORIGIN.get().filter(|(file, _)| !file.starts_with('/'))?;
        let mut directory = None;
        for address in addresses {
            symbol::for_each_at(*address, |_, path, _| {
                directory = directory.take().or_else(|| path?.strip_suffix(file).map(str::to_owned));
            });
        }
        directory
    };
    WORKSPACE.get_or_init(find).as_deref()
}

/// Whether a frame is code of the application. `function` is `None` if the binary does not contain the name.
pub(crate) fn is_in_app(function: Option<&str>, file: Option<&str>, image: Option<&Image>) -> bool {
    let rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let listed = |list: &[String]| function.is_some_and(|function| symbol::is_in_crates(function, list));
    if let Some(rules) = &*rules {
        if listed(&rules.include) {
            return true;
        }
        if listed(&rules.exclude) {
            return false;
        }
    }
    let is_executable = image.is_none_or(|image| image.is_executable);
    match (function, file) {
        _ if !is_executable => false,
        (None, _) => true,
        (Some(function), _) if is_framework(function) => false,
        (Some(_), Some(file)) => is_workspace_file(file, workspace()),
        (Some(function), None) => function.contains("::") && !is_library(function),
    }
}

/// Whether a function is of a crate of this framework.
fn is_framework(function: &str) -> bool {
    let name = symbol::path(function).split("::").next().unwrap_or_default();
    name == "cyanotype" || name.starts_with("cyanotype_")
}

fn is_library(function: &str) -> bool {
    LIBRARIES.iter().any(|name| symbol::path(function).starts_with(name))
}

fn is_workspace_file(file: &str, workspace: Option<&str>) -> bool {
    if !file.starts_with('/') {
        return true;
    }
    let within = match workspace {
        Some(directory) => file.strip_prefix(directory),
        None => Some(file),
    };
    let is_library = |path: &str| {
        let parts =
            ["registry/src/", "git/checkouts/", "vendor/", "/library/std/", "/library/core/", "/library/alloc/"];
        path.starts_with("/rustc/") || parts.iter().any(|part| path.contains(part))
    };
    within.is_some_and(|path| !is_library(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_workspace_are_in_app() {
        for (file, expected) in [
            ("/src/shop/crates/orders/src/lib.rs", true),
            ("src/main.rs", true),
            ("/src/shop/vendor/money/src/lib.rs", false),
            ("/src/other/src/lib.rs", false),
            ("/home/ci/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/actix-web-4.18.1/src/handler.rs", false),
            ("/home/ci/.cargo/git/checkouts/money-1f/0a1b2c3/src/lib.rs", false),
            ("/rustc/59807616/library/core/src/ops/function.rs", false),
        ] {
            assert_eq!(is_workspace_file(file, Some("/src/shop/")), expected, "{file}");
        }
        assert!(is_workspace_file("/src/other/src/lib.rs", None));
        assert!(!is_workspace_file("/src/other/vendor/money/src/lib.rs", None));
    }

    #[test]
    fn names_decide_without_debug_information() {
        let of = |function: &str| is_in_app(Some(function), None, None);
        assert!(of("shop::orders::place::{{closure}}"));
        for function in [
            "clone3",
            "start_thread",
            "std::rt::lang_start",
            "<core::pin::Pin<P> as core::future::future::Future>::poll",
            "tokio::runtime::task::harness::poll_future",
            "actix_web::handler::handler_service",
            "cyanotype::middleware::errors::report",
            "cyanotype_flags::provider::evaluate",
            "<cyanotype_actix::context::Service<S> as actix_service::Service<R>>::call",
        ] {
            assert!(!of(function), "{function}");
        }
        assert!(!is_in_app(Some("cyanotype_flags::provider::evaluate"), Some("crates/flags/src/provider.rs"), None));
        assert!(of("cyanotypes::shop::place"), "another crate whose name only begins like the framework's");
    }

    #[test]
    fn an_address_without_a_name_is_in_app_in_the_executable() {
        let image = |is_executable| Image { path: "/lib/x".into(), address: 1, size: 1, build_id: None, is_executable };
        assert!(is_in_app(None, None, Some(&image(true))));
        assert!(!is_in_app(None, None, Some(&image(false))));
        assert!(!is_in_app(Some("shop::place"), None, Some(&image(false))));
    }
}
