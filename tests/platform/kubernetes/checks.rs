//! What tools and schemas say about the manifests.

use serde_json::{Value, json};
use system_tests::peers::venv;
use system_tests::scratch::{self, Scratch, workspace};

use super::manifests::{Manifests, container, name};
use super::{OVERLAYS, deployed, shell};
use crate::succeed;

/// A schema of the Prometheus operator's resource, with the fields that version 0.80 and later have.
const SERVICE_MONITOR: &str = include_str!("servicemonitor.schema.json");
const VALIDATE: &str = "import json, sys, jsonschema
jsonschema.Draft202012Validator.check_schema(json.loads(sys.argv[1]))
jsonschema.validate(json.loads(sys.argv[2]), json.loads(sys.argv[1]), jsonschema.Draft202012Validator)";

/// The commands of docs/OPERATIONS.md that render and check the manifests, without a cluster.
#[track_caller]
fn documented_checks() -> String {
    let document = scratch::read(&workspace().join("docs/OPERATIONS.md"));
    let section = document.split("\n### Kubernetes\n").nth(1).expect("docs/OPERATIONS.md has the section");
    let block = section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("it has commands");
    block.to_owned()
}

#[test]
fn the_documented_checks_accept_the_manifests() {
    let scratch = Scratch::new("kubernetes-checks");
    let commands = documented_checks();
    for tool in ["kubectl kustomize", "kubernetes-validate --strict", "checkov"] {
        assert!(commands.contains(tool), "the document runs {tool}: {commands}");
    }
    let printed = succeed(shell(&scratch, &commands), &scratch);
    assert!(printed.contains("Failed checks: 0"), "{printed}");
    let counted = |what: &str| printed.split(what).nth(1)?.trim().split([',', '\n']).next()?.parse::<usize>().ok();
    assert!(counted("Passed checks:").is_some_and(|passed| passed > 200), "checkov has read the manifests: {printed}");
    // One for each Deployment: kustomize sets the digest.
    assert_eq!(counted("Skipped checks:"), Some(3), "{printed}");
}

#[test]
fn the_tools_find_errors() {
    let scratch = Scratch::new("kubernetes-errors");
    let render = "kubectl kustomize deploy/kubernetes/overlays/one";
    let unknown_field = format!(
        "{render} | sed s/enableServiceLinks/enableServiceLink/ > a.yaml; kubernetes-validate --strict -k 1.30 a.yaml"
    );
    let writable = format!(
        "{render} | sed 's/readOnlyRootFilesystem: true/readOnlyRootFilesystem: false/' > b.yaml
        checkov --framework kubernetes --skip-download --compact --quiet -f b.yaml"
    );
    for script in [unknown_field, writable] {
        succeed(shell(&scratch, &format!("if ({script}); then exit 1; fi")), &scratch);
    }
}

/// Does Python's validator accept the object?
fn is_valid(schema: &str, object: &Value) -> bool {
    let mut python = std::process::Command::new(venv::kubernetes());
    let output = python.args(["-c", VALIDATE, schema, &object.to_string()]).output().expect("Python was found");
    output.status.success()
}

#[test]
fn the_service_monitors_follow_their_schema() {
    for overlay in OVERLAYS {
        let manifests = Manifests::of(overlay);
        let monitors: Vec<&Value> = manifests.kind("ServiceMonitor").collect();
        assert_eq!(monitors.len(), manifests.kind("Deployment").count(), "one for each Deployment");
        for monitor in monitors {
            assert!(is_valid(SERVICE_MONITOR, monitor), "{monitor}");
            let mut misspelt = monitor.clone();
            misspelt["spec"]["endpoints"][0]["every"] = json!("30s");
            assert!(!is_valid(SERVICE_MONITOR, &misspelt), "an unknown field is refused");
        }
    }
}

#[test]
fn the_alerts_select_the_job_of_each_monitor() {
    let alerts = scratch::read(&workspace().join("deploy/prometheus/alerts.yml"));
    assert!(alerts.contains("up{job=~\"cyanotype.*\"}"), "{alerts}");
    for overlay in OVERLAYS {
        let manifests = Manifests::of(overlay);
        for monitor in manifests.kind("ServiceMonitor") {
            let label = monitor["spec"]["jobLabel"].as_str().expect("the job is the value of a label of the Service");
            let selected = monitor["spec"]["selector"]["matchLabels"].as_object().expect("labels");
            let mut services = manifests.kind("Service").filter(|service| {
                selected.iter().all(|(label, value)| service["metadata"]["labels"].get(label) == Some(value))
            });
            let service = services.next().expect("the monitor selects a Service");
            assert_eq!((&service["metadata"]["labels"][label], services.next()), (&json!("cyanotype"), None));
        }
    }
}

/// All pods, one more for each Deployment during a rollout, and the connection of each that is not of its pool.
#[test]
fn the_autoscalers_leave_connections_of_postgresql() {
    const MAX_CONNECTIONS: u64 = 8;
    const OF_POSTGRESQL: u64 = 100 - 3;
    let settings = scratch::read(&workspace().join("docs/SETTINGS.md"));
    let default = settings.lines().find(|line| line.starts_with("| `database.max_connections`")).expect("the setting");
    assert!(default.contains(&format!("`{MAX_CONNECTIONS}`")), "{default}");
    for overlay in OVERLAYS {
        let manifests = Manifests::of(overlay);
        let pods = |it: &Value| it["spec"]["maxReplicas"].as_u64().expect("a limit") + 1;
        let pods: u64 = manifests.kind("HorizontalPodAutoscaler").map(pods).sum();
        assert!(pods * (MAX_CONNECTIONS + 1) <= OF_POSTGRESQL, "{overlay}: {pods} pods");
    }
}

/// Custom resources are checked by the schema above; kubernetes-validate only warns about them.
#[test]
fn there_are_no_other_custom_resources() {
    for overlay in OVERLAYS {
        for object in Manifests::of(overlay).all() {
            let version = object["apiVersion"].as_str().unwrap_or_default();
            let of_kubernetes =
                !version.contains('.') || version.split('/').next().is_some_and(|g| g.ends_with(".k8s.io"));
            assert!(of_kubernetes || object["kind"] == "ServiceMonitor", "{version} {}", object["kind"]);
        }
    }
}

#[test]
fn the_pods_are_restricted() {
    for overlay in OVERLAYS {
        let manifests = Manifests::of(overlay);
        let level = &manifests.named("Namespace", "cyanotype")["metadata"]["labels"];
        assert_eq!(level["pod-security.kubernetes.io/enforce"], "restricted");
        for deployment in manifests.kind("Deployment") {
            let pod = &deployment["spec"]["template"]["spec"];
            assert_eq!(pod["automountServiceAccountToken"], false);
            let security = &pod["securityContext"];
            assert_eq!(
                (&security["runAsNonRoot"], &security["runAsUser"], &security["runAsGroup"], &security["fsGroup"]),
                (&json!(true), &json!(65532), &json!(65532), &json!(65532)),
            );
            assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
            for list in ["containers", "initContainers"] {
                let container = container(deployment, list);
                let expected = json!({
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}
                });
                assert_eq!(container["securityContext"], expected, "{list}");
                for bound in ["requests", "limits"] {
                    for resource in ["cpu", "memory", "ephemeral-storage"] {
                        assert!(container["resources"][bound][resource].is_string(), "{list}: {bound} of {resource}");
                    }
                }
            }
        }
    }
}

#[test]
fn no_secret_is_in_the_repository() {
    for overlay in OVERLAYS {
        let manifests = Manifests::of(overlay);
        assert_eq!(manifests.kind("Secret").count(), 0, "a Secret is referred to, not stored");
        for deployment in manifests.kind("Deployment") {
            for list in ["containers", "initContainers"] {
                let container = container(deployment, list);
                assert!(container.get("env").is_none() && container.get("envFrom").is_none(), "settings are files");
            }
        }
    }
    // What .gitignore cannot promise.
    for kustomization in
        ["base/kustomization.yaml", "overlays/one/kustomization.yaml", "overlays/split/kustomization.yaml"]
    {
        let text = scratch::read(&deployed(kustomization));
        assert!(!text.contains("secretGenerator"), "{kustomization}");
    }
}

#[test]
fn each_object_has_the_recommended_labels() {
    for overlay in OVERLAYS {
        for object in Manifests::of(overlay).all() {
            let labels = &object["metadata"]["labels"];
            let wanted: &[&str] = match object["kind"].as_str() {
                Some("Namespace") => &[],
                Some("ConfigMap") => &["part-of", "version"],
                Some("Ingress") => &["name"],
                _ => &["name", "part-of", "version"],
            };
            for label in wanted {
                let key = format!("app.kubernetes.io/{label}");
                assert!(labels[&key].is_string(), "{} {} has no label {key}", object["kind"], name(object));
            }
        }
    }
}
