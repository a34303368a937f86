//! The manifests agree with the settings of the processes that they start, and with each other.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use system_tests::scratch::Scratch;

use super::OVERLAYS;
use super::manifests::{Manifests, container, name, selects};
use super::pod::{Cluster, Volumes};
use crate::succeed;

/// The settings in effect, with `app config`, of a Deployment's pod.
#[track_caller]
fn settings(manifests: &Manifests, deployment: &Value) -> BTreeMap<String, String> {
    let scratch = Scratch::new("settings");
    let secret = vec![
        ("database_url", "postgres://app:password@postgresql.postgresql/app".to_owned()),
        ("sentry_dsn", "https://0123456789abcdef0123456789abcdef@sentry.example.org/1".to_owned()),
    ];
    let cluster = Cluster { secret, services: vec![], logs: scratch.path().to_owned() };
    let volumes = Volumes::mount(manifests, deployment, &cluster);
    let mut command = volumes.command(container(deployment, "containers"));
    command.args(["config", "--json"]);
    let printed: Value = serde_json::from_str(&succeed(command, &scratch)).expect("app config --json prints JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    printed.as_array().expect("a list").iter().map(|entry| (text(&entry["key"]), text(&entry["value"]))).collect()
}

/// Calls it for each Deployment of each overlay, with its settings.
#[track_caller]
fn for_each(mut check: impl FnMut(&Manifests, &Value, &BTreeMap<String, String>)) {
    for overlay in OVERLAYS {
        let manifests = Manifests::of(overlay);
        for deployment in manifests.kind("Deployment") {
            check(manifests, deployment, &settings(manifests, deployment));
        }
    }
}

#[track_caller]
fn number(settings: &BTreeMap<String, String>, key: &str) -> u64 {
    let value = settings.get(key).unwrap_or_else(|| panic!("there is no setting {key}"));
    value.parse().unwrap_or_else(|_| panic!("{key} is no number: {value}"))
}

#[test]
fn the_ports_are_those_that_the_service_listens_on() {
    for_each(|manifests, deployment, settings| {
        for listener in ["server", "management"] {
            assert_eq!(settings[&format!("{listener}.host")], "0.0.0.0", "the pod's own address is reached");
        }
        let app = container(deployment, "containers");
        let expected = json!([
            {"name": "http", "containerPort": number(settings, "server.port")},
            {"name": "management", "containerPort": number(settings, "management.port")},
        ]);
        assert_eq!(app["ports"], expected);
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            assert_eq!(app[probe]["httpGet"]["port"], "management", "{probe}");
        }
        let services = manifests.selecting("Service", "/spec/selector", deployment);
        let mut targets: Vec<&str> =
            services.iter().filter_map(|it| it["spec"]["ports"][0]["targetPort"].as_str()).collect();
        targets.sort_unstable();
        assert_eq!(targets, ["http", "management"], "a Service for each");
        let management = services.iter().find(|service| service["spec"]["ports"][0]["targetPort"] == "management");
        let management = management.expect("there is one");
        let monitors: Vec<&Value> = manifests
            .kind("ServiceMonitor")
            .filter(|it| selects(&it["spec"]["selector"]["matchLabels"], &management["metadata"]["labels"]))
            .collect();
        let [monitor] = monitors[..] else { panic!("{} monitors of {}", monitors.len(), name(deployment)) };
        assert_eq!(monitor["spec"]["endpoints"][0]["port"], management["spec"]["ports"][0]["name"]);
    });
}

#[test]
fn a_pod_has_the_time_that_it_needs_to_stop() {
    for_each(|_, deployment, settings| {
        let pod = &deployment["spec"]["template"]["spec"];
        let app = container(deployment, "containers");
        let drain = number(settings, "server.drain_s");
        assert_eq!(drain, 5);
        assert!(app.get("lifecycle").is_none(), "the drain replaces a preStop hook");
        assert_eq!(pod["terminationGracePeriodSeconds"], drain + number(settings, "server.shutdown_timeout_s") + 2);
        let seconds = |key: &str| app["readinessProbe"][key].as_u64().expect("it is set");
        assert!(
            seconds("periodSeconds") * seconds("failureThreshold") < drain,
            "readiness is noticed during the drain"
        );
        let startup = |key: &str| app["startupProbe"][key].as_u64().expect("it is set");
        let start = startup("periodSeconds") * startup("failureThreshold");
        assert!(start >= 5 * number(settings, "database.acquire_timeout_s"), "a start may wait for the database");
    });
}

#[test]
fn several_pods_share_postgresql_and_nothing_else() {
    for_each(|manifests, deployment, settings| {
        assert!(deployment["spec"].get("replicas").is_none(), "the autoscaler sets them");
        assert!(settings["database.url"].starts_with("postgres"), "{}", settings["database.url"]);
        assert_eq!(settings["database.migrate_at_start"], "false");
        assert_eq!(container(deployment, "initContainers")["args"], json!(["db", "migrate"]));
        assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"], json!({"maxSurge": 1, "maxUnavailable": 0}));

        let scaled: Vec<&Value> = manifests
            .kind("HorizontalPodAutoscaler")
            .filter(|it| it["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"])
            .collect();
        let [scaler] = scaled[..] else { panic!("{} autoscalers of {}", scaled.len(), name(deployment)) };
        assert!(scaler["spec"]["minReplicas"].as_u64() >= Some(2), "one pod can be replaced");
        for (kind, selector) in [
            ("PodDisruptionBudget", "/spec/selector/matchLabels"),
            ("NetworkPolicy", "/spec/podSelector/matchLabels"),
            ("Deployment", "/spec/selector/matchLabels"),
            ("Deployment", "/spec/template/spec/topologySpreadConstraints/0/labelSelector/matchLabels"),
            ("Deployment", "/spec/template/spec/topologySpreadConstraints/1/labelSelector/matchLabels"),
        ] {
            let found: Vec<&str> = manifests.selecting(kind, selector, deployment).into_iter().map(name).collect();
            assert_eq!(found, [name(deployment)], "{kind} {selector}");
        }
    });
}

#[test]
fn the_volumes_hold_what_the_settings_name() {
    for_each(|_, deployment, settings| {
        let app = container(deployment, "containers");
        assert_eq!(app["workingDir"], "/etc/cyanotype");
        let mounts = app["volumeMounts"].as_array().expect("a list");
        let mounted = |path: &str| mounts.iter().find(|mount| mount["mountPath"] == path).expect("it is mounted");
        assert_eq!(mounted("/etc/cyanotype/config")["name"], "config");
        for (key, path) in [("sentry.spool_dir", "/var/lib/cyanotype"), ("management.socket", "/run/cyanotype")] {
            assert!(settings[key].contains(&format!("{path}/")), "{key}: {}", settings[key]);
            assert!(mounted(path).get("readOnly").is_none(), "{path}");
        }
        let volumes = deployment["spec"]["template"]["spec"]["volumes"].as_array().expect("a list");
        let state = volumes.iter().find(|volume| volume["name"] == mounted("/var/lib/cyanotype")["name"]);
        let size = state.and_then(|volume| volume["emptyDir"]["sizeLimit"].as_str()?.strip_suffix("Mi")?.parse().ok());
        let size: u64 = size.expect("the volume has a limit in MiB");
        assert!(size << 20 >= 2 * number(settings, "sentry.spool_max_bytes"), "the spool is not evicted with its pod");
    });
}

#[test]
fn each_prefix_leads_to_its_blueprint() {
    let routed = |overlay: &str| -> Vec<(String, String)> {
        let manifests = Manifests::of(overlay);
        let paths = manifests.named("Ingress", "cyanotype")["spec"]["rules"][0]["http"]["paths"].as_array();
        let route = |path: &Value| {
            let service = path["backend"]["service"]["name"].as_str().expect("a path has a Service");
            let selector = &manifests.named("Service", service)["spec"]["selector"];
            let mut pods = manifests
                .kind("Deployment")
                .filter(|it| selects(selector, &it["spec"]["template"]["metadata"]["labels"]));
            let deployment = pods.next().expect("the Service has pods");
            assert!(pods.next().is_none(), "{service} has the pods of one Deployment");
            let enabled = settings(manifests, deployment).remove("blueprints.enabled").unwrap_or_default();
            (path["path"].as_str().unwrap_or_default().to_owned(), enabled)
        };
        paths.expect("there are paths").iter().map(route).collect()
    };
    assert_eq!(routed("one").iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["/"]);
    let pair = |path: &str, blueprint: &str| (path.to_owned(), blueprint.to_owned());
    assert_eq!(routed("split"), [pair("/users", "users"), pair("/orders", "orders")]);

    let split = Manifests::of("split");
    let url = &settings(split, split.named("Deployment", "cyanotype-orders"))["blueprints.orders.users_url"];
    let service = split.named("Service", url.strip_prefix("http://").expect("a URL without a port, thus 80"));
    assert_eq!(service["spec"]["ports"][0]["port"], 80);
}

#[test]
fn the_policies_let_orders_call_users() {
    let split = Manifests::of("split");
    let policy = |deployment: &str| &split.named("NetworkPolicy", deployment)["spec"];
    let labels = |deployment: &str| &split.named("Deployment", deployment)["spec"]["template"]["metadata"]["labels"];
    let allows = |rules: &Value, direction: &str, other: &str| {
        let rules = rules.as_array().expect("a list").iter().filter(|rule| rule["ports"][0]["port"] == "http");
        let mut peers = rules.flat_map(|rule| rule[direction].as_array().into_iter().flatten());
        peers.any(|peer| {
            peer["podSelector"]["matchLabels"].is_object()
                && selects(&peer["podSelector"]["matchLabels"], labels(other))
        })
    };
    assert!(allows(&policy("cyanotype-users")["ingress"], "from", "cyanotype-orders"));
    assert!(allows(&policy("cyanotype-orders")["egress"], "to", "cyanotype-users"));
    assert!(!allows(&policy("cyanotype-orders")["ingress"], "from", "cyanotype-users"), "users calls no one");

    // kustomize can add its own labels to the selectors of peers, which then select no pod.
    for overlay in OVERLAYS {
        for policy in Manifests::of(overlay).kind("NetworkPolicy") {
            let dns = &policy["spec"]["egress"][0];
            assert_eq!(dns["ports"][0], json!({"protocol": "UDP", "port": 53}));
            assert_eq!(dns["to"][0]["podSelector"], json!({"matchLabels": {"k8s-app": "kube-dns"}}));
        }
    }
}
