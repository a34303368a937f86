//! Loaded settings.

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
use crate::{Origin, Schema, SettingsProblem};

/// Loaded settings: the sections of `S`, and the origin of each value.
#[derive(Debug, Clone)]
pub struct Loaded<S> {
    /// The values.
    pub sections: S,
    /// Each effective setting with the layer that set it, sorted by key.
    pub origins: Vec<Origin>,
    /// Warnings about environment variables that are probably misspelled.
    pub warnings: Vec<String>,
    /// The values of deferred sections.
    pub deferred: Deferred,
    /// The inputs of the load.
    pub(crate) source: Source,
}

/// The inputs of a load and its result, to reload and compare.
#[derive(Clone)]
pub(crate) struct Source {
    pub inputs: Arc<Inputs>,
    pub snapshot: Arc<Snapshot>,
    pub fingerprint: Fingerprint,
}

/// Omits all fields, which may contain secrets.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

impl<S> Loaded<S> {
    /// The fingerprint of the files from which these settings were loaded.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.source.fingerprint
    }

    /// The differences to settings that were loaded later by [`reload`](Self::reload). Modifications of
    /// [`sections`](Self::sections) after loading are ignored.
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

/// The values of sections that are declared after loading, such as those of plug-ins.
#[derive(Debug, Clone, Default)]
pub struct Deferred(pub(crate) Vec<Vec<Leaf>>);

impl Deferred {
    /// Each key with the layer that sets it, in ascending precedence.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flatten().map(|leaf| (leaf.key.as_str(), leaf.origin.as_str()))
    }

    /// Declares the section at `key`, and merges and validates its values.
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

/// The values of a deferred section.
#[derive(Debug, Clone)]
pub struct DeferredValues {
    /// The values to deserialize.
    pub values: Value,
    /// Each effective setting with the layer that set it.
    pub origins: Vec<Origin>,
    /// The problems.
    pub problems: Vec<SettingsProblem>,
}
