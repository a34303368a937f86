//! The rendered manifests.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;
use system_tests::peers::venv;
use system_tests::process_guard;
use system_tests::scratch::Scratch;

use super::{OVERLAYS, shell};
use crate::succeed;

const YAML_TO_JSON: &str = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";

/// The objects of an overlay.
#[derive(Clone, Debug)]
pub struct Manifests(Vec<Value>);

impl Manifests {
    /// Those of an overlay, as kubectl renders them.
    #[track_caller]
    pub fn of(overlay: &str) -> &'static Self {
        static RENDERED: OnceLock<BTreeMap<&str, Manifests>> = OnceLock::new();
        let all = RENDERED.get_or_init(|| OVERLAYS.iter().map(|overlay| (*overlay, Self::render(overlay))).collect());
        all.get(overlay).unwrap_or_else(|| panic!("there is no overlay {overlay}"))
    }

    fn render(overlay: &str) -> Self {
        let scratch = Scratch::new("kustomize");
        succeed(
            shell(&scratch, &format!("kubectl kustomize deploy/kubernetes/overlays/{overlay} > out.yaml")),
            &scratch,
        );
        let mut python = process_guard::command(venv::kubernetes());
        python.args(["-c", YAML_TO_JSON]).arg(scratch.join("out.yaml"));
        let printed = succeed(python, &scratch);
        Self(serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{overlay}: {e}")))
    }

    /// All objects.
    pub fn all(&self) -> &[Value] {
        &self.0
    }

    /// Those of a kind.
    pub fn kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |object| object["kind"] == kind)
    }

    /// The object with this kind and name.
    #[track_caller]
    pub fn named<'a>(&'a self, kind: &'a str, name: &str) -> &'a Value {
        let mut found = self.kind(kind).filter(|object| object["metadata"]["name"] == name);
        found.next().unwrap_or_else(|| panic!("there is no {kind} {name}"))
    }

    /// The objects of a kind whose selector, at this pointer, selects the pods of a Deployment.
    pub fn selecting<'a>(&'a self, kind: &'a str, selector: &'a str, deployment: &'a Value) -> Vec<&'a Value> {
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        self.kind(kind).filter(|object| object.pointer(selector).is_some_and(|it| selects(it, labels))).collect()
    }
}

/// Does a selector of labels select an object with these?
pub fn selects(selector: &Value, labels: &Value) -> bool {
    let selector = selector.as_object().expect("a selector is an object");
    !selector.is_empty() && selector.iter().all(|(key, value)| &labels[key] == value)
}

/// The only container of a Deployment, or its only init container (`initContainers`).
#[track_caller]
pub fn container<'a>(deployment: &'a Value, list: &str) -> &'a Value {
    match deployment["spec"]["template"]["spec"][list].as_array().map(Vec::as_slice) {
        Some([container]) => container,
        other => panic!("{list} has one container, not {other:?}"),
    }
}

/// An object's name.
pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}
