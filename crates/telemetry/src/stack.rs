//! Stack traces: captured as addresses where a failure occurs, and resolved to names later, on the symbolizer's thread.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::{Arc, LazyLock, OnceLock};

use parking_lot::Mutex;
use serde::ser::{Serialize, Serializer};

use crate::image::{self, Image};
use crate::in_app;
use crate::symbol;

/// Maximum number of frames of a stack trace.
const MAX_FRAMES: usize = 100;

/// A stack trace. The first call of [`Stack::frames`] resolves it; threads that handle requests never make that call.
pub struct Stack {
    addresses: Vec<usize>,
    /// The text of a backtrace that was captured earlier, instead of the addresses.
    backtrace: Option<RenderBacktrace>,
    frames: OnceLock<Vec<Frame>>,
}

/// Renders a backtrace as text, which takes as long as resolving it.
type RenderBacktrace = Box<dyn Fn() -> String + Send + Sync>;

/// One frame of a stack trace.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Frame {
    /// The path and name of the function. Where the binary does not contain it: the binary's name and the offset in it, such as
    /// `app+0x1f2e`.
    pub function: String,
    /// The source file.
    pub file: Option<String>,
    /// The line in the source file.
    pub line: Option<u32>,
    /// Whether it is code of the service, not of a library.
    #[serde(rename = "own")]
    pub in_app: bool,
    /// The module of the function.
    #[serde(skip)]
    pub module: Option<String>,
    /// Whether the binary does not contain the function's name.
    #[serde(skip)]
    pub is_unnamed: bool,
    /// The address of the call, or of the instruction that failed.
    #[serde(skip)]
    pub address: Option<usize>,
    /// The executable or library that contains the address.
    #[serde(skip)]
    pub image: Option<&'static Image>,
}

impl Stack {
    /// Captures the caller's stack, regardless of `RUST_BACKTRACE`.
    #[must_use]
    pub fn capture() -> Self {
        let mut addresses = Vec::with_capacity(MAX_FRAMES);
        walk(|address| {
            addresses.push(address);
            addresses.len() < 2 * MAX_FRAMES
        });
        Self { addresses, backtrace: None, frames: OnceLock::new() }
    }

    /// A backtrace of the standard library, which `render` formats with `{:#}`. Its addresses are resolved like those of other
    /// stacks. If it shows none, the stack is the caller's.
    #[must_use]
    pub fn from_backtrace(render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { backtrace: Some(Box::new(render)), ..Self::capture() }
    }

    /// A placeholder for a stack that was not resolved.
    pub(crate) fn omitted() -> Self {
        let function = "(stack trace omitted: not resolved in time)".to_owned();
        let frames = OnceLock::from(vec![Frame { function, in_app: true, ..Frame::default() }]);
        Self { addresses: Vec::new(), backtrace: None, frames }
    }

    /// A resolved stack, for tests.
    #[cfg(test)]
    pub(crate) fn from_frames(frames: Vec<Frame>) -> Self {
        Self { addresses: Vec::new(), backtrace: None, frames: OnceLock::from(frames) }
    }

    /// The resolved frames. The first call in a process may take up to a second in a debug build.
    pub fn frames(&self) -> &[Frame] {
        self.frames.get_or_init(|| {
            let rendered = self.backtrace.as_ref().map(|render| addresses_in(&render())).unwrap_or_default();
            let addresses = if rendered.is_empty() { &self.addresses } else { &rendered };
            let all: Vec<Frame> = addresses.iter().flat_map(|address| resolve(*address).to_vec()).collect();
            // The frames of the capture itself are omitted.
            let capture_end = || all.iter().rposition(|frame| is_capture_frame(&frame.function)).map_or(0, |at| at + 1);
            let first = panicking_frame(&all).unwrap_or_else(capture_end);
            let frames = all.into_iter().skip(first).skip_while(|frame| is_conversion(&frame.function));
            let mut frames: Vec<Frame> = frames.take(MAX_FRAMES).collect();
            if let Some(end @ 1..) = frames.iter().position(|frame| is_outer_frame(&frame.function)) {
                frames.truncate(end);
            }
            frames
        })
    }
}

/// The addresses in a backtrace's text, whose frames begin with lines such as `3:     0x55d0c0a8 - core::ops::call`.
fn addresses_in(backtrace: &str) -> Vec<usize> {
    let address = |line: &str| {
        let (number, frame) = line.trim_start().split_once(':')?;
        let digits = frame.trim_start().strip_prefix("0x")?.split(' ').next()?;
        number.parse::<u32>().ok().and_then(|_| usize::from_str_radix(digits, 16).ok())
    };
    backtrace.lines().filter_map(address).collect()
}

/// The frames at an address; inlined calls have several. They are cached, because the same addresses recur.
fn resolve(address: usize) -> Arc<[Frame]> {
    static CACHE: LazyLock<Mutex<HashMap<usize, Arc<[Frame]>>>> = LazyLock::new(Mutex::default);
    if let Some(frames) = CACHE.lock().get(&address) {
        return Arc::clone(frames);
    }
    let frames = frames_at(address);
    let frames: Arc<[Frame]> = frames.into();
    CACHE.lock().insert(address, Arc::clone(&frames));
    frames
}

fn frames_at(address: usize) -> Vec<Frame> {
    // Almost all are return addresses, which follow the call, and can belong to the next line or function.
    let call = address.saturating_sub(1);
    let image = image::at(call);
    let mut frames = Vec::new();
    symbol::for_each_at(address, |name, file, line| {
        let module = name.as_deref().and_then(symbol::module);
        let in_app = in_app::is_in_app(name.as_deref(), file.as_deref(), image);
        let (is_unnamed, function) = (name.is_none(), name.unwrap_or_else(|| unnamed(call, image)));
        frames.push(Frame { function, file, line, in_app, module, is_unnamed, address: Some(call), image });
    });
    if frames.is_empty() {
        let in_app = in_app::is_in_app(None, None, image);
        let function = unnamed(call, image);
        frames.push(Frame { function, in_app, is_unnamed: true, address: Some(call), image, ..Frame::default() });
    }
    frames
}

/// The binary's name and the offset in it, by which `addr2line` finds the function in a debug file.
fn unnamed(address: usize, image: Option<&Image>) -> String {
    match image {
        Some(image) => format!("{}+{:#x}", image.name(), address - image.address),
        None => format!("{address:#x}"),
    }
}

impl Serialize for Stack {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.frames().serialize(serializer)
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stack({} addresses)", self.addresses.len())
    }
}

/// Walks the calling thread's stack, innermost frame first, until its end or until `step` returns false.
#[expect(
    unsafe_code,
    reason = "the safe function waits for any thread that resolves a stack, which may take up to a second"
)]
fn walk(mut step: impl FnMut(usize) -> bool) {
    // SAFETY: the crate's lock protects dbghelp, which is used only on Windows. The unwinder of other systems may be entered
    // by several threads at once. Nothing is resolved here.
    unsafe {
        backtrace::trace_unsynchronized(|frame| match frame.ip() as usize {
            // The end of the stack, in binaries without unwind information for the thread's start.
            0 => true,
            address => step(address),
        });
    }
}

/// The modules that capture a stack, or turn an error into a report. The stack trace begins at their caller.
const CAPTURE_MODULES: [&str; 6] = [
    "backtrace::",
    "cyanotype::handler::problem::",
    "cyanotype_telemetry::capture::",
    "cyanotype_telemetry::failure::",
    "cyanotype_telemetry::stack::",
    "cyanotype_telemetry::subscriber::",
];

fn is_capture_frame(function: &str) -> bool {
    is_in_modules(function, &CAPTURE_MODULES)
}

/// The position of the frame that panicked, in a stack that the panic hook captured: the first one outside the standard library.
fn panicking_frame(frames: &[Frame]) -> Option<usize> {
    let is_hook =
        |frame: &Frame| frame.function.starts_with("std::panicking::") && frame.function.contains("with_hook");
    let hook = frames.iter().position(is_hook)?;
    let is_std = |frame: &Frame| {
        is_in_modules(&frame.function, &["std::", "core::", "alloc::", "rust_begin_unwind", "__rustc::"])
            || frame.file.as_deref().is_some_and(|file| file.starts_with("/rustc/") || file.contains("/library/std/"))
    };
    let panicking = frames[hook..].iter().position(|frame| !is_std(frame))?;
    Some(hook + panicking)
}

/// Whether a frame belongs to the layers, the server or the runtime, which are the same in every request's stack.
fn is_outer_frame(function: &str) -> bool {
    const OUTER_MODULES: [&str; 4] =
        ["cyanotype_actix::", "cyanotype::middleware::", "tokio::task::task_local::", "tokio::runtime::task::"];
    is_in_modules(function, &OUTER_MODULES)
}

/// Whether a function, or the type that it is implemented for, is in one of these modules.
fn is_in_modules(function: &str, modules: &[&str]) -> bool {
    let path = function.trim_start_matches('<');
    modules.iter().any(|module| path.starts_with(module))
}

/// Whether a function is part of the creation of an error, or of its conversion by `?` or `into`.
fn is_conversion(function: &str) -> bool {
    const CONVERSIONS: [&str; 3] = ["core::convert::", "core::ops::try_trait::", "core::result::"];
    const ERROR_LIBRARIES: [&str; 3] = ["anyhow::", "eyre::", "std::backtrace"];
    let path = function.split_once(" as ").map_or(function, |(_, implemented)| implemented);
    CONVERSIONS.iter().any(|part| function.contains(part))
        || is_in_modules(function, &ERROR_LIBRARIES)
        || is_in_modules(path, &ERROR_LIBRARIES)
}

/// The trace as text: for each frame a line with the function and a line with its location.
#[must_use]
pub fn text(frames: &[Frame]) -> String {
    let mut text = String::new();
    for (at, frame) in frames.iter().enumerate() {
        let _ = writeln!(text, "{at:>4}: {}", frame.function);
        if let Some(file) = &frame.file {
            let _ = writeln!(text, "      at {file}:{}", frame.line.unwrap_or(0));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backtrace_of_std_has_the_same_frames() {
        let backtrace = std::backtrace::Backtrace::force_capture();
        let stack = Stack::from_backtrace(move || format!("{backtrace:#}"));
        assert!(!addresses_in(&stack.backtrace.as_ref().expect("it has one")()).is_empty());
        let text = text(stack.frames());
        assert!(text.contains("core::ops::function") && !text.contains("std::backtrace"), "{text}");
        assert_eq!(addresses_in("   0:     0x1f - a\n             at ./src/x.rs:0x2:1\n  1: b").as_slice(), [0x1f]);
    }

    #[test]
    fn a_frame_has_its_module_address_and_image() {
        let stack = Stack::capture();
        let frame = stack.frames().first().expect("it has frames");
        assert_eq!(frame.module.as_deref(), Some("core::ops::function::FnOnce"), "{frame:?}");
        assert!(frame.image.is_some_and(|image| image.is_executable) && frame.address.is_some(), "{frame:?}");
        assert!(
            stack.frames().iter().all(|frame| frame.image.is_none_or(|image| image.is_executable) || !frame.in_app)
        );
    }

    #[test]
    fn an_address_without_a_name_shows_binary_and_offset() {
        let image =
            Image { path: "/usr/bin/app".into(), address: 0x1000, size: 9, build_id: None, is_executable: true };
        assert_eq!(unnamed(0x1f2e, Some(&image)), "app+0xf2e");
        assert_eq!(unnamed(0x1f2e, None), "0x1f2e");
    }

    #[test]
    fn capture_frames_are_removed() {
        let stack = Stack::capture();
        let text = text(stack.frames());
        assert!(!text.contains("cyanotype_telemetry::stack::walk") && text.contains("core::ops::function"), "{text}");
    }

    #[test]
    fn the_panicking_frame_is_the_first_one_outside_the_standard_library() {
        let frame = |function: &str, file: Option<&str>| Frame {
            function: function.into(),
            file: file.map(str::to_owned),
            in_app: true,
            ..Frame::default()
        };
        let library = Some("/rustc/5980/library/core/src/slice/index.rs");
        let frames = [
            frame("cyanotype_telemetry::panic::install_hook::{{closure}}", None),
            frame("<alloc::boxed::Box<F,A> as core::ops::function::Fn<Args>>::call", library),
            frame("std::panicking::panic_with_hook", None),
            frame("__rustc::rust_begin_unwind", None),
            frame("core::panicking::panic_bounds_check", None),
            frame("<usize as core::slice::index::SliceIndex<[T]>>::index", library),
            frame("shop::stock::take", Some("src/stock.rs")),
            frame("std::panicking::catch_unwind", None),
        ];
        assert_eq!(panicking_frame(&frames), Some(6));
        assert_eq!(panicking_frame(&frames[3..]), None);
    }
}
