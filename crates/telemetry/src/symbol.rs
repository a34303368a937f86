//! Symbols of a binary: the functions at an address, and their names.

use std::ffi::c_void;

/// Calls `each` with name, source file and line of the functions at an address, innermost first; inlined calls have several.
pub(crate) fn for_each_at(address: usize, mut each: impl FnMut(Option<String>, Option<String>, Option<u32>)) {
    backtrace::resolve(address as *mut c_void, |symbol| {
        let name = symbol.name().map(|name| format!("{name:#}"));
        let file = symbol.filename().map(|file| file.to_string_lossy().into_owned());
        each(name, file, symbol.lineno());
    });
}

/// The path at the start of a function's name: of the type, in a name such as `<shop::Order as core::fmt::Debug>::fmt`.
pub(crate) fn path(function: &str) -> &str {
    let mut path = function;
    loop {
        let before = path.len();
        path = path.trim_start_matches(['<', '&', '*', '(', '[', ' ']);
        for word in ["dyn ", "impl ", "mut ", "const "] {
            path = path.strip_prefix(word).unwrap_or(path);
        }
        if path.len() == before {
            break;
        }
    }
    let end = path.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':'))).unwrap_or(path.len());
    path[..end].trim_end_matches(':')
}

/// Whether a function is in one of these crates or modules.
pub(crate) fn is_in_crates(function: &str, names: &[impl AsRef<str>]) -> bool {
    let path = path(function);
    let is_in = |name: &str| path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    names.iter().any(|name| is_in(name.as_ref()))
}

/// The module of a function, or of the type that it is implemented for; `None` for a function without a path.
pub(crate) fn module(function: &str) -> Option<String> {
    path(function).rsplit_once("::").map(|(module, _)| module.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_function_is_that_of_its_type() {
        for (function, expected, in_module) in [
            ("shop::orders::place::{{closure}}", "shop::orders::place", Some("shop::orders")),
            ("<shop::Order as core::fmt::Debug>::fmt", "shop::Order", Some("shop")),
            ("<&mut dyn shop::Stock as shop::Read>::read", "shop::Stock", Some("shop")),
            ("<alloc::boxed::Box<F> as core::ops::FnOnce>::call_once", "alloc::boxed::Box", Some("alloc::boxed")),
            ("clone3", "clone3", None),
        ] {
            assert_eq!((path(function), module(function).as_deref()), (expected, in_module), "{function}");
        }
        assert!(
            is_in_crates("shop::orders::place", &["shop"]) && is_in_crates("shop::orders::place", &["shop::orders"])
        );
        assert!(!is_in_crates("shop::orders::place", &["sho", "shop::order"]));
    }
}
