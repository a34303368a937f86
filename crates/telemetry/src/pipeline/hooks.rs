//! Hooks of the service: they change or drop what event sinks receive.

use std::cell::Cell;

use crate::record::{Breadcrumb, Event};

/// A hook for each breadcrumb of `add_breadcrumb`, called before it is stored for event sinks; it may change the breadcrumb, or drop it with `None`.
pub type BeforeBreadcrumb = Box<dyn Fn(Breadcrumb) -> Option<Breadcrumb> + Send + Sync>;

/// A hook for each event, called on the reporting thread before the event's id is returned; it may change the event, or hold it
/// back with `None`.
pub type BeforeSend = Box<dyn Fn(Event) -> Option<Event> + Send + Sync>;

/// The hooks of a service.
#[derive(Default)]
pub struct Hooks {
    /// The hook for breadcrumbs.
    pub before_breadcrumb: Option<BeforeBreadcrumb>,
    /// The hook for events.
    pub before_send: Option<BeforeSend>,
}

thread_local! {
    static IN_HOOK: Cell<bool> = const { Cell::new(false) };
}

impl Hooks {
    pub(super) fn breadcrumb(&self, breadcrumb: Breadcrumb) -> Option<Breadcrumb> {
        match &self.before_breadcrumb {
            Some(hook) => hook(breadcrumb),
            None => Some(breadcrumb),
        }
    }

    /// The event as it is sent. What the hook itself reports is not sent, since it would call the hook again.
    pub(super) fn event(&self, event: Event) -> Option<Event> {
        let Some(hook) = &self.before_send else { return Some(event) };
        if IN_HOOK.replace(true) {
            return None;
        }
        let _end = EndOfHook;
        let id = event.id;
        hook(event).map(|event| Event { id, ..event })
    }
}

/// Ends the call of a hook, also if it panics.
struct EndOfHook;

impl Drop for EndOfHook {
    fn drop(&mut self) {
        IN_HOOK.set(false);
    }
}
