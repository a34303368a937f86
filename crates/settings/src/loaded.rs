//! Settings in force.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde_json::Value;

use crate::changes::{Changes, Snapshot};
use crate::files::{Files, Fingerprint};
use crate::inputs::Inputs;
use crate::layers::{self, Leaf};
use crate::schema::pointer;
use crate::validation::{Validated, validate};
use crate::{Origin, Problem, Schema};

/// Settings in force: the sections of `S`, and where each value was set.
#[derive(Debug, Clone)]
pub struct Loaded<S> {
    /// The values.
    pub sections: S,
    /// Each setting in force with the layer that set it, by key.
    pub origins: Vec<Origin>,
    /// What the environment was probably meant to set and does not.
    pub warnings: Vec<String>,
    /// What is set in sections that are declared later.
    pub deferred: Deferred,
    /// What they were loaded from.
    pub(crate) source: Source,
}

/// What settings were loaded from, to do it again and to compare.
#[derive(Clone)]
pub(crate) struct Source {
    pub inputs: Arc<Inputs>,
    pub snapshot: Arc<Snapshot>,
    pub fingerprint: Fingerprint,
}

/// Secrets are part of it.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

impl<S> Loaded<S> {
    /// The fingerprint of the files as they were when these settings were loaded.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.source.fingerprint
    }

    /// What differs in settings that were loaded later, by [`reload`](Self::reload). What was done to
    /// [`sections`](Self::sections) since then is not looked at.
    #[must_use]
    pub fn changes_to(&self, new: &Self) -> Changes {
        self.source.snapshot.changes_to(&new.source.snapshot)
    }
}

impl<S> Deref for Loaded<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.sections
    }
}

impl<S> DerefMut for Loaded<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.sections
    }
}

/// What the layers set in sections that are declared after loading, such as those of plug-ins.
#[derive(Debug, Clone, Default)]
pub struct Deferred(pub(crate) Vec<Vec<Leaf>>);

impl Deferred {
    /// Each key with the layer that sets it, lowest layer first.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flatten().map(|leaf| (leaf.key.as_str(), leaf.origin.as_str()))
    }

    /// Merges and checks what is set below `key`, by its declaration.
    #[must_use]
    pub fn read(&self, key: &str, declare: impl FnOnce(&mut Schema)) -> DeferredValues {
        let schema = Schema::below(key, declare);
        let stem = format!("{key}.");
        let set = self.0.iter().map(|layer| layer.iter().filter(|leaf| leaf.key.starts_with(&stem)).cloned().collect());
        let layers = [layers::defaults(&schema)].into_iter().chain(set);
        let Validated { mut tree, origins, problems, .. } = validate(&schema, layers, &mut Files::default());
        let values = tree.pointer_mut(&pointer(key)).map_or(Value::Null, Value::take);
        DeferredValues { values, origins, problems }
    }
}

/// The section of one who was declared after loading.
#[derive(Debug, Clone)]
pub struct DeferredValues {
    /// What its type is read from.
    pub values: Value,
    /// Each setting in force with the layer that set it.
    pub origins: Vec<Origin>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}
