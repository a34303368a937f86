//! The manifests in operation: the init container, pods behind a Service, the probes, a rolling update, the log files.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use system_tests::peers::bugsink::Bugsink;
use system_tests::peers::postgres::Postgres;
use system_tests::ports;
use system_tests::scratch::Scratch;

use super::ingress::{Ingress, Slots, service_of};
use super::manifests::{Manifests, container, name};
use super::pod::{Cluster, Pod};
use super::traffic::{Answers, Caller, Load};

const CLIENTS: usize = 4;

/// The pods of an overlay, behind its Ingress.
struct Deployed {
    manifests: &'static Manifests,
    cluster: Cluster,
    ingress: Ingress,
    /// The running pods of each Deployment, and the endpoint that is free.
    pods: BTreeMap<String, (Vec<Pod>, [u16; 2])>,
    records: Vec<Value>,
    // After the pods that write to it: fields are dropped in declaration order.
    _logs: Scratch,
}

impl Deployed {
    /// Starts the smallest number of pods that the autoscaler allows.
    #[track_caller]
    fn apply(overlay: &str) -> Self {
        let (manifests, logs) = (Manifests::of(overlay), Scratch::new("pod-logs"));
        let services: Vec<(String, u16)> =
            manifests.kind("Deployment").map(|it| (service_of(manifests, it).to_owned(), ports::free())).collect();
        let url = |(service, port): &(String, u16)| (format!("http://{service}"), format!("http://127.0.0.1:{port}"));
        let secret =
            vec![("database_url", Postgres::shared().database()), ("sentry_dsn", Bugsink::shared().project().dsn)];
        let cluster = Cluster { secret, services: services.iter().map(url).collect(), logs: logs.path().to_owned() };

        let mut slots = vec![];
        let mut pods = BTreeMap::new();
        for deployment in manifests.kind("Deployment") {
            let scaler = manifests.named("HorizontalPodAutoscaler", name(deployment));
            let replicas = scaler["spec"]["minReplicas"].as_u64().expect("it is set");
            let mut endpoints: Vec<[u16; 2]> = (0..=replicas).map(|_| [ports::free(), ports::free()]).collect();
            slots.push(Slots { service: service_of(manifests, deployment).to_owned(), endpoints: endpoints.clone() });
            let free = endpoints.pop().expect("there is one more endpoint than pods");
            let mut start = |ports| Pod::start(manifests, deployment, &cluster, ports);
            let mut running: Vec<Pod> = endpoints.into_iter().map(&mut start).collect();
            running.iter_mut().for_each(|pod| pod.wait_ready(deployment));
            pods.insert(name(deployment).to_owned(), (running, free));
        }
        let ingress = Ingress::start(manifests, &slots, &services);
        let deployed = Self { manifests, cluster, ingress, pods, records: vec![], _logs: logs };
        for (pods, free) in deployed.pods.values() {
            // haproxy counts an endpoint as up before its first check.
            deployed.ingress.wait_endpoint(free[0], false);
            pods.iter().for_each(|pod| deployed.ingress.wait_endpoint(pod.ports[0], true));
        }
        deployed
    }

    /// Replaces each pod: a new one is ready before an old one stops.
    #[track_caller]
    fn roll_out(&mut self) {
        for deployment in self.manifests.kind("Deployment") {
            let grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64();
            let grace = Duration::from_secs(grace.expect("it is set"));
            let (pods, free) = self.pods.get_mut(name(deployment)).expect("each Deployment has pods");
            for _ in 0..pods.len() {
                let mut new = Pod::start(self.manifests, deployment, &self.cluster, *free);
                new.wait_ready(deployment);
                self.ingress.wait_endpoint(new.ports[0], true);
                pods.push(new);
                let old = pods.remove(0);
                *free = old.ports;
                old.terminate();
                self.records.extend(old.end(grace));
                self.ingress.wait_endpoint(free[0], false);
            }
        }
    }

    /// Stops all pods, and returns the records of all that have run.
    #[track_caller]
    fn delete(mut self) -> Vec<Value> {
        for (pods, _) in self.pods.values() {
            pods.iter().for_each(Pod::terminate);
        }
        for (pods, _) in std::mem::take(&mut self.pods).into_values() {
            self.records.extend(pods.into_iter().flat_map(|pod| pod.end(Duration::from_secs(15))));
        }
        self.records
    }
}

/// How many response records each request has.
fn responses(records: &[Value]) -> BTreeMap<&str, usize> {
    let mut responses = BTreeMap::new();
    for record in records.iter().filter(|record| record["kind"] == "response") {
        *responses.entry(record["request_id"].as_str().unwrap_or_default()).or_default() += 1;
    }
    responses
}

#[track_caller]
fn assert_answered(answers: &Answers) {
    let failed: Vec<_> = answers.iter().filter(|(_, status)| !(200..300).contains(*status)).collect();
    assert!(failed.is_empty(), "{} of {} requests failed: {failed:?}", failed.len(), answers.len());
}

#[test]
fn a_rolling_update_under_load_fails_no_request() {
    let mut deployed = Deployed::apply("one");
    let caller = Caller::new(deployed.ingress.port, "life");
    caller.live();
    let load = Load::start(deployed.ingress.port, CLIENTS);
    deployed.roll_out();
    let answers = load.stop();
    assert_answered(&answers);
    assert!(answers.len() > 100, "only {} requests", answers.len());

    let records = deployed.delete();
    let responses = responses(&records);
    for id in answers.keys().chain(caller.answers().keys()) {
        assert_eq!(responses.get(id.as_str()), Some(&1), "the response of {id} is in the log of one pod");
    }
    let serious: Vec<_> = records.iter().filter(|it| it["level"] == "error" || it["level"] == "critical").collect();
    assert!(serious.is_empty(), "{serious:#?}");
    let count = |message: &str| records.iter().filter(|it| it["message"] == message && it["kind"] == "service").count();
    assert_eq!(count("stopped"), 4, "the last record of each pod is there, of the two old and the two new ones");
}

#[test]
fn the_split_overlay_routes_each_prefix_to_its_pods() {
    let deployed = Deployed::apply("split");
    let caller = Caller::new(deployed.ingress.port, "split");
    caller.live();
    let outside = system_tests::http::Client::new(deployed.ingress.port).get("/openapi.json").send();
    assert_eq!(outside.status, 503, "the Ingress has no such path");

    for deployment in deployed.manifests.kind("Deployment") {
        let app = container(deployment, "containers");
        for pod in &deployed.pods[name(deployment)].0 {
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                assert_eq!(pod.probe(&app[probe]), Some(200), "{probe}");
            }
            let monitor = deployed.manifests.named("ServiceMonitor", name(deployment));
            let path = monitor["spec"]["endpoints"][0]["path"].as_str().expect("it is set");
            let metrics = pod.management().get(path).send();
            assert_eq!(metrics.status, 200, "{path}");
            assert!(metrics.text().contains("http_server_request_duration_seconds"), "{}", metrics.text());
        }
    }
    let records = deployed.delete();
    let responses = responses(&records);
    for id in caller.answers().keys() {
        // Orders asks users who the caller is, with the same id.
        assert!(responses.get(id.as_str()).is_some_and(|count| *count >= 1), "the response of {id} is in a log");
    }
    let blueprint = |it: &Value| it["blueprint"].as_str().unwrap_or_default().to_owned();
    let of_orders = |it: &&Value| it["kind"] == "response" && blueprint(it) == "orders";
    for order in records.iter().filter(of_orders) {
        let users = records.iter().filter(|it| it["trace_id"] == order["trace_id"] && blueprint(it) == "users");
        assert!(users.count() > 0, "the call of users has the trace of {order}");
    }
}
